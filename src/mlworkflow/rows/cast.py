"""Rows typed one by one as their schema says: shared by prepare and serving."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.core.errors import TableError, nearest
from mlworkflow.rows.reading import as_word, dates, naive, numbers, spelt, words

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.rows.schema import Column, Schema


def cast(table: pd.DataFrame, schema: Schema, *, only: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the schema's columns of `table`, each row typed by itself.

    Numbers become float64, dates datetime64[us], words are trimmed and spelt in one way, blanks are missing.

    Args:
        table: raw rows; further columns are left out.
        schema: what each column must be.
        only: names of the columns to type; all of the schema by default.

    Raises:
        TableError: columns are missing, or values cannot be read; all of them at once, with row numbers.
    """
    typed, found = read_rows(table, schema, only=only)
    if found:
        raise TableError("the table", found[:20], "Mend the rows, or name the right columns in conf/problem.")
    return typed


def read_rows(
    table: pd.DataFrame, schema: Schema, *, only: Iterable[str] | None = None, first: int = 1
) -> tuple[pd.DataFrame, list[str]]:
    """Return what `cast` does, and all that is wrong in sentences; `first` is the number of the first row."""
    import pandas as pd

    chosen = None if only is None else set(only)
    wanted = [column for column in schema.columns if chosen is None or column.name in chosen]
    found = [
        f"the column {column.name!r} is missing{nearest(column.name, table.columns)}"
        for column in wanted
        if column.name not in table
    ]
    typed: dict[str, pd.Series] = {}
    for column in wanted:
        if column.name in table:
            values = table[column.name]
            typed[column.name], bad = read(values, column, schema.blanks)
            for position in np.flatnonzero(bad)[:5]:
                word = as_word(values.iloc[position])
                found.append(f"{column.name!r}, row {first + position}: {word!r} is no {told_form(column)}")
    return pd.DataFrame(typed, index=table.index), found


def told_form(column: Column) -> str:
    """Return what a value of the column is, and how a date must be written."""
    if column.kind != "time":
        return column.kind
    return f"time, which is written as {column.dates or '2024-01-31 or 2024-01-31 13:05'} (problem.data.dates)"


def read(values: pd.Series, column: Column, blanks: Sequence[str]) -> tuple[pd.Series, np.ndarray]:
    """Return (the values typed as the column says, an (n,) bool: True where a word cannot be read)."""
    import pandas as pd

    none = np.zeros(len(values), dtype=bool)
    if column.kind == "number" and pd.api.types.is_numeric_dtype(values):  # truth counts as 0 and 1
        return values.astype("float64"), none
    if column.kind == "time" and pd.api.types.is_datetime64_any_dtype(values):
        return naive(values), none
    found = words(values, blanks)
    if column.kind in ("category", "text"):
        return spelt(found, column.spelling), none
    typed = numbers(found, column.comma) if column.kind == "number" else dates(found, column.dates)
    return typed, (typed.isna() & found.notna()).to_numpy()
