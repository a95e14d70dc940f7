"""Made-up hard rows: missing values, unseen categories, extremes, one at a time, all at once, and mixed at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlworkflow.rows.arrays import Columns
from mlworkflow.rows.possible import LARGEST
from mlworkflow.runtime.fields import Field

MIXED = 200  # rows
MOST_WORDS = 20  # of a column's own
NUMBERS = [np.nan, 0.0, -0.0, 1.0, -1.0, 1e-300, 1e6, -1e6]
WORDS = [None, "never seen before", "(missing)", "é中文\u200b", "x" * 5000]
DATES = [None, "1970-01-01", "2024-02-29T23:59:59.999999", "1815-06-18", "2999-12-31"]


def rows(fields: Sequence[Field], largest: float = LARGEST, seed: int = 0) -> Columns:
    """Return typed columns of hard rows with numbers of up to `largest`: the same for the same fields."""
    values = {one.name: _values(one, largest) for one in fields}
    rng = np.random.default_rng(seed)
    lines = [dict.fromkeys(values, 0)]  # of each field, the number of its value; the first is the usual one
    lines += [{**lines[0], name: place} for name in values for place in range(1, len(values[name]))]
    most = max(map(len, values.values()))
    lines += [{name: place % len(found) for name, found in values.items()} for place in range(most)]
    lines += [{name: int(rng.integers(len(found))) for name, found in values.items()} for _ in range(MIXED)]
    return {name: found[[line[name] for line in lines]] for name, found in values.items()}


def missing(count: int) -> np.ndarray:
    """Return (count,) missing numbers."""
    return np.full(count, np.nan)


def _values(one: Field, largest: float) -> np.ndarray:
    if one.kind == "time":
        return np.array(DATES[::-1], dtype="datetime64[us]")
    if one.kind == "number":
        own = [value for value in (one.usual, one.low, one.high) if value is not None]
        around = [float(np.nextafter(value, end)) for value in own for end in (-np.inf, np.inf)]
        found = [*own, *around, *(value * 10 for value in own), *NUMBERS, largest, -largest]
        return np.array(found, dtype="float64")
    known = [*([one.usual] if one.usual is not None else []), *one.categories[:MOST_WORDS], *WORDS]
    return np.array([*known, 0], dtype="object")[:-1]  # of words alone, NumPy would make no objects
