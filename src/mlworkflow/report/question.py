"""The question in words: what an outcome is worth, what a usable model keeps to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlworkflow.pages.templates import number
from mlworkflow.report.facts import arrow

if TYPE_CHECKING:
    from mlworkflow.core.problem import Problem


def values(problem: Problem) -> dict[str, Any] | None:
    """Return what each outcome is worth: a table for classes, two sentences for a number."""
    value = problem.value
    if value is None:
        return None
    outcomes = value.outcomes or {}
    predicted = list(dict.fromkeys(str(name) for row in outcomes.values() for name in row))
    rows = [(str(actual), [_by_name(row, name) for name in predicted]) for actual, row in outcomes.items()]
    return {"unit": value.unit, "predicted": predicted, "rows": rows, "over": value.over, "under": value.under}


def _by_name(row: Mapping[Any, float], name: str) -> float | None:
    return {str(label): worth for label, worth in row.items()}.get(name)


def constraints(problem: Problem) -> list[str]:
    """Return the constraints of the problem as sentences."""
    limits, told = problem.constraints, []
    if limits.largest_model_megabytes is not None:
        told.append(f"the model takes at most {number(limits.largest_model_megabytes)} MB")
    if limits.slowest_prediction_milliseconds is not None:
        told.append(f"one row is predicted within {number(limits.slowest_prediction_milliseconds)} ms")
    for metric, limit in limits.metrics.items():
        told.append(f"{metric} is {'at least' if arrow(metric) == '↑' else 'at most'} {number(limit)}")
    if limits.largest_gap_of_a_slice is not None:
        told.append(f"no slice is worse than the whole by more than {number(limits.largest_gap_of_a_slice)}")
    for part in limits.slices:
        told.append(
            f"{part.column} = {part.value} makes up at least {number(100 * part.smallest_share)}% of the test rows"
        )
    return told
