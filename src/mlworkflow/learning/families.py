"""One pipeline of what a search has taken: a model with its parameters, or the weighted mean of several families."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlworkflow.learning.models import pipeline

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from mlworkflow.core.params import Augment, Model
    from mlworkflow.core.problem import Task
    from mlworkflow.rows.schema import Schema


def assembled(
    model: Model, schema: Schema, task: Task, best: Mapping[str, Any], augment: Augment | None = None
) -> Pipeline:
    """Return the unfitted pipeline of tuning/best_params.yaml.

    Args:
        model: a single one, or one with families.
        schema: what the columns are.
        task: of the problem.
        best: the parameters of the single model, or {"members": [{"family", "weight", "parameters"}, ...]}.
        augment: what is added to the rows that each is fitted on.
    """
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.pipeline import Pipeline

    if not model.families:
        return pipeline(model, schema, task, dict(best), augment)
    members = best["members"]
    pipes = [pipeline(model.families[one["family"]], schema, task, one["parameters"], augment) for one in members]
    if len(pipes) == 1:
        return pipes[0]
    named = [(f"{number} {one['family']}", pipe) for number, (one, pipe) in enumerate(zip(members, pipes, strict=True))]
    weights = [one["weight"] for one in members]
    mean: Any = VotingRegressor(named, weights=weights)
    if task != "regression":
        mean = VotingClassifier(named, voting="soft", weights=weights)
    return Pipeline([("columns", "passthrough"), ("model", mean)])
