"""The loss of each row in 0 to 1: what the stream of errors is made of that monitoring follows.

- classes: half the squared distance between the probabilities and the true class (Brier 1950): 0 is right and sure, 1
  wrong and sure; of labels without probabilities, 1 for a wrong one
- numbers: the distance between truth and prediction as a share of `cap`, and 1 beyond it, so that one row of a heavy
  tail cannot stand for a thousand
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.measures.metrics import Scored

BRIER, ERROR, ABSOLUTE = "brier", "error", "absolute error"
CAPPED = 0.995  # quantile of the reference's distances from which on a loss is 1


def loss_of(reference: Scored) -> dict[str, Any]:
    """Return which loss rows have, fixed by the reference: {name, cap, mean, std}; cap is None for classes."""
    cap = None
    name = BRIER if reference.probabilities is not None else ERROR
    if reference.truth.dtype.kind == "f":
        far = np.abs(reference.labels - reference.truth)
        name, cap = ABSOLUTE, float(np.quantile(far, CAPPED)) or float(reference.truth.std()) or 1.0
    found = losses(reference, {"name": name, "cap": cap})
    return {"name": name, "cap": cap, "mean": float(found.mean()), "std": float(found.std(ddof=min(1, len(found) - 1)))}


def losses(scored: Scored, loss: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return (n,) losses in 0 to 1; a row whose prediction is no number has the loss 1."""
    if loss["name"] == ABSOLUTE:
        far = np.abs(scored.labels.astype(float) - scored.truth.astype(float)) / float(loss["cap"])
        return np.asarray(np.nan_to_num(np.minimum(far, 1.0), nan=1.0))
    if loss["name"] == ERROR or scored.probabilities is None:
        return np.asarray(scored.labels != scored.truth, dtype=float)
    said, truth = scored.probabilities.astype(float), scored.truth.astype(np.int64)
    squares = (said**2).sum(axis=1) - 2 * said[np.arange(len(said)), truth] + 1
    return np.asarray(np.nan_to_num(np.clip(squares / 2, 0.0, 1.0), nan=1.0))
