"""What the model promises: what it did on the test rows, kept in the bundle so that monitoring can hold it to that.

The predictions that `evaluate` made are read; nothing is scored anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.judging import calibration as curves
from mlworkflow.judging.predicted import class_names, inputs_of, scored_of
from mlworkflow.measures import expected, worth
from mlworkflow.measures.bootstrap import NORMAL
from mlworkflow.measures.losses import followed_of, loss_of
from mlworkflow.measures.metrics import METRICS, Scored
from mlworkflow.measures.recalibration import fitted, said_and_true

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from mlworkflow.core.problem import Problem, Value
    from mlworkflow.rows.schema import Schema

CANDIDATES = 201  # quantiles of the truth among which the best constant number is looked for


def promise(table: pd.DataFrame, problem: Problem, schema: Schema, intervals: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of promise.json.

    Args:
        table: evaluation/predictions.parquet.
        problem: the question.
        schema: of the raw rows.
        intervals: evaluation/intervals.json.

    - rows, task, classes (as they are written), counts (test rows of each class), shares {class: share of the rows}
    - primary, least_gain, greater_is_better, metrics {name: {value, low, high, error}}; error is a standard error, of
      the wider side of the interval
    - loss {name, cap, mean, std} and concept {name, ..., mean, std, unit}, in which concept drift is looked for: see
      measures/losses.py
    - calibration (classes): intercept and slope of a recalibration (measures/recalibration.py), gap (mean probability
      minus rate, of what was said), ece, classes {name: {gap, std}} with the spread of probability minus outcome
    - estimated (classes): what confidence-based estimation says of the same rows
    - worth {unit, outcomes | over, under, per_row, constant, constant_per_row, std}: of the model, of the best constant
      decision on these rows, and the spread of what a row wins by the one over the other
    - limits {milliseconds}

    A clustering promises its rows alone.
    """
    limits = {"milliseconds": problem.constraints.slowest_prediction_milliseconds}
    if schema.task == "clustering" or not len(table):
        return {"rows": len(table), "task": schema.task, "limits": limits}
    scored = scored_of(table, schema.task, inputs_of(schema))
    classes = class_names(table) if schema.classes else []
    told = {
        "rows": len(table),
        "task": schema.task,
        "classes": classes,
        "counts": np.bincount(scored.truth, minlength=len(classes)).tolist() if classes else [],
        "shares": _shares(scored, classes),
        "primary": problem.metrics.primary,
        "least_gain": problem.metrics.least_gain,
        "greater_is_better": METRICS[problem.metrics.primary].greater_is_better,
        "metrics": {name: _with_error(ends, intervals["level"]) for name, ends in intervals["metrics"].items()},
        "loss": loss_of(scored),
        "limits": limits,
    }
    if not classes or scored.probabilities is None:
        told["concept"] = followed_of(scored, {})
    else:
        told["calibration"] = _calibration(scored, classes)
        told["concept"] = followed_of(scored, told["calibration"])
        told["estimated"] = expected.expected(expected.sketch(scored), expected.ESTIMATED, told["calibration"])
    return told if problem.value is None else {**told, "worth": _worth(scored, problem.value, classes)}


def _shares(scored: Scored, classes: Sequence[str]) -> dict[str, float]:
    return {name: float((scored.truth == code).mean()) for code, name in enumerate(classes)}


def _with_error(ends: Mapping[str, float | None], level: float) -> dict[str, float | None]:
    """Return value, low and high with the standard error that the wider side stands for."""
    value, low, high = ends["value"], ends["low"], ends["high"]
    if value is None or low is None or high is None:
        return {"value": value, "low": low, "high": high, "error": None}
    wider = max(high - value, value - low)
    return {"value": value, "low": low, "high": high, "error": wider / NORMAL.inv_cdf((1 + level) / 2)}


def _calibration(scored: Scored, classes: Sequence[str]) -> dict[str, Any]:
    said, true = said_and_true(scored)
    intercept, slope = fitted(said, true)
    probabilities = np.asarray(scored.probabilities, dtype=float)
    off = probabilities - (scored.truth[:, None] == np.arange(len(classes)))
    return {
        "intercept": intercept,
        "slope": slope,
        "gap": float(said.mean() - true.mean()),
        "ece": curves.error(curves.curve(scored)),
        "classes": {
            name: {"gap": float(each.mean()), "std": float(each.std())}
            for name, each in zip(classes, off.T, strict=True)
        },
    }


def _worth(scored: Scored, value: Value, classes: Sequence[str]) -> dict[str, Any]:
    won = worth.per_row(scored, value, classes)
    constant = best_constant(scored, value, classes)
    alone = worth.per_row(always(scored, constant), value, classes)
    return {
        **value.model_dump(mode="json"),
        "per_row": float(won.mean()),
        "constant": classes[int(constant)] if classes else constant,
        "constant_per_row": float(alone.mean()),
        "std": float((won - alone).std()),
    }


def best_constant(scored: Scored, value: Value, classes: Sequence[str]) -> float:
    """Return the class (its code) or the number that is worth most when said of every row."""
    low_to_high = np.quantile(scored.truth, np.linspace(0, 1, CANDIDATES), method="inverted_cdf")
    said: Sequence[float] | NDArray[Any] = range(len(classes)) if classes else np.unique(low_to_high)
    return float(max(said, key=lambda one: float(worth.per_row(always(scored, one), value, classes).sum())))


def always(scored: Scored, constant: float) -> Scored:
    """Return the rows with the same label said of each."""
    return Scored(scored.truth, np.full(len(scored), constant, dtype=scored.labels.dtype), classes=scored.classes)
