"""Columns made row by row, nothing learnt, and columns that look back; training and serving share this code.

A feature is one line of `problem.features`: `{_target_: mlworkflow.features.Ratio, over: a, under: b}`. Its class says
which kind of column it reads (`kind`). `Lag` and `Rolling` need other rows (`needs_past`): see past.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mlworkflow.core.errors import ConfError, nearest, reason
from mlworkflow.rows.past import Lag, Rolling, look_back, looking_back

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Kind
    from mlworkflow.rows.schema import Column, Schema

__all__ = [
    "Bins", "Cycle", "DateParts", "Difference", "Elapsed", "Feature", "Lag", "Log", "Product", "Ratio", "Rolling",
    "add_features", "build",
]  # fmt: skip

Feature = Callable[["pd.DataFrame"], "dict[str, pd.Series]"] | Lag | Rolling
SOURCES = ("column", "over", "under", "first", "second", "after")  # arguments that name a column to read
DAY = 86_400_000_000  # microseconds
PARTS: dict[str, Callable[[Any], Any]] = {
    "year": lambda dates: dates.dt.year,
    "month": lambda dates: dates.dt.month,
    "day": lambda dates: dates.dt.day,
    "weekday": lambda dates: dates.dt.day_of_week,
    "hour": lambda dates: dates.dt.hour,
}
CYCLES: dict[str, Callable[[Any], Any]] = {  # how far round, from 0 to 1
    "month": lambda dates: (dates.dt.month - 1) / 12,
    "weekday": lambda dates: dates.dt.day_of_week / 7,
    "hour": lambda dates: (dates.dt.hour * 60 + dates.dt.minute) / 1440,
}


@dataclass(frozen=True)
class _OfDate:
    """Some parts of a date column, each a function of the dates; all that are `known`, where none is named."""

    column: str
    parts: Sequence[str] | None = None
    kind: ClassVar[Kind] = "time"
    known: ClassVar[Mapping[str, Callable[[Any], Any]]]

    def __post_init__(self) -> None:
        """Demand a list of parts that there are."""
        known = ", ".join(self.known)
        if self.parts is not None and not is_list(self.parts):
            raise ValueError(f"parts must be a list of {known}, but is {self.parts!r}")
        if unknown := [str(part) for part in self.parts or () if part not in self.known]:
            raise ValueError(f"parts must be of {known}, but {', '.join(unknown)} is not")

    def values(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return {part: its (n,) float64}, missing where the date is."""
        wanted = self.known if self.parts is None else self.parts
        return {part: self.known[part](table[self.column]).astype("float64") for part in wanted}


class DateParts(_OfDate):
    """Year, month, day, weekday (Monday is 0) and hour of a date column."""

    known = PARTS

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return `column_part` columns."""
        return {f"{self.column}_{part}": values for part, values in self.values(table).items()}


class Cycle(_OfDate):
    """Sine and cosine of month, weekday and time of day, so that December is beside January and 23:59 beside 0:00."""

    known = CYCLES

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return `column_part_sin` and `column_part_cos`."""
        return {
            f"{self.column}_{part}_{name}": function(2 * np.pi * share).round(12)  # last bits differ between machines
            for part, share in self.values(table).items()
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

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the days as a decimal number, missing where a date is; below zero where the beginning is later."""
        start: Any = np.datetime64(str(self.since), "us") if self.after is None else table[self.after]
        days = (table[self.column] - start).astype("timedelta64[us]")
        microseconds = days.astype("int64").where(days.notna())
        return {f"days from {self.after or self.since} to {self.column}": microseconds / DAY}


@dataclass(frozen=True)
class Ratio:
    """`over` / `under`, missing where `under` is zero."""

    over: str
    under: str
    kind: ClassVar[Kind] = "number"

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the ratio."""
        under = table[self.under]
        return {f"{self.over} / {self.under}": table[self.over] / under.where(under != 0)}


@dataclass(frozen=True)
class Product:
    """The interaction `first` * `second`."""

    first: str
    second: str
    kind: ClassVar[Kind] = "number"

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the product."""
        return {f"{self.first} * {self.second}": table[self.first] * table[self.second]}


@dataclass(frozen=True)
class Difference:
    """`first` - `second`."""

    first: str
    second: str
    kind: ClassVar[Kind] = "number"

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the difference."""
        return {f"{self.first} - {self.second}": table[self.first] - table[self.second]}


@dataclass(frozen=True)
class Log:
    """log(1 + x), missing where x is -1 or less."""

    column: str
    kind: ClassVar[Kind] = "number"

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the logarithm."""
        values = table[self.column]
        return {f"log {self.column}": np.log1p(values.where(values > -1))}


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

    def __call__(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the bin numbers, missing where the value is."""
        values = table[self.column]
        numbers = np.searchsorted(np.asarray(self.edges, dtype=float), values.to_numpy(), side="right")
        return {f"bin of {self.column}": values.where(values.isna(), numbers.astype("float64"))}


def is_list(value: object) -> bool:
    """Return whether it is a list; a word is none, though its letters could be gone through."""
    return isinstance(value, Sequence) and not isinstance(value, str)


BACKWARD = (Lag, Rolling)
CLASSES: dict[str, Any] = {
    f"mlworkflow.features.{made.__name__}": made
    for made in (Bins, Cycle, DateParts, Difference, Elapsed, Log, Product, Ratio, *BACKWARD)
}


def config_mistakes(config: Mapping[str, Any]) -> list[str]:
    """Return why a feature cannot be built from its line, whatever the table; unknown arguments are told elsewhere."""
    made = CLASSES[config["_target_"]]
    given = {name: value for name, value in config.items() if name != "_target_"}
    if hydras := [name for name in given if name.startswith("_")]:
        return [f"{made.__name__} takes no {name}" for name in hydras]
    if any("${" in str(value) for value in given.values()) or set(given) - {part.name for part in fields(made)}:
        return []
    needed = [part.name for part in fields(made) if part.default is MISSING and part.default_factory is MISSING]
    if lacking := [name for name in needed if name not in given]:
        return [f"{made.__name__} needs {' and '.join(lacking)}"]
    columns = [name for name in (*SOURCES, "by") if name in given and (name in needed or given[name] is not None)]
    if odd := [name for name in columns if not isinstance(given[name], str)]:
        return [f"{made.__name__}.{name} must be the name of a column, but is {given[name]!r}" for name in odd]
    try:
        made(**given)
    except (TypeError, ValueError) as error:
        return [f"{made.__name__}: {reason(error)}"]
    return []


def build(config: Sequence[dict[str, Any]], schema: Schema) -> list[Feature]:
    """Return the features of the problem, and parts and cycles of each date among the inputs and of the time column.

    A date for which the problem itself names parts or cycles has those alone; a dropped one has none.

    Raises:
        ConfError: a feature cannot be built, or names a column that the table lacks, of another kind than it reads, or
            that a model may not see.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    built: list[Any] = []
    found: list[str] = []
    for line in config:
        try:
            built.append(instantiate(line))
        except InstantiationException as error:
            found.append(f"problem.features: {reason(error)}")
            continue
        found += [f"problem.features: {wrong}" for wrong in _wrong_columns(built[-1], line, schema)]
    if found:
        raise ConfError(found, "Mend problem.features.")
    told = {feature.column for feature in built if isinstance(feature, DateParts | Cycle)}
    dates = [
        column.name
        for column in schema.columns
        if column.kind == "time" and column.role in ("input", "time") and column.treatment != "drop"
    ]
    return [made for name in dates if name not in told for made in _of_date(name, schema)] + built


def _of_date(name: str, schema: Schema) -> list[Feature]:
    """Return the parts and cycles of a date, without those whose names columns of the table have."""
    taken = {column.name for column in schema.columns}
    parts = [part for part in PARTS if f"{name}_{part}" not in taken]
    cycles = [part for part in CYCLES if not {f"{name}_{part}_sin", f"{name}_{part}_cos"} & taken]
    return [DateParts(name, parts), Cycle(name, cycles)]


def _wrong_columns(feature: Any, line: Mapping[str, Any], schema: Schema) -> list[str]:
    """Return what is wrong with the columns that a line names; one that looks back may read the target too."""
    back = bool(looking_back([feature]))
    roles = ("input", "time", "target") if back else ("input", "time")
    allowed = {column.name: column for column in schema.columns if column.role in roles}
    named = [str(value) for key, value in line.items() if key in SOURCES and value is not None]
    return [
        *(f"{name!r} is no input{nearest(name, allowed)}" for name in named if name not in allowed),
        *(wrong for name in named if name in allowed and (wrong := _wrong_kind(allowed[name], feature, schema))),
        *(_wrong_past(feature, schema) if back else []),
    ]


def _wrong_kind(column: Column, feature: Any, schema: Schema) -> str | None:
    """Return why the feature cannot read the column: it is of another kind."""
    if column.role == "target":
        many = len(schema.classes) > 2
        return f"the classes of {column.name!r} are no numbers, so they have no lag" if many else None
    wanted = getattr(feature, "kind", column.kind)
    told = f"{column.name!r} is a {column.kind}, but {type(feature).__name__} reads a {wanted}"
    return told if column.kind != wanted else None


def _wrong_past(feature: Lag | Rolling, schema: Schema) -> list[str]:
    """Return what a feature needs to look back and has not: a time, and the column that it goes by."""
    names = [column.name for column in schema.columns if column.role in ("input", "key", "group")]
    found = [] if schema.with_role("time") else [f"{type(feature).__name__} needs data.time to know what was before"]
    if feature.by is not None and feature.by not in names:
        found.append(f"{feature.by!r} is no column to go by{nearest(feature.by, names)}")
    return found


def add_features(
    table: pd.DataFrame, features: Sequence[Feature], time: str | None = None, past: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return `table` with the columns of every feature; the dates among the inputs stay, for folds by time.

    Features that look back see the earlier rows of `table` and of the history `past`, in the order of `time`.

    Raises:
        ConfError: a feature has the name of a column.
    """
    made: dict[str, pd.Series] = {}
    for feature in features:
        if not isinstance(feature, Lag | Rolling):
            made |= feature(table)
    if looking_back(features):
        made |= {str(name): values for name, values in look_back(table, features, time, past).items()}
    if twice := sorted(set(made) & set(table.columns)):
        found = [f"problem.features: {name!r} is the name of a column already" for name in twice]
        raise ConfError(found, "Leave the feature out, or rename the column in the source.")
    return table.assign(**made)
