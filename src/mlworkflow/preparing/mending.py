"""What reading and mending changed, noted in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.preparing.ledger import EXAMPLES, Ledger
from mlworkflow.rows.reading import as_word, fit, words

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.rows.possible import Ranges
    from mlworkflow.rows.schema import Column, Schema

IMPOSSIBLE = "impossible values made missing"
BLANK = "a word for missing"
SPELT = "spelling variants"
NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
READ = {"number": "text read as numbers", "time": "text read as dates"}


def note_reading(raw: pd.DataFrame, typed: pd.DataFrame, schema: Schema, ledger: Ledger) -> None:
    """Note what typing changed: words for missing, text read as numbers or dates, spelling variants."""
    import pandas as pd

    for column in schema.columns:
        values, read = raw[column.name], typed[column.name]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
            continue
        blank = (read.isna() & values.notna()).to_numpy()
        shown = map(repr, values[blank].astype("str").unique()[:EXAMPLES])
        ledger.line(BLANK, column.name).note(len(raw), changed=int(blank.sum()), examples=shown)
        if column.kind in READ:
            odd = read.notna().to_numpy() & ~_plain(values, column)
            examples = values[odd].head(EXAMPLES).astype("str").tolist() if column.role != "key" else []
            ledger.line(READ[column.kind], column.name).note(len(raw), changed=int(odd.sum()), examples=examples)
        if column.spelling:
            _note_spelling(words(values, schema.blanks), read, column, ledger)


def _plain(values: pd.Series, column: Column) -> np.ndarray:
    """Return an (n,) bool: True for words that any reader takes for the same number or date; a CSV has no others."""
    said = values.astype("str").str.strip()
    if column.kind == "number":
        return fit(said, NUMBER)
    return np.asarray(said.str.match(r"\d{4}-\d{2}-\d{2}"), dtype=bool) & (column.dates is None)


def _note_spelling(before: pd.Series, after: pd.Series, column: Column, ledger: Ledger) -> None:
    changed = ((before != after) & after.notna()).to_numpy()
    pairs = dict(zip(before[changed], after[changed], strict=True))
    shown = [f"{as_word(old)!r} as {new!r}" for old, new in list(pairs.items())[:EXAMPLES]]
    ledger.line(SPELT, column.name).note(len(before), changed=int(changed.sum()), examples=shown)


def note_mending(typed: pd.DataFrame, mended: pd.DataFrame, ranges: Ranges, ledger: Ledger) -> None:
    """Note the numbers that were made missing since they cannot be."""
    for name in map(str, typed.select_dtypes("number")):
        bad = typed[name].notna() & mended[name].isna()
        line = ledger.line(IMPOSSIBLE, name, always=name in ranges)
        line.note(len(typed), changed=int(bad.sum()), examples=map(str, typed[name][bad].unique()[:EXAMPLES]))
