"""Features from the lines of `problem.features`: what is wrong with a line, the objects that lines make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from mlworkflow import features
from mlworkflow.core.errors import ConfError, nearest, reason
from mlworkflow.features import CLASSES, CYCLES, PARTS, Cycle, DateParts, Feature, Lag, Rolling
from mlworkflow.rows.past import looking_back

if TYPE_CHECKING:
    from mlworkflow.rows.schema import Column, Schema

OWN = re.compile(r"mlworkflow\.features\.[A-Z]\w*")
SOURCES = ("column", "over", "under", "first", "second", "after")  # arguments that name a column to read
BACKWARD = (Lag, Rolling)


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
    """Demand that every feature of a bundle is a class of features.py: loading one builds nothing else.

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
    """Return the feature of a line; its class is one of features.py, as the configuration's own check demands."""
    name = str(line["_target_"]).rpartition(".")[2]
    if not hasattr(features, name):
        raise ValueError(f"there is no {line['_target_']}{nearest(name, features.__all__)}")
    return getattr(features, name)(**{key: value for key, value in line.items() if key != "_target_"})


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
