"""Look at the data and change nothing: what is doubtful in it, and the page that also shows what each column holds.

A check is a function `(data) -> list[Finding]`; their thresholds are chosen so that clean tables stay quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from mlworkflow.exploring import chance, changes, findings, gaps, leaks, oddities, repeats, shares
from mlworkflow.exploring.findings import Columns, Data, Finding, capped, worst_first
from mlworkflow.exploring.looks import MOST_COLOURS, Look
from mlworkflow.pages.templates import render
from mlworkflow.rows.cast import cast
from mlworkflow.rows.split import is_test

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlworkflow.core.problem import Data as DataSection
    from mlworkflow.core.problem import Split
    from mlworkflow.rows.schema import Schema

CHECKS: tuple[Callable[[Data], list[Finding]], ...] = (
    leaks.leaks,
    leaks.future,
    chance.nothing_tells,
    repeats.conflicts,
    repeats.across_split,
    repeats.duplicates,
    repeats.collisions,
    gaps.missing,
    changes.missing_moved,
    changes.units,
    changes.hours,
    shares.label_shift,
    changes.moved,
    oddities.classes,
    oddities.decimals,
    oddities.mixed,
    oddities.outliers,
    repeats.twins,
    repeats.constants,
)


def explore(
    raw: Columns,
    train: pd.DataFrame,
    schema: Schema,
    test: NDArray[np.bool_] | None = None,
    *,
    by_time: bool = False,
) -> list[Finding]:
    """Return what is suspicious in the table, the worst first; the tables stay as they are.

    Args:
        raw: all rows as they were collected.
        train: the prepared training rows, the target of a classification as codes.
        schema: their schema.
        test: (raw rows,) which of them are test rows, as `test_side` returns it.
        by_time: whether the rows are split by time already, which is no advice then.
    """
    data = Data(raw, train, schema, test, by_time)
    return worst_first(finding for check in CHECKS for finding in capped(check(data)))


def test_side(raw: Columns, schema: Schema, problem: DataSection, split: Split) -> NDArray[np.bool_] | None:
    """Return which raw rows are test rows, or None where equal rows are on one side whatever they are."""
    deciding = {"hash": problem.group or problem.key, "time": problem.time, "column": split.column}[split.scheme]
    wanted = deciding if isinstance(deciding, list) else [str(deciding)]
    if not wanted or not set(wanted) <= set(raw.columns):
        return None
    table = pd.DataFrame({name: cast(pd.DataFrame({name: raw[name]}), schema, only=[name])[name] for name in wanted})
    return is_test(table, problem, split)


def page(name: str, rows: dict[str, int], found: list[Finding], looks: list[Look], schema: Schema) -> str:
    """Return the page: findings in words, then a line a column.

    Args:
        name: the name of the problem.
        rows: `raw` and `train`, the number of rows of each table, and `looked`, the training rows that were looked at.
        found: what `explore` returned.
        looks: what `looks.columns` returned.
        schema: for the classes.
    """
    return render(
        "explore.html",
        name=name,
        rows=rows,
        sampled=findings.MOST_ROWS if rows["train"] > findings.MOST_ROWS else None,
        looked=rows.get("looked", rows["train"]),
        findings=[finding.to_dict() for finding in found],
        looks=looks,
        classes=schema.classes if 2 <= len(schema.classes) <= MOST_COLOURS else [],
        target=schema.target,
    )
