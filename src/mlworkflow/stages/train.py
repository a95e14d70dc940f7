"""Fit the pipeline on all training rows: train, best parameters -> models/model.skops, metrics/cv.json, training/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.learning import modelfile, partitions
from mlworkflow.learning.cluster import connected
from mlworkflow.learning.crossval import Fold, Rows, Validated, fit, predict, rows_of, side_by_side, some_of, validate
from mlworkflow.learning.families import assembled
from mlworkflow.learning.threshold import Threshold
from mlworkflow.measures import metrics
from mlworkflow.measures.stability import stability
from mlworkflow.rows.schema import Schema
from mlworkflow.rows.split import folds

if TYPE_CHECKING:
    import pandas as pd

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)  # of the fitting rows, for the learning curve
FEWEST = 10  # rows of a point of the learning curve
MANY = 50_000  # with more rows the learning curve rests on the first fold


def learning_curve(
    pipe: Any, rows: Rows, parts: list[Fold], metric: str, seed: int | None, fewest: int = FEWEST
) -> pd.DataFrame:
    """Return the mean metric over the folds by the number of rows fitted on: on those rows, and on the fold's others.

    Smaller sizes are rows drawn with `seed`; without one, the newest rows of a fold in the order of time. Sizes at
    which a class has no row, or that have fewer than `fewest` rows, are left out.
    """
    import pandas as pd

    used = parts if len(rows) <= MANY else parts[:1]
    jobs = [(share, (some_of(fit_rows, share, seed), check)) for share in SHARES for fit_rows, check in used]
    both = side_by_side(lambda job: _both(pipe, rows, job[1], metric, fewest), jobs)
    lines: list[dict[str, Any]] = []
    for share in SHARES:
        told = [pair for (of, _), pair in zip(jobs, both, strict=True) if of == share and pair is not None]
        if len(told) == len(used):
            count = int(np.mean([len(fit_rows) * share for fit_rows, _ in used]))
            train, check = np.mean(told, axis=0)
            lines.append({"rows": count, "train": train, "cross_validated": check})
    return pd.DataFrame(lines, columns=["rows", "train", "cross_validated"])


def _both(pipe: Any, rows: Rows, part: Fold, metric: str, fewest: int) -> tuple[float, float] | None:
    some = rows.take(part[0])
    if len(some) < fewest or _lacks_a_class(some, rows):
        return None
    fitted = fit(pipe, some)
    scored = [metrics.score([metric], predict(fitted, where))[metric] for where in (some, rows.take(part[1]))]
    return scored[0], scored[1]


def _lacks_a_class(some: Rows, rows: Rows) -> bool:
    if rows.task not in ("binary", "multiclass"):
        return False
    return len(np.unique(np.asarray(some.target))) < len(np.unique(np.asarray(rows.target)))


def out_of_fold(validated: Validated) -> pd.DataFrame:
    """Return truth, prediction and probabilities of the training rows; no row for clustering."""
    import pandas as pd

    scored = validated.scored
    if scored is None:
        return pd.DataFrame({"truth": [], "prediction": []}, dtype="float64")
    table = pd.DataFrame({"truth": scored.truth, "prediction": scored.labels})
    if scored.probabilities is not None:
        table = table.assign(**{f"probability_{code}": scored.probabilities[:, code] for code in range(scored.k)})
    return table


def _fitted_on_cluster(pipe: Any, schema: Schema, sections: Sections) -> Any:
    with connected(sections.compute) as client:
        return partitions.fit_partitions(pipe, paths.TRAIN, schema, sections.problem.task, client)


def main(sections: Sections) -> None:
    """Write the fitted pipeline, its cross-validated metrics, out-of-fold predictions, threshold and learning curve."""
    problem, seed = sections.problem, sections.seed
    schema, big = Schema.from_dict(io.read_json(paths.FEATURES)), sections.model.distributed
    train = partitions.sample(paths.TRAIN) if big else io.read_table(paths.TRAIN)
    rows = rows_of(train, schema, problem.task)
    parts = folds(train, rows.target, problem.data, problem.split, problem.task, seed)
    pipe = assembled(sections.model, schema, problem.task, io.read_yaml(paths.BEST_PARAMS), sections.augment)
    kept = Threshold.from_dict(sections.model.threshold) if sections.model.threshold else None
    validated = validate(pipe, rows, parts, problem, schema.classes, kept)
    fitted = _fitted_on_cluster(pipe, schema, sections) if big else fit(pipe, rows)
    told = dict(validated.metrics)
    if "stability" in problem.metrics.names:
        labels = predict(fitted, rows).labels
        told["stability"] = stability(pipe, rows.table, labels, seed=seed)
    drawn = None if problem.split.scheme == "time" else seed
    io.write_bytes(modelfile.dumps(fitted), paths.MODEL)
    io.write_json(told, paths.CV_METRICS)
    io.write_table(out_of_fold(validated), paths.OUT_OF_FOLD)
    decided = (
        validated.threshold.to_dict() if validated.threshold else {"threshold": None, "words": "no classes to decide"}
    )
    io.write_json(decided, paths.THRESHOLD)
    curve = learning_curve(pipe, rows, parts, problem.metrics.primary, drawn, max(FEWEST, problem.clusters or 0))
    io.write_table(curve, paths.LEARNING_CURVE)
