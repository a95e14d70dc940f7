"""Columns that look back: a row sees what was before its own time, and nothing of its own time or later.

The rows of one `by` (of the whole table, where none is named) are put into points: one a time, several rows of a time
are their mean. So neither the order of the rows nor another row of the same time changes anything. `look_back` makes
whole columns; `history` keeps the last points that later rows will ask for, with a hash in the place of `by`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from mlworkflow.rows.split import row_ids

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Kind

Statistic = Literal["mean", "sum", "min", "max", "std", "count"]
HISTORY = ["by", "column", "key", "time", "value"]


@dataclass(frozen=True)
class Points:
    """What a column was: (p,) keys, times in microseconds and values, in the order of key and time, each time once."""

    keys: np.ndarray
    times: np.ndarray
    values: np.ndarray

    def back(self, steps: int) -> np.ndarray:
        """Return (p,) the values `steps` points earlier of the same key, missing where there is none."""
        found = np.full(len(self.values), np.nan)
        same = self.keys[steps:] == self.keys[:-steps]
        found[steps:] = np.where(same, self.values[:-steps], np.nan)
        return found

    def last(self, count: int) -> np.ndarray:
        """Return (p,) whether a point is one of the last `count` of its key."""
        later = np.append(self.keys[count:], np.zeros(min(count, len(self.keys)), dtype=self.keys.dtype))
        is_end = np.arange(len(self.keys)) >= len(self.keys) - count
        return np.asarray(is_end | (later != self.keys))


@dataclass(frozen=True)
class Lag:
    """What `column` was `steps` points of time ago, in the rows of the same `by`."""

    column: str
    steps: int = 1
    by: str | None = None
    kind: ClassVar[Kind] = "number"
    needs_past: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Demand a step back: a lag of 0 would be the row itself."""
        _demand_whole("steps", self.steps)

    @property
    def name(self) -> str:
        """The name of the column."""
        return f"{self.column} {self.steps} back" + _of(self.by)

    @property
    def reach(self) -> int:
        """How many points of the past it asks for."""
        return self.steps

    def of(self, points: Points) -> np.ndarray:
        """Return its (p,) values."""
        return points.back(self.steps)


@dataclass(frozen=True)
class Rolling:
    """A statistic of `column` over the last `window` points of time in the rows of the same `by`; missing ones skipped.

    mean, sum, min, max, std (of the population) or count.
    """

    column: str
    window: int
    statistic: Statistic = "mean"
    by: str | None = None
    kind: ClassVar[Kind] = "number"
    needs_past: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Demand a window and a known statistic."""
        _demand_whole("window", self.window)
        if self.statistic not in _STATISTICS:
            raise ValueError(f"statistic must be one of {', '.join(_STATISTICS)}, but is {self.statistic!r}")

    @property
    def name(self) -> str:
        """The name of the column."""
        return f"{self.statistic} of the last {self.window} {self.column}" + _of(self.by)

    @property
    def reach(self) -> int:
        """How many points of the past it asks for."""
        return self.window

    def of(self, points: Points) -> np.ndarray:
        """Return its (p,) values: one pass a step, so that a value depends on its window alone, to the last bit."""
        return np.asarray(_STATISTICS[self.statistic](points, self.window))


def _demand_whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1, but is {value!r}")


def _of(by: str | None) -> str:
    return "" if by is None else f" of {by}"


def _count(points: Points, window: int) -> np.ndarray:
    total = np.zeros(len(points.values))
    for step in range(1, window + 1):
        total += ~np.isnan(points.back(step))
    return total


def _sum(points: Points, window: int) -> np.ndarray:
    total = np.zeros(len(points.values))
    for step in range(1, window + 1):
        total += np.nan_to_num(points.back(step))
    return np.where(_count(points, window) > 0, total, np.nan)


def _mean(points: Points, window: int) -> np.ndarray:
    return np.asarray(_sum(points, window) / np.maximum(_count(points, window), 1))


def _std(points: Points, window: int) -> np.ndarray:
    mean, total = _mean(points, window), np.zeros(len(points.values))
    for step in range(1, window + 1):
        total += np.nan_to_num(points.back(step) - mean) ** 2
    return np.where(np.isnan(mean), np.nan, np.sqrt(total / np.maximum(_count(points, window), 1)))


def _extreme(choose: Any) -> Any:
    def of(points: Points, window: int) -> np.ndarray:
        found = points.back(1)
        for step in range(2, window + 1):
            found = choose(found, points.back(step))
        return found

    return of


_STATISTICS: dict[str, Any] = {
    "mean": _mean,
    "sum": _sum,
    "min": _extreme(np.fmin),
    "max": _extreme(np.fmax),
    "std": _std,
    "count": _count,
}


def looking_back(features: Iterable[Any]) -> list[Lag | Rolling]:
    """Return the features that need the past; the others are made row by row."""
    return [feature for feature in features if getattr(feature, "needs_past", False)]


def columns(features: Iterable[Any], time: str | None) -> list[str]:
    """Return the columns that `look_back` and `history` read, each once: whole columns, for rows in batches."""
    backward = looking_back(features)
    named = [name for feature in backward for name in (feature.by, feature.column) if name is not None]
    return list(dict.fromkeys([time, *named])) if time is not None and backward else []


def look_back(
    table: pd.DataFrame, features: Sequence[Any], time: str | None, past: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return a column for each feature that looks back, in the order and index of `table`, which has `columns`.

    Args:
        table: all rows that may be seen: train and test rows together, or the rows of a file.
        features: those that are made row by row are left out.
        time: the name of the column with the time of a row; a row without time or `by` sees nothing and is not seen.
        past: what `history` kept of the rows before.
    """
    import pandas as pd

    made: dict[str, Any] = {}
    for (by, column), wanted in _by_source(features):
        keys, times, values, known = _rows(table, str(time), by, column)
        before = _of_history(past, by, column)
        joined = [np.concatenate([old, new[known]]) for old, new in zip(before, (keys, times, values), strict=True)]
        points, place = _points(*joined)
        for feature in wanted:
            found = np.full(len(table), np.nan)
            found[known] = feature.of(points)[place[len(before[0]) :]]
            made[feature.name] = found
    names = [feature.name for feature in looking_back(features)]
    return pd.DataFrame({name: made[name] for name in names}, index=table.index)


def history(table: pd.DataFrame, features: Sequence[Any], time: str | None) -> pd.DataFrame:
    """Return the last points of each key that rows after those of `table` may ask for: by, column, key, time, value."""
    import pandas as pd

    kept = [pd.DataFrame({name: [] for name in HISTORY}).astype(_dtypes())]
    for (by, column), wanted in _by_source(features):
        keys, times, values, known = _rows(table, str(time), by, column)
        points, _ = _points(keys[known], times[known], values[known])
        last = points.last(max(feature.reach for feature in wanted))
        found = {"key": points.keys[last], "time": points.times[last], "value": points.values[last]}
        kept.append(pd.DataFrame({"by": by or "", "column": column, **found}).astype(_dtypes()))
    return pd.concat(kept, ignore_index=True)


def _dtypes() -> dict[str, str]:
    return {"by": "str", "column": "str", "key": "uint64", "time": "int64", "value": "float64"}


def _by_source(features: Iterable[Any]) -> list[tuple[tuple[str | None, str], list[Lag | Rolling]]]:
    """Return the features by what they read, (by, column), so that the points of each are made once."""

    def source(feature: Lag | Rolling) -> tuple[str, str]:
        return feature.by or "", feature.column

    grouped = groupby(sorted(looking_back(features), key=source), key=source)
    return [((by or None, column), list(wanted)) for (by, column), wanted in grouped]


def _rows(table: pd.DataFrame, time: str, by: str | None, column: str) -> tuple[np.ndarray, ...]:
    """Return keys, times, values of the rows and whether key and time are known, each (n,)."""
    known = table[time].notna().to_numpy()
    keys = np.zeros(len(table), dtype="uint64")
    if by is not None:
        keys, known = row_ids(table[[by]]), known & table[by].notna().to_numpy()
    times = table[time].to_numpy().astype("datetime64[us]").astype("int64")
    return keys, times, table[column].to_numpy(dtype="float64"), known


def _of_history(past: pd.DataFrame | None, by: str | None, column: str) -> tuple[np.ndarray, ...]:
    if past is None:
        return np.zeros(0, dtype="uint64"), np.zeros(0, dtype="int64"), np.zeros(0)
    own = past[(past["by"] == (by or "")) & (past["column"] == column)]
    return own["key"].to_numpy("uint64"), own["time"].to_numpy("int64"), own["value"].to_numpy("float64")


def _points(keys: np.ndarray, times: np.ndarray, values: np.ndarray) -> tuple[Points, np.ndarray]:
    """Return the points of (n,) rows, and the (n,) number of each row's point; the order of the rows does not count."""
    order = np.lexsort((values, times, keys))
    keys, times, values = keys[order], times[order], values[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (keys[1:] != keys[:-1]) | (times[1:] != times[:-1])
    number = np.cumsum(first) - 1
    count = np.bincount(number, weights=~np.isnan(values))
    total = np.bincount(number, weights=np.nan_to_num(values))
    place = np.empty(len(order), dtype="int64")
    place[order] = number
    return Points(keys[first], times[first], np.where(count > 0, total / np.maximum(count, 1), np.nan)), place
