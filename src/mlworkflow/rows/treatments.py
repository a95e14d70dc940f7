"""How a model sees a column: decided once, from what the column is, and told with the reason; conf/ may override."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mlworkflow.core.errors import ConfError, nearest
from mlworkflow.rows.schema import MOST_CATEGORIES, Column, Schema

if TYPE_CHECKING:
    from mlworkflow.core.problem import Kind, Treatment

MOST_ONE_HOT = 30  # categories with a column each; more are encoded by the target
OUTLYING = (0.01, 0.99)  # numbers beyond these quantiles of the training rows are outliers
MADE = "made of other columns"
FITTING: dict[Kind, tuple[Treatment, ...]] = {
    "number": ("number", "drop"),
    "category": ("onehot", "target", "hash", "drop"),
    "text": ("text", "drop"),
    "time": ("dates", "drop"),
}


def decide(schema: Schema, overrides: Mapping[str, Treatment]) -> Schema:
    """Return the schema whose inputs, and dates, have their treatment and the reason for it.

    Raises:
        ConfError: an override names a column that is no input, or a treatment that does not fit it; all at once.
    """
    if found := mistakes(schema, overrides):
        raise ConfError(found, "Mend problem.treatments, or set data.kinds where a column is read as another kind.")
    clustering = schema.task == "clustering"
    columns = [
        _treated(column, overrides, clustering) if column.role in ("input", "time") else column
        for column in schema.columns
    ]
    return replace(schema, columns=columns)


def of_features(schema: Schema, names: Collection[str]) -> Schema:
    """Return the schema of the features table with the treatment of the columns in `names`, made by problem.features.

    A part of a date that is the same in all training rows, such as the hour of daily rows, is dropped.
    """
    made = {column.name: _treated(column, {}, False) for column in schema.columns if column.name in names}
    told = {name: one if one.treatment == "drop" else replace(one, why=MADE) for name, one in made.items()}
    return replace(schema, columns=[told.get(column.name, column) for column in schema.columns])


def mistakes(schema: Schema, overrides: Mapping[str, Treatment]) -> list[str]:
    """Return the overrides of columns that are no inputs, and those that do not fit their column."""
    known = {column.name: column for column in schema.columns if column.role in ("input", "time")}
    return [
        f"problem.treatments: {name!r} is no input{nearest(name, known)}"
        if name not in known
        else f"problem.treatments.{name}: {why}"
        for name, treatment in overrides.items()
        if name not in known or (why := misfit(known[name].kind, treatment, schema.task))
    ]


def misfit(kind: Kind, treatment: Treatment, task: str) -> str | None:
    """Return why a column of this kind cannot be treated so."""
    if treatment not in FITTING[kind]:
        return f"{treatment} does not fit a column of the kind {kind}; those that do: {', '.join(FITTING[kind])}"
    if treatment == "target" and task == "clustering":
        return "a clustering has no target to encode by; take hash"
    return None


def _treated(column: Column, overrides: Mapping[str, Treatment], clustering: bool) -> Column:
    if column.name in overrides:
        return replace(column, treatment=overrides[column.name], why="problem.treatments says so")
    treatment, why = _usual(column, clustering)
    return replace(column, treatment=treatment, why=why)


def _usual(column: Column, clustering: bool) -> tuple[Treatment, str]:
    if column.missing == 1.0:
        return "drop", "no training row has a value"
    if column.missing == 0.0 and (only := _only_value(column)) is not None:
        return "drop", f"{only} in every training row"
    if column.kind == "category":
        return _of_category(column, clustering)
    if column.kind == "text":
        return "text", "words of their own: TF-IDF"
    return ("dates", "parts and cycles of the date") if column.kind == "time" else ("number", "a number as it is")


def _only_value(column: Column) -> str | None:
    """Return the one value that all training rows have, if there is but one."""
    if column.kind == "number" and column.low is not None and column.low == column.high:
        return f"{column.low:g}"
    if column.kind == "category" and len(column.categories) == 1:
        return repr(column.categories[0])
    return None


def _of_category(column: Column, clustering: bool) -> tuple[Treatment, str]:
    distinct = len(column.categories) if column.distinct is None else column.distinct
    if distinct <= MOST_ONE_HOT:
        return "onehot", f"a column for each of {distinct} categories"
    many = f"more than {MOST_CATEGORIES}" if distinct > MOST_CATEGORIES else str(distinct)
    how = "their hash says which column" if clustering else "the mean target of each, from other rows"
    return ("hash" if clustering else "target"), f"{many} categories are too many for a column each: {how}"
