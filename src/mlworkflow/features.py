"""Columns made row by row, nothing learnt; training and serving share this code.

A feature is one line of `problem.features`: `{_target_: mlworkflow.features.Ratio, over: a, under: b}`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.errors import ConfError, nearest, reason

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.schema import Schema

Feature = Callable[["pd.DataFrame"], "dict[str, pd.Series]"]
PARTS: dict[str, Callable[[Any], Any]] = {
    "year": lambda dates: dates.dt.year,
    "month": lambda dates: dates.dt.month,
    "day": lambda dates: dates.dt.day,
    "weekday": lambda dates: dates.dt.day_of_week,
    "hour": lambda dates: dates.dt.hour,
}


@dataclass(frozen=True)
class DateParts:
    """Year, month, day, weekday (Monday is 0) and hour of a date column."""

    column: str
    parts: Sequence[str] = field(default_factory=lambda: list(PARTS))

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return `column_part` columns, missing where the date is."""
        return {f"{self.column}_{part}": PARTS[part](table[self.column]).astype("float64") for part in self.parts}


@dataclass(frozen=True)
class Ratio:
    """`over` / `under`, missing where `under` is zero."""

    over: str
    under: str

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the ratio."""
        under = table[self.under]
        return {f"{self.over} / {self.under}": table[self.over] / under.where(under != 0)}


@dataclass(frozen=True)
class Product:
    """The interaction `first` * `second`."""

    first: str
    second: str

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the product."""
        return {f"{self.first} * {self.second}": table[self.first] * table[self.second]}


@dataclass(frozen=True)
class Log:
    """log(1 + x), missing where x is -1 or less."""

    column: str

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the logarithm."""
        values = table[self.column]
        return {f"log {self.column}": np.log1p(values.where(values > -1))}


@dataclass(frozen=True)
class Bins:
    """The number of the bin between given `edges`: 0 below the first, len(edges) from the last on."""

    column: str
    edges: Sequence[float]

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the bin numbers, missing where the value is."""
        values = table[self.column]
        numbers = np.searchsorted(np.asarray(self.edges, dtype=float), values.to_numpy(), side="right")
        return {f"bin of {self.column}": values.where(values.isna(), numbers.astype("float64"))}


def build(config: Sequence[dict[str, Any]], schema: Schema) -> list[Feature]:
    """Return the features of the problem, and the parts of each date column among the inputs and of the time column.

    Raises:
        ConfError: a feature cannot be built, or names a column that the table lacks or a model may not see.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    built: list[Any] = []
    found: list[str] = []
    allowed = [*schema.names, *schema.with_role("time")]
    for line in config:
        try:
            built.append(instantiate(line))
        except InstantiationException as error:
            found.append(f"problem.features: {reason(error)}")
        named = {value for key, value in line.items() if key in ("column", "over", "under", "first", "second")}
        found += [
            f"problem.features: {name!r} is no input{nearest(name, allowed)}" for name in sorted(named - set(allowed))
        ]
    if found:
        raise ConfError(found, "Mend problem.features.")
    told = {feature.column for feature in built if isinstance(feature, DateParts)}
    dates = [column.name for column in schema.columns if column.kind == "time" and column.role in ("input", "time")]
    return [DateParts(name) for name in dates if name not in told] + built


def add_features(table: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    """Return `table` with the columns of every feature; the dates among the inputs stay, for folds by time."""
    made: dict[str, pd.Series] = {}
    for feature in features:
        made |= feature(table)
    return table.assign(**made)
