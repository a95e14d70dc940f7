"""Columns made row by row, nothing learnt, and columns that look back; training and serving share this code.

A feature is one line of `problem.features`: `{_target_: mlworkflow.features.Ratio, over: a, under: b}`. Its class says
which kind of column it reads (`kind`), and takes and gives NumPy arrays by name, so that it needs no pandas in use.
`Lag` and `Rolling` need other rows (`needs_past`): see past.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mlworkflow.core.errors import ConfError, nearest, reason
from mlworkflow.rows.arrays import Arrays, Columns
from mlworkflow.rows.past import Lag, Rolling, look_back, looking_back
from mlworkflow.rows.possible import LARGEST

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Kind
    from mlworkflow.rows.schema import Column, Schema

__all__ = [
    "Bins", "Cycle", "DateParts", "Difference", "Elapsed", "Feature", "Lag", "Log", "Product", "Ratio", "Rolling",
    "add_features", "build", "demand_own", "row_wise",
]  # fmt: skip

Feature = Callable[[Columns], Columns] | Lag | Rolling
OWN = re.compile(r"mlworkflow\.features\.[A-Z]\w*")
SOURCES = ("column", "over", "under", "first", "second", "after")  # arguments that name a column to read
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


def demand_own(config: Sequence[Mapping[str, Any]]) -> None:
    """Demand that every feature of a bundle is a class of this module: loading one builds nothing else.

    Raises:
        ConfError: a feature names other code, which a bundle may not bring along.
    """
    found = [
        f"problem.features: {target} is no class of mlworkflow.features"
        for target in _targets(list(config))
        if not OWN.fullmatch(target)
    ]
    if found:
        raise ConfError(found, "Put the feature into src/mlworkflow/features.py, so that serving can use it.")


def _targets(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [str(value["_target_"])] if "_target_" in value else []
        return own + [target for item in value.values() for target in _targets(item)]
    if isinstance(value, list | tuple):
        return [target for item in value for target in _targets(item)]
    return []


def build(config: Sequence[dict[str, Any]], schema: Schema) -> list[Feature]:
    """Return the features of the problem, and parts and cycles of each date among the inputs and of the time column.

    A date for which the problem itself names parts or cycles has those alone; a dropped one has none.

    Raises:
        ConfError: a feature cannot be built, or names a column that the table lacks, of another kind than it reads, or
            that a model may not see.
    """
    built: list[Any] = []
    found: list[str] = []
    for line in config:
        try:
            built.append(_made(line))
        except (TypeError, ValueError) as error:
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


def _made(line: Mapping[str, Any]) -> Any:
    """Return the feature of a line; its class is one of this module, as the configuration's own check demands."""
    name = str(line["_target_"]).rpartition(".")[2]
    if name not in globals():
        raise ValueError(f"there is no {line['_target_']}{nearest(name, __all__)}")
    return globals()[name](**{key: value for key, value in line.items() if key != "_target_"})


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
