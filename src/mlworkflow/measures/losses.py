"""The loss of each row in 0 to 1: what the streams of errors are made of that monitoring follows.

- brier, of classes: half the squared distance between the probabilities and the true class (Brier 1950): 0 is right
  and sure, 1 wrong and sure; without probabilities (error) 1 for a wrong label
- absolute error, of numbers: the distance between truth and prediction as a share of `cap`, and 1 beyond it, so that
  one row of a heavy tail cannot stand for a thousand
- surprise, of classes: how far outcomes fall short of what the probabilities tell of them. With q the probabilities, y
  the outcome and r the rates of the reference, it is the sum over the classes of (r - q) (y - q). Where q is true its
  mean is 0, whichever rows come, hard or easy; where outcomes have nothing to do with q it is the sum of (r - q)^2 on
  average. In between it is the share of that by which the slope of the outcomes on q fell. So it answers to concept
  drift and not to data drift, and needs far fewer rows than the squared distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.recalibration import mended

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.measures.metrics import Scored

BRIER, ERROR, ABSOLUTE, SURPRISE = "brier", "error", "absolute error", "surprise"
CAPPED = 0.995  # quantile of the reference beyond which a loss is 1, and, of a surprise, below whose mirror it is 0


def loss_of(reference: Scored) -> dict[str, Any]:
    """Return which loss rows have, fixed by the reference: {name, cap, mean, std}; cap is None for classes."""
    cap = None
    name = BRIER if reference.probabilities is not None else ERROR
    if reference.truth.dtype.kind == "f":
        far = np.abs(reference.labels - reference.truth)
        name, cap = ABSOLUTE, float(np.quantile(far, CAPPED)) or float(reference.truth.std()) or 1.0
    return _spread(reference, {"name": name, "cap": cap})


def followed_of(reference: Scored, calibration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the loss in which concept drift is looked for: the surprise of classes, else that of `loss_of`.

    Args:
        reference: the rows that fix it.
        calibration: intercept and slope that mend the probabilities of two classes.

    What it holds beside name, mean and std: `unit`, in which a rise of the mean is told: of a surprise what it would be
    if outcomes had nothing to do with the probabilities, else the mean.
    """
    if reference.probabilities is None or reference.truth.dtype.kind == "f":
        found = loss_of(reference)
        return {**found, "unit": found["mean"]}
    rates = np.bincount(reference.truth, minlength=reference.k) / len(reference)
    named = {"name": SURPRISE, "intercept": calibration["intercept"], "slope": calibration["slope"]}
    told = {**named, "rates": rates.tolist(), "low": 0.0, "high": 1.0}
    raw = _surprise(reference, told)
    low, high = (float(end) for end in np.quantile(raw, [1 - CAPPED, CAPPED]))
    told |= {"low": low, "high": high if high > low else low + 1.0}
    lost = ((rates - _true(reference, told)) ** 2).sum(axis=1).mean() / (told["high"] - told["low"])
    return {**_spread(reference, told), "unit": float(lost)}


def losses(scored: Scored, loss: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return (n,) losses in 0 to 1; a row whose prediction is no number has the loss 1."""
    if loss["name"] == SURPRISE and scored.probabilities is not None:
        found = (_surprise(scored, loss) - loss["low"]) / (loss["high"] - loss["low"])
    elif loss["name"] == ABSOLUTE:
        found = np.abs(scored.labels.astype(float) - scored.truth.astype(float)) / float(loss["cap"])
    elif loss["name"] == ERROR or scored.probabilities is None:
        found = np.asarray(scored.labels != scored.truth, dtype=float)
    else:
        said, truth = scored.probabilities.astype(float), scored.truth.astype(np.int64)
        found = ((said**2).sum(axis=1) - 2 * said[np.arange(len(said)), truth] + 1) / 2
    return np.asarray(np.nan_to_num(np.clip(found, 0.0, 1.0), nan=1.0))


def _spread(reference: Scored, loss: Mapping[str, Any]) -> dict[str, Any]:
    found = losses(reference, loss)
    return {**loss, "mean": float(found.mean()), "std": float(found.std(ddof=min(1, len(found) - 1)))}


def _true(scored: Scored, loss: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the (n, K) probabilities, those of two classes mended."""
    assert scored.probabilities is not None
    if scored.k != 2:
        return scored.probabilities.astype(float)
    positive = mended(scored.probabilities[:, 1], loss["intercept"], loss["slope"])
    return np.column_stack([1 - positive, positive])


def _surprise(scored: Scored, loss: Mapping[str, Any]) -> NDArray[np.float64]:
    true, rates = _true(scored, loss), np.asarray(loss["rates"], dtype=float)
    came, rows = scored.truth.astype(np.int64), np.arange(len(scored))
    return np.asarray(rates[came] - true[rows, came] - ((rates - true) * true).sum(axis=1))
