"""Evenly spaced rows of many: the same ones at every run, first and last among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Table = TypeVar("Table", "pd.DataFrame", "pd.Series")


def thinned(rows: int, most: int) -> NDArray[np.int64]:
    """Return the positions of at most `most` of the rows."""
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, most)).round().astype("int64"))


def thin(table: Table, most: int) -> Table:
    """Return at most `most` of the rows of a table."""
    return table.iloc[thinned(len(table), most)]
