"""Columns made row by row, nothing learnt, and columns that look back; training and serving share this code.

A feature is one line of `problem.features`: `{_target_: mlworkflow.features.Ratio, over: a, under: b}`. Its class says
which kind of column it reads (`kind`), and takes and gives NumPy arrays by name, so that it needs no pandas in use.
`Lag` and `Rolling` need other rows (`needs_past`): see past.py. Lines become features in featurelines.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mlworkflow.core.errors import ConfError
from mlworkflow.rows.arrays import Arrays, Columns
from mlworkflow.rows.past import Lag, Rolling, look_back, looking_back
from mlworkflow.rows.possible import LARGEST

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Kind

__all__ = [
    "Bins", "Cycle", "DateParts", "Difference", "Elapsed", "Feature", "Lag", "Log", "Product", "Ratio", "Rolling",
    "add_features", "row_wise",
]  # fmt: skip

Feature = Callable[[Columns], Columns] | Lag | Rolling
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000  # microseconds


def _microseconds(dates: np.ndarray) -> np.ndarray:
    return dates.astype("datetime64[us]").astype("int64")


def _months(dates: np.ndarray) -> np.ndarray:
    return dates.astype("datetime64[M]").astype("int64")  # since January 1970


def _days(dates: np.ndarray) -> np.ndarray:
    return dates.astype("datetime64[D]").astype("int64")


def _day_of_month(dates: np.ndarray) -> np.ndarray:
    return np.asarray(_days(dates) - _days(dates.astype("datetime64[M]")) + 1)


def _weekday(dates: np.ndarray) -> np.ndarray:
    return np.asarray((_days(dates) + 3) % 7)  # the first day of 1970 was a Thursday


PARTS: dict[str, Callable[[np.ndarray], Any]] = {
    "year": lambda dates: _months(dates) // 12 + 1970,
    "month": lambda dates: _months(dates) % 12 + 1,
    "day": _day_of_month,
    "weekday": _weekday,
    "hour": lambda dates: _microseconds(dates) % DAY // HOUR,
}
CYCLES: dict[str, Callable[[np.ndarray], Any]] = {  # how far round, from 0 to 1
    "month": lambda dates: _months(dates) % 12 / 12,
    "weekday": lambda dates: _weekday(dates) / 7,
    "hour": lambda dates: _microseconds(dates) % DAY // MINUTE / 1440,
}


@dataclass(frozen=True)
class _OfDate:
    """Some parts of a date column, each a function of the dates; all that are `known`, where none is named."""

    column: str
    parts: Sequence[str] | None = None
    kind: ClassVar[Kind] = "time"
    known: ClassVar[Mapping[str, Callable[[np.ndarray], Any]]]

    def __post_init__(self) -> None:
        """Demand a list of parts that there are."""
        known = ", ".join(self.known)
        if self.parts is not None and not is_list(self.parts):
            raise ValueError(f"parts must be a list of {known}, but is {self.parts!r}")
        if unknown := [str(part) for part in self.parts or () if part not in self.known]:
            raise ValueError(f"parts must be of {known}, but {', '.join(unknown)} is not")

    def values(self, columns: Columns) -> dict[str, np.ndarray]:
        """Return {part: its (n,) float64}, missing where the date is."""
        wanted = self.known if self.parts is None else self.parts
        dates = np.asarray(columns[self.column])
        return {part: np.where(np.isnat(dates), np.nan, self.known[part](dates)) for part in wanted}


class DateParts(_OfDate):
    """Year, month, day, weekday (Monday is 0) and hour of a date column."""

    known = PARTS

    def __call__(self, columns: Columns) -> Columns:
        """Return `column_part` columns."""
        return {f"{self.column}_{part}": values for part, values in self.values(columns).items()}


class Cycle(_OfDate):
    """Sine and cosine of month, weekday and time of day, so that December is beside January and 23:59 beside 0:00."""

    known = CYCLES

    def __call__(self, columns: Columns) -> Columns:
        """Return `column_part_sin` and `column_part_cos`."""
        return {
            f"{self.column}_{part}_{name}": function(2 * np.pi * share).round(12)  # last bits differ between machines
            for part, share in self.values(columns).items()
            for name, function in (("sin", np.sin), ("cos", np.cos))
        }


@dataclass(frozen=True)
class Elapsed:
    """Days from a given date (`since`, ISO 8601) or from another date column (`after`) to the date in `column`."""

    column: str
    after: str | None = None
    since: str | None = None
    kind: ClassVar[Kind] = "time"

    def __post_init__(self) -> None:
        """Demand one beginning, and a date that there is."""
        if (self.after is None) == (self.since is None):
            raise ValueError("one of after (a column) and since (a date) must be told")
        if self.since is not None:
            np.datetime64(self.since, "us")

    def __call__(self, columns: Columns) -> Columns:
        """Return the days as a decimal number, missing where a date is; below zero where the beginning is later."""
        start = np.datetime64(str(self.since), "us") if self.after is None else columns[self.after]
        days = (columns[self.column] - start).astype("timedelta64[us]")
        microseconds = np.where(np.isnat(days), np.nan, days.astype("int64"))
        return {f"days from {self.after or self.since} to {self.column}": microseconds / DAY}


@dataclass(frozen=True)
class Ratio:
    """`over` / `under`, missing where `under` is zero."""

    over: str
    under: str
    kind: ClassVar[Kind] = "number"

    def __call__(self, columns: Columns) -> Columns:
        """Return the ratio."""
        under = columns[self.under]
        return {f"{self.over} / {self.under}": columns[self.over] / np.where(under == 0, np.nan, under)}


@dataclass(frozen=True)
class Product:
    """The interaction `first` * `second`."""

    first: str
    second: str
    kind: ClassVar[Kind] = "number"

    def __call__(self, columns: Columns) -> Columns:
        """Return the product."""
        return {f"{self.first} * {self.second}": columns[self.first] * columns[self.second]}


@dataclass(frozen=True)
class Difference:
    """`first` - `second`."""

    first: str
    second: str
    kind: ClassVar[Kind] = "number"

    def __call__(self, columns: Columns) -> Columns:
        """Return the difference."""
        return {f"{self.first} - {self.second}": columns[self.first] - columns[self.second]}


@dataclass(frozen=True)
class Log:
    """log(1 + x), missing where x is -1 or less."""

    column: str
    kind: ClassVar[Kind] = "number"

    def __call__(self, columns: Columns) -> Columns:
        """Return the logarithm."""
        values = columns[self.column]
        return {f"log {self.column}": np.log1p(np.where(values > -1, values, np.nan))}


@dataclass(frozen=True)
class Bins:
    """The number of the bin between given `edges`: 0 below the first, len(edges) from the last on."""

    column: str
    edges: Sequence[float]
    kind: ClassVar[Kind] = "number"

    def __post_init__(self) -> None:
        """Demand numbers that rise: a search in others finds no place."""
        numbers = is_list(self.edges) and all(isinstance(edge, int | float) for edge in self.edges)
        if not (numbers and self.edges and np.isfinite(self.edges).all()):
            raise ValueError(f"edges must be a list of numbers, but are {self.edges!r}")
        if any(first >= second for first, second in pairwise(self.edges)):
            raise ValueError(f"edges must rise, but are {list(self.edges)!r}")

    def __call__(self, columns: Columns) -> Columns:
        """Return the bin numbers, missing where the value is."""
        values = columns[self.column]
        numbers = np.searchsorted(np.asarray(self.edges, dtype=float), values, side="right")
        return {f"bin of {self.column}": np.where(np.isnan(values), np.nan, numbers)}


def is_list(value: object) -> bool:
    """Return whether it is a list; a word is none, though its letters could be gone through."""
    return isinstance(value, Sequence) and not isinstance(value, str)


CLASSES: dict[str, Any] = {
    f"mlworkflow.features.{made.__name__}": made
    for made in (Bins, Cycle, DateParts, Difference, Elapsed, Log, Product, Ratio, Lag, Rolling)
}


def add_features(
    table: pd.DataFrame, features: Sequence[Feature], time: str | None = None, past: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return `table` with the columns of every feature; the dates among the inputs stay, for folds by time.

    Features that look back see the earlier rows of `table` and of the history `past`, in the order of `time`.

    Raises:
        ConfError: a feature has the name of a column.
    """
    made: dict[str, Any] = dict(row_wise(Arrays(table), features))
    if looking_back(features):
        made |= {str(name): values for name, values in look_back(table, features, time, past).items()}
    if twice := sorted(set(made) & set(table.columns)):
        found = [f"problem.features: {name!r} is the name of a column already" for name in twice]
        raise ConfError(found, "Leave the feature out, or rename the column in the source.")
    return table.assign(**made)


def row_wise(columns: Columns, features: Sequence[Feature]) -> dict[str, np.ndarray]:
    """Return the (n,) float64 of every feature that needs no other row; what is beyond LARGEST is missing.

    columns: (n,) float64 numbers, datetime64[us] dates, objects with None for words, by name.
    """
    made: dict[str, np.ndarray] = {}
    with np.errstate(all="ignore"):  # a product may be too large: it is missing then
        for feature in features:
            if not isinstance(feature, Lag | Rolling):
                made |= feature(columns)
        return {name: np.where(np.abs(values) > LARGEST, np.nan, values) for name, values in made.items()}
