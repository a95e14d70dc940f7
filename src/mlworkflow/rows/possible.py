"""Numbers that cannot be: infinite ones, and those outside the ranges that the problem tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

LARGEST = float(np.finfo("float32").max)  # trees compute in float32; infinite numbers are beyond it too
Ranges = Mapping[str, Sequence[float | int | None]]  # column -> (low, high), either may be None: no limit


def possible(rows: pd.DataFrame, ranges: Ranges) -> pd.DataFrame:
    """Return the typed rows with impossible numbers made missing: shared by prepare and serving."""
    numbers = [str(name) for name in rows.select_dtypes("number")]
    bad = {name: impossible(rows[name].to_numpy(), ranges.get(name, (None, None))) for name in numbers}
    return rows.assign(**{name: rows[name].mask(found) for name, found in bad.items() if found.any()})


def impossible(values: np.ndarray, limits: Sequence[float | None]) -> np.ndarray:
    """Return an (n,) bool: True for numbers outside (low, high), None is no limit, and beyond LARGEST."""
    low, high = limits
    bad = np.asarray(np.abs(values) > LARGEST)
    if low is not None:
        bad |= values < low
    if high is not None:
        bad |= values > high
    return bad
