"""Can the question be asked? What the types of Problem cannot say, in sentences that begin with the key."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

from mlworkflow.config.columns import column_mistakes
from mlworkflow.core.errors import nearest
from mlworkflow.core.problem import Problem, Value
from mlworkflow.measures.metrics import METRICS, metrics_for
from mlworkflow.sources import file_mistakes

_ROLES = ("data.key", "data.group", "data.time", "split.column")
_NOT_BESIDE = {"data.target": (*_ROLES, "data.hidden", "reference.best"), "reference.best": _ROLES}
LOOKING_BACK = ("mlworkflow.features.Lag", "mlworkflow.features.Rolling")


def problem_mistakes(problem: Problem) -> list[str]:
    """Return all that is wrong with a well-typed problem."""
    return [
        *_metric_mistakes(problem),
        *_role_mistakes(problem),
        *_shared_mistakes(problem),
        *column_mistakes(problem),
        *_past_mistakes(problem),
        *(_value_mistakes(problem, problem.value) if problem.value else []),
        *_source_mistakes(problem.source.config()),
        *_snapshot_mistakes(problem.snapshot),
    ]


def _metric_mistakes(problem: Problem) -> list[str]:
    """Return the metrics that are unknown or do not fit the task."""
    human, fitting, measured = problem.reference.human, metrics_for(problem.task), problem.metrics.names
    named = {
        "metrics.primary": [problem.metrics.primary],
        "metrics.also": problem.metrics.also,
        "constraints.metrics": [*problem.constraints.metrics],
        "reference.human.metric": [human.metric] if human else [],
    }
    return (
        [
            f"{key}: {name} does not fit the task {problem.task}; those that do: {', '.join(fitting)}"
            if name in METRICS
            else f"{key}: {name!r} is no metric{nearest(name, fitting)}"
            for key, metrics in named.items()
            for name in metrics
            if name not in fitting
        ]
        + [
            f"{key}: {name} is not measured, so nothing can be held against it; put it into metrics.also"
            for key in ("constraints.metrics", "reference.human.metric")
            for name in named[key]
            if name in fitting and name not in measured
        ]
        + (
            ["metrics.primary: stability has no value for a model alone, so it cannot decide; put it into metrics.also"]
            if problem.metrics.primary == "stability"
            else []
        )
    )


def _role_mistakes(problem: Problem) -> list[str]:
    """Return the roles and numbers that the task needs and lacks, or has and cannot use."""
    data, task, clusters = problem.data, problem.task, problem.clusters
    clustering, binary = task == "clustering", task == "binary"
    rules = {
        "data.target must be null: a clustering has no target; hide the column instead": clustering and data.target,
        f"data.target is missing: the task {task} predicts a column": not clustering and not data.target,
        "clusters is missing: say how many groups are asked for": clustering and clusters is None,
        "clusters must be 2 or more": clustering and clusters is not None and clusters < 2,
        f"clusters is for the task clustering, not for {task}": not clustering and clusters is not None,
        "data.positive is missing: say which class is looked for": binary and data.positive is None,
        f"data.positive is for the task binary, not for {task}": not binary and data.positive is not None,
        f"reference.best is for the tasks binary and regression, not for {task}": problem.reference.best
        and task not in ("binary", "regression"),
        "data.time is missing: split.scheme time needs a column": problem.split.scheme == "time" and not data.time,
    }
    return [rule for rule, broken in rules.items() if broken]


def _shared_mistakes(problem: Problem) -> list[str]:
    """Return the other roles that target and truth have, and the ranges whose low end is above their high end."""
    return [
        f"{key} {column!r} cannot be in {other} too"
        for key, others in _NOT_BESIDE.items()
        if (column := attrgetter(key)(problem))
        for other in others
        if column == (named := attrgetter(other)(problem)) or (isinstance(named, list) and column in named)
    ] + [
        f"data.ranges: {column!r} must go from low to high, but goes from {low} to {high}"
        for column, (low, high) in problem.data.ranges.items()
        if low is not None and high is not None and low > high
    ]


def _past_mistakes(problem: Problem) -> list[str]:
    """Return the features that look back where the split would let a training row see a test row, or cannot order rows.

    Rows are safe when all test rows are later, or when all rows of what a feature goes by are on one side.
    """
    found, data, split = [], problem.data, problem.split
    whole = data.group or (data.key[0] if len(data.key) == 1 else None)
    for number, feature in enumerate(problem.features):
        if feature.target not in LOOKING_BACK:
            continue
        by, name = feature.config().get("by"), feature.target.rpartition(".")[2]
        if not data.time:
            found.append(f"features.{number}: {name} needs data.time to know what was before")
        elif split.scheme != "time" and not (split.scheme == "hash" and by is not None and by == whole):
            found.append(
                f"features.{number}: {name} looks at other rows, so no training row may be later than a test row that "
                f"it could see, but split.scheme is {split.scheme}; set it to time, or go by data.group"
            )
    return found


def _value_mistakes(problem: Problem, value: Value) -> list[str]:
    """Return values that no outcome of the task can have."""
    per_unit = [key for key in ("over", "under") if getattr(value, key) is not None]
    if problem.task == "clustering":
        return ["value: a clustering has no outcomes that are right or wrong, so none has a value"]
    if problem.task == "regression":
        if value.outcomes:
            return ["value.outcomes is for classes; a regression has value.over and value.under"]
        return [] if per_unit else ["value: over or under is missing"]
    if per_unit:
        return [f"value.{key} is for the task regression; {problem.task} has value.outcomes" for key in per_unit]
    return _outcome_mistakes(problem, value)


def _outcome_mistakes(problem: Problem, value: Value) -> list[str]:
    """Return values for classes that do not exist: which there are is said by the actual ones."""
    outcomes, positive = value.outcomes, problem.data.positive
    if not outcomes:
        return ["value.outcomes is missing"]
    classes = [str(label) for label in outcomes]
    found = [
        f"value.outcomes.{actual}: {predicted!r} is no class{nearest(str(predicted), classes)}"
        for actual, row in outcomes.items()
        for predicted in row
        if predicted not in outcomes
    ]
    if problem.task == "binary" and len(outcomes) != 2:
        found.append(f"value.outcomes must have two classes, but has {len(outcomes)}")
    if positive is not None and positive not in outcomes:
        found.append(f"value.outcomes lacks the positive class {positive!r}{nearest(str(positive), classes)}")
    return found


def _source_mistakes(source: dict[str, Any]) -> list[str]:
    """Return what is wrong with the arguments of a file; `${...}` may be anything."""
    if source["_target_"] != "mlworkflow.sources.file":
        return []
    arguments = {name: value for name, value in source.items() if name != "_target_" and "${" not in str(value)}
    return [f"source.{told}" for told in file_mistakes(**arguments)]


def _snapshot_mistakes(snapshot: str) -> list[str]:
    """Return what is wrong with the path of the snapshot."""
    path = Path(snapshot)
    if path.is_absolute() or ".." in path.parts:
        return [f"snapshot must be a path inside the repository, but is {snapshot!r}"]
    return [] if path.exists() else [f"snapshot: the file {snapshot} is not there"]
