"""How a model sees a column: decided once, from what the column is, and told with the reason; conf/ may override."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mlworkflow.schema import Column, Schema

if TYPE_CHECKING:
    from mlworkflow.problem import Treatment

MOST_ONE_HOT = 30  # categories with a column each; more are encoded by the target


def decide(schema: Schema, overrides: Mapping[str, Treatment]) -> Schema:
    """Return the schema whose input columns have their treatment and the reason for it."""
    clustering = schema.task == "clustering"
    columns = [
        _treated(column, overrides, clustering) if column.role == "input" else column for column in schema.columns
    ]
    return replace(schema, columns=columns)


def _treated(column: Column, overrides: Mapping[str, Treatment], clustering: bool) -> Column:
    if column.name in overrides:
        return replace(column, treatment=overrides[column.name], why="problem.treatments says so")
    treatment, why = _usual(column, clustering)
    return replace(column, treatment=treatment, why=why)


def _usual(column: Column, clustering: bool) -> tuple[Treatment, str]:
    if column.kind == "category":
        distinct = len(column.categories) if column.distinct is None else column.distinct
        if distinct <= MOST_ONE_HOT:
            return "onehot", f"a column for each of {distinct} categories"
        return ("hash" if clustering else "target"), f"{distinct} categories are too many for a column each"
    if column.kind == "text":
        return "text", "words of their own"
    return ("dates", "parts of the date") if column.kind == "time" else ("number", "a number as it is")
