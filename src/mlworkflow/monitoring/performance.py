"""What the model does now, where outcomes are known, against what the bundle promises of it.

The two questions: is the primary metric worse than promised by more than the least gain worth having; and is the mean
loss higher by more than a tenth. Less than a standard error is never beyond the limit. The noise of the promise (its
interval) and of the window count together. The noise of the window is the larger one of what its own rows say
(bootstrap) and of what the promise says of so few, since a window that is bad by chance says too little of its noise.
The tail is in tails.py.

Measured: the share of quiet windows with p < 0.001 (of the metric, of the loss), 20,000 simulated windows each, a new
promise of 1,000 rows for every twenty, normal scores, DeLong's error (1988) in place of the bootstrap:

    roc_auc  positive  100 rows        300 rows        1,000 rows
    0.75     5%        0       0       0       0       0.0005  0.0004
    0.75     20%       0       0.0001  0.0003  0.0003  0.0014  0.0007
    0.75     50%       0.0002  0.0002  0.0003  0.0004  0.0012  0.0011
    0.95     5%        0       0       0       0       0.0002  0.0003
    0.95     20%       0       0       0       0.0002  0.0004  0.0004
    0.95     50%       0       0       0.0001  0.0002  0.0006  0.0007
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.bootstrap import NORMAL
from mlworkflow.measures.intervals import intervals
from mlworkflow.measures.losses import losses
from mlworkflow.measures.metrics import gain, without_value
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.report import Value
from mlworkflow.monitoring.tails import SURE, classes_of, rows_that_decide, tail, welch

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.measures.metrics import Scored

LEVEL, SEED = 0.95, 0
RISE = 0.1  # of the mean loss, as a share of what was promised


def unanswered(scored: Scored, promise: Mapping[str, Any], settings: Monitor) -> str | None:
    """Return why nothing is said of the performance, None where something is."""
    if not promise.get("metrics"):
        return "performance is not judged: the bundle holds no promise. Package it anew to have one."
    if len(scored) < settings.fewest_rows:
        rows = "1 outcome is" if len(scored) == 1 else f"{len(scored):,} outcomes are"
        return f"performance is not judged: {rows} known, {settings.fewest_rows} are needed."
    why = without_value(promise["primary"], scored, promise["classes"])
    return None if why is None else f"{promise['primary']} has no value on {len(scored):,} rows: {why}."


def measured(scored: Scored, promise: Mapping[str, Any], names: Sequence[str] | None = None) -> dict[str, Value]:
    """Return `performance/<metric>` with its interval, and `performance/loss`, of the rows whose outcome is known.

    Args:
        scored: the rows.
        promise: of the bundle; empty: nothing is measured.
        names: the metrics; by default those of the promise.
    """
    if not promise.get("metrics") or not len(scored):
        return {}
    asked = list(promise["metrics"]) if names is None else list(names)
    found = intervals(asked, scored, seed=SEED, level=LEVEL)["metrics"]
    told = {f"performance/{name}": Value(*(_known(ends[end]) for end in _ENDS)) for name, ends in found.items()}
    lost = losses(scored, promise["loss"])
    far = SURE * float(lost.std(ddof=min(1, len(lost) - 1))) / float(np.sqrt(len(lost)))
    mean = float(lost.mean())
    return {**told, "performance/loss": Value(mean, max(mean - far, 0.0), min(mean + far, 1.0))}


def checks(
    scored: Scored, promise: Mapping[str, Any], settings: Monitor, numbers: Mapping[str, Value] | None = None
) -> list[Check]:
    """Return the checks of the primary metric and of the loss; none where `unanswered` says why.

    Args:
        scored: rows whose outcome is known.
        promise: of the bundle.
        settings: how few rows are too few.
        numbers: what `measured` said of the same rows, if it was asked.
    """
    if unanswered(scored, promise, settings) is not None:
        return []
    told = numbers or measured(scored, promise, [promise["primary"]])
    return [*_of_metric(scored, promise, told), *_of_loss(scored, promise)]


_ENDS = ("value", "low", "high")


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _of_metric(scored: Scored, promise: Mapping[str, Any], numbers: Mapping[str, Value]) -> list[Check]:
    name, found = promise["primary"], numbers[f"performance/{promise['primary']}"]
    usual, error = (promise["metrics"][name][key] for key in ("value", "error"))
    if found.value is None or usual is None or error is None:
        return []
    worse = -gain(name, found.value, usual)
    noise = float(np.hypot(error, max(_error(found), error * scale(scored, promise))))
    allowed = max(promise["least_gain"], noise)
    way = "worse" if worse > 0 else "better"
    words = (
        f"{name} is {_between(found)} on {len(scored):,} rows whose outcome is known, promised was {usual:.4g}: "
        f"{way} by {abs(worse):.3g}"
    )
    limit = usual + (-allowed if promise["greater_is_better"] else allowed)
    p = tail(worse / noise, rows_that_decide(scored, promise["classes"])) if noise else None
    beyond = p is not None and worse > allowed
    return [Check("performance", name, found.value, usual, limit, beyond, p, words, len(scored))]


def _of_loss(scored: Scored, promise: Mapping[str, Any]) -> list[Check]:
    """Return Welch's test of the mean loss, with the larger one of both spreads for the window."""
    lost, loss = losses(scored, promise["loss"]), promise["loss"]
    mean, usual, noise = float(lost.mean()), loss["mean"], welch(lost, loss["std"], promise["rows"])
    limit = usual + max(RISE * usual, noise)
    p = tail((mean - usual) / noise, rows_that_decide(scored, promise["classes"])) if noise else None
    way = "higher" if mean > usual else "lower"
    change = f", {way} by {abs(mean / usual - 1):.0%}" if usual else ""
    words = f"the mean loss ({loss['name']}) is {mean:.4g} on {len(scored):,} rows, promised was {usual:.4g}{change}"
    return [Check("performance", "loss", mean, usual, limit, p is not None and mean > limit, p, words, len(scored))]


def scale(scored: Scored, promise: Mapping[str, Any]) -> float:
    """Return how much larger the noise of a metric is on these rows than on those of the promise.

    It is the root of how many times fewer they are, of all rows or, where that is more, of the rare classes.
    """
    fewer = promise["rows"] / len(scored)
    if promise["classes"]:
        ours, theirs = classes_of(scored), np.asarray(promise["counts"], dtype=float)
        both = (ours > 0) & (theirs > 0)
        fewer = max(fewer, float((1 / ours[both]).sum() / (1 / theirs[both]).sum())) if both.any() else fewer
    return float(np.sqrt(fewer))


def _error(value: Value) -> float:
    """Return the standard error that the wider side of a 95% interval stands for."""
    if value.value is None or value.low is None or value.high is None:
        return 0.0
    return max(value.high - value.value, value.value - value.low) / NORMAL.inv_cdf((1 + LEVEL) / 2)


def _between(value: Value) -> str:
    ends = "" if value.low is None or value.high is None else f" ({value.low:.3g} to {value.high:.3g})"
    return f"{value.value:.4g}{ends}"
