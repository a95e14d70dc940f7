"""The contract of a new table: a rule a column, wide enough that ordinary new rows keep to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlworkflow.core.problem import ColumnRule
from mlworkflow.rows.cast import read_rows
from mlworkflow.rows.describe import describe
from mlworkflow.rows.infer import infer

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem
    from mlworkflow.rows.schema import Column, Schema

LISTED = 20  # categories that a rule lists at most, each seen in SEEN rows on average
SEEN = 50
SURE = 100  # rows without a missing value, from which on a rule allows none


def rules_for(table: pd.DataFrame, problem: Problem) -> dict[str, ColumnRule]:
    """Return a rule for each column of the raw `table`.

    - kind: as prepare reads the column;
    - missing: refused where SURE rows or more have no missing value, and in a key;
    - low: 0 for numbers that are never below; no other limit, since nothing but chance set the largest value seen;
    - values: the classes of the target, and categories of which there are at most LISTED, each seen SEEN times on
      average: a new word is then news, in a longer list it is not;
    - unique: a key of one column without a repetition.
    """
    schema = infer(table, problem)
    typed = read_rows(table, schema)[0]
    known = describe(schema, typed)
    return {column.name: _proposed(column, typed[column.name], known) for column in known.columns}


def _proposed(column: Column, values: pd.Series, known: Schema) -> ColumnRule:
    listed = known.classes if column.role == "target" else []
    if column.role == "input" and column.kind == "category":
        many = len(column.categories) * SEEN > known.rows
        listed = [] if len(column.categories) > LISTED or many else column.categories
    full = not column.missing and (known.rows >= SURE or column.role == "key")
    alone = column.role == "key" and len(known.with_role("key")) == 1
    return ColumnRule(
        kind=column.kind,
        missing=not full,
        low=0 if column.low is not None and column.low >= 0 else None,
        values=listed or None,
        unique=alone and bool(values.notna().any()) and values.dropna().is_unique,
    )
