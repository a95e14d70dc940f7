"""Blemishes: what is wrong with a simulated table, at stated rates, as it is with a real one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MISSING = {"signup": 0.005, "minutes": 0.02, "data_gb": 0.02, "charges": 0.01, "note": 0.03}  # share of the rows
IN_DISPUTE = 0.1  # of the charges more are missing where there were MANY_CALLS or more
MANY_CALLS = 3
IMPOSSIBLE = {"minutes": (0.003, -1.0), "data_gb": (0.002, 99999.0)}  # share of the rows, what stands there
IN_CENTS = 0.002  # of the charges: outliers
MISSPELT = 0.04  # of the words of a category
UNKNOWN = {"region": 0.01}  # share of the rows that say `unknown`
REPEATED = 0.005  # of the rows are there twice
TYPING_ERRORS = {"Premium": "Premum", "Silver": "Sliver", "monthly": "montly", "Centre": "Center"}


def words_of(words: Sequence[str], codes: NDArray[Any]) -> Any:
    """Return the array of words that the (n,) `codes` stand for."""
    import pandas as pd

    return pd.array(list(words), dtype="str").take(codes)


def spelt(name: str, words: Sequence[str], codes: NDArray[Any], random: np.random.Generator, scale: float) -> Any:
    """Return the words of a category, a few of them in capitals, in small letters with a space, or mistyped."""
    written = [way for word in words for way in (word, f"{word.lower()} ", word.upper(), TYPING_ERRORS.get(word, word))]
    way = np.where(_some(MISSPELT * scale, len(codes), random), random.integers(1, 4, len(codes)), 0)
    unknown = _some(UNKNOWN.get(name, 0.0) * scale, len(codes), random)
    return words_of([*written, "unknown"], np.where(unknown, len(written), 4 * codes + way))


def blemish(table: pd.DataFrame, random: np.random.Generator, scale: float) -> pd.DataFrame:
    """Return the table with values impossible, in another unit or missing, and with rows that are there twice.

    `scale` multiplies the rates; the outcome was drawn before, and knows nothing of all this.
    """
    import pandas as pd

    rows, changed = len(table), {}
    for name, (share, value) in IMPOSSIBLE.items():
        changed[name] = table[name].mask(_some(share * scale, rows, random), value)
    cents = (table["charges"] * 100).round(0)
    changed["charges"] = table["charges"].mask(_some(IN_CENTS * scale, rows, random), cents)
    for name, share in MISSING.items():
        disputed = IN_DISPUTE * (table["support_calls"] >= MANY_CALLS) if name == "charges" else 0.0
        gone = _some((share + disputed) * scale, rows, random)
        changed[name] = changed.get(name, table[name]).mask(gone)
    again = np.flatnonzero(_some(REPEATED * scale, rows, random))
    table = table.assign(**changed)
    return pd.concat([table, table.iloc[again]], ignore_index=True)


def _some(share: Any, rows: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Return an (n,) bool, True for a share of the rows (one for all, or one a row) drawn at random."""
    return np.asarray(random.random(rows) < share)
