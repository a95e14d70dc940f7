"""How well a classifier likely does where no outcome is known yet, from what it says of itself (CBPE).

The method and its source are in measures/expected.py. The probabilities of two classes are mended first by the
recalibration of the promise; those of more classes are taken as they are. What is estimated of a window is compared
with what the same estimation says of the test rows, not with what was measured there, so that a flaw of the method
is in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures import expected
from mlworkflow.measures.expected import Confidence
from mlworkflow.measures.metrics import METRICS, gain
from mlworkflow.measures.recalibration import mended
from mlworkflow.measures.worth import outcome_table
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.report import Value
from mlworkflow.monitoring.tails import SURE, deciding, tail

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor

__all__ = ["ASSUMPTIONS", "Confidence", "checks", "estimates", "unanswered"]

ASSUMPTIONS = (
    "Estimated performance rests on what the model says of itself. It holds while probabilities mean what they say, as "
    "they did on the test rows; while rows of the same values have the same outcomes (no concept drift); and while no "
    "rows come from where training saw none. What breaks these is seen in outcomes alone."
)


def unanswered(confidence: Confidence | None, promise: Mapping[str, Any], settings: Monitor) -> str | None:
    """Return why nothing is estimated, None where something is."""
    if not promise.get("metrics"):
        return "performance is not estimated: the bundle holds no promise. Package it anew to have one."
    if promise["task"] == "regression":
        return "performance is not estimated without outcomes: a predicted number does not say how sure the model is."
    if confidence is None or "estimated" not in promise:
        return "performance is not estimated: there are no probabilities."
    if confidence.rows < settings.fewest_rows:
        rows = "1 row" if confidence.rows == 1 else f"{confidence.rows:,} rows"
        return f"performance is not estimated: {rows}, {settings.fewest_rows} are needed."
    return None


def estimates(confidence: Confidence, promise: Mapping[str, Any]) -> dict[str, Value]:
    """Return `estimated/<metric>` and `estimated/worth` (a row, in the unit), with 95% intervals where they are known.

    An interval holds the noise of a metric measured on so many rows and that of the promise, from which the
    recalibration comes; it does not hold a broken assumption.
    """
    if "estimated" not in promise or not confidence.rows:
        return {}
    found = expected.expected(confidence, promise["metrics"], promise["calibration"])
    told = {f"estimated/{name}": _value(name, value, confidence, promise) for name, value in found.items()}
    if promise.get("worth", {}).get("outcomes"):
        told["estimated/worth"] = Value(expected.worth(confidence, promise["calibration"], _outcomes(promise)))
    return told


def checks(confidence: Confidence, promise: Mapping[str, Any], settings: Monitor) -> list[Check]:
    """Return the check whether the primary metric is estimated worse than on the test rows by more than the least gain.

    There is none where `unanswered` says why, or the metric cannot be estimated. It is careful: the noise taken is that
    of a measured metric, which is mostly larger than that of an estimated one. It is not where a model is right more
    often than it says, as on an easy table: there the measured log loss hardly varies, the estimated one does. So the
    larger one of both is taken (with the measured one alone, 10 of 180 quiet windows of such a table gave an alarm).
    """
    name = promise.get("primary", "")
    if unanswered(confidence, promise, settings) is not None or name not in expected.ESTIMATED:
        return []
    found = expected.expected(confidence, [name], promise["calibration"])[name]
    usual = promise["estimated"][name]
    noise = max(_noise(name, confidence, promise), _noise_said(name, confidence, promise))
    if np.isnan(found) or usual is None or not noise:
        return []
    worse = -gain(name, found, usual)
    allowed = max(promise["least_gain"], noise)
    rows = confidence.rows
    words = (
        f"{name} is estimated at {found:.4g} on {rows:,} rows without their outcomes, {usual:.4g} on the test rows by "
        f"the same method: {'worse' if worse > 0 else 'better'} by {abs(worse):.3g}"
    )
    limit = usual + (-allowed if promise["greater_is_better"] else allowed)
    p = tail(worse / noise, deciding(expected.confusion(confidence, promise["calibration"]).sum(axis=1)))
    return [Check("estimated", name, found, usual, limit, p is not None and worse > allowed, p, words, rows)]


def _outcomes(promise: Mapping[str, Any]) -> Any:
    from mlworkflow.core.problem import Value as Worth

    told = promise["worth"]
    return outcome_table(Worth(unit=told["unit"], outcomes=told["outcomes"]), promise["classes"])


def _noise(name: str, confidence: Confidence, promise: Mapping[str, Any]) -> float:
    """Return the standard error of a metric on so many rows, with that of the promise; 0 where it is not known."""
    error = promise["metrics"].get(name, {}).get("error")
    if error is None:
        return 0.0
    ours = expected.confusion(confidence, promise["calibration"]).sum(axis=1)
    theirs = np.asarray(promise["counts"], dtype=float)
    both = (ours > 0) & (theirs > 0)
    rare = float((1 / ours[both]).sum() / (1 / theirs[both]).sum()) if both.any() else 0.0
    return float(error * np.sqrt(1 + max(promise["rows"] / confidence.rows, rare)))


def _noise_said(name: str, confidence: Confidence, promise: Mapping[str, Any]) -> float:
    """Return the standard error of an estimate that is a mean of rows, of the window and the test rows; 0 of others.

    Of K > 2 classes the sketch holds each class alone; the variance of a sum of K is at most K times that of all.
    """
    counts, sums = confidence.counts, confidence.sums
    if confidence.classes == 2:
        counts, sums = counts.sum(axis=0, keepdims=True), sums.sum(axis=0, keepdims=True)
    said = sums / np.maximum(counts, 1)
    if confidence.classes == 2:
        said = mended(said, promise["calibration"]["intercept"], promise["calibration"]["slope"])
    said = np.clip(said, 1e-15, 1 - 1e-15)
    rest = 1 - said
    whole = confidence.classes == 2
    terms = {
        "log_loss": -said * np.log(said) - (rest * np.log(rest) if whole else 0.0),
        "brier_score": (1 + whole) * said * rest,
    }
    if name not in terms:
        return 0.0
    rows = counts.sum(axis=1, keepdims=True)
    mean = (counts * terms[name]).sum(axis=1, keepdims=True) / rows
    variances = (counts * (terms[name] - mean) ** 2).sum(axis=1) / rows[:, 0]
    return float(np.sqrt(len(variances) * variances.sum() * (1 / confidence.rows + 1 / promise["rows"])))


def _value(name: str, value: float, confidence: Confidence, promise: Mapping[str, Any]) -> Value:
    if np.isnan(value):
        return Value(None)
    far = SURE * _noise(name, confidence, promise)
    if not far:
        return Value(value)
    least = -1.0 if name == "matthews_corrcoef" else 0.0
    most = 1.0 if METRICS[name].greater_is_better else np.inf
    return Value(value, max(value - far, least), min(value + far, most))
