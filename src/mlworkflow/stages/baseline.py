"""Climb the ladder of baselines on the training rows: train -> metrics/baseline.json, models/baselines.skops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import TableError
from mlworkflow.core.params import Sections
from mlworkflow.learning import modelfile
from mlworkflow.learning.baselines import SIMPLEST_FIRST, existing, ladder
from mlworkflow.learning.crossval import Rows, Validated, fit, relabel, rows_of, validate
from mlworkflow.measures import metrics
from mlworkflow.rows.schema import Schema
from mlworkflow.rows.split import folds

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem


def climb(
    rungs: dict[str, Any], rows: Rows, train: pd.DataFrame, problem: Problem, schema: Schema, seed: int
) -> dict[str, Validated]:
    """Return what cross-validation says of each rung, and the training rows of the existing system."""
    parts = folds(train, rows.target, problem.data, problem.split, problem.task, seed)
    demand_rows(min(len(fitted) for fitted, _ in parts), problem.clusters)
    found = {name: validate(rung, rows, parts, problem, schema.classes) for name, rung in rungs.items()}
    if problem.reference.existing and rows.target is not None:
        said, threshold = relabel(
            existing(train[problem.reference.existing], rows.target, schema), problem, schema.classes
        )
        found["existing"] = Validated(metrics.score(problem.metrics.names, said), said, threshold)
    return found


def demand_rows(fewest: int, clusters: int | None) -> None:
    """Demand that the smallest fold is fitted on more rows than there are groups. Raises TableError."""
    if clusters is not None and fewest <= clusters:
        found = [f"{clusters} groups are asked for (clusters), but a fold is fitted on {fewest} rows"]
        raise TableError("the training rows", found, "Ask for fewer groups, or collect more rows.")


def as_metrics(found: dict[str, Validated], problem: Problem) -> dict[str, dict[str, float]]:
    """Return {rung: {metric: value}}, simplest first, with the human figure where the problem gives one."""
    scores = {name: rung.metrics for name, rung in found.items()}
    if human := problem.reference.human:
        scores["human"] = {human.metric: float(human.figure)}
    return {name: scores[name] for name in SIMPLEST_FIRST if name in scores}


def main(sections: Sections) -> None:
    """Write the ladder's metrics, and each rung fitted on all training rows with its threshold."""
    problem, seed = sections.problem, sections.seed
    schema, train = Schema.from_dict(io.read_json(paths.FEATURES)), io.read_table(paths.TRAIN)
    rows, rungs = rows_of(train, schema, problem.task), ladder(problem, schema, seed)
    found = climb(rungs, rows, train, problem, schema, seed)
    io.write_json(as_metrics(found, problem), paths.BASELINE_METRICS)
    fitted = {name: fit(rung, rows) for name, rung in rungs.items()}
    thresholds = {name: rung.threshold.to_dict() for name, rung in found.items() if rung.threshold is not None}
    io.write_bytes(modelfile.dumps({"pipelines": fitted, "thresholds": thresholds}), paths.BASELINES)
