"""Probabilities mended by two numbers: logit(truth) = intercept + slope * logit(said) (Cox 1958; Platt 1999).

Intercept 0 and slope 1 leave them as they are; a slope below 1 takes back what is too sure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.measures.metrics import Scored

EDGE = 1e-6  # a probability of 0 or 1 is taken as this far from it
STEPS = 50


def logit(said: NDArray[Any]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)), with p kept off 0 and 1."""
    inside = np.clip(np.asarray(said, dtype=float), EDGE, 1 - EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def mended(said: NDArray[Any], intercept: float, slope: float) -> NDArray[np.float64]:
    """Return the probabilities as they should have been said."""
    if intercept == 0 and slope == 1:
        return np.asarray(said, dtype=float)
    return np.asarray(0.5 * (1 + np.tanh((intercept + slope * logit(said)) / 2)))


def fitted(said: NDArray[Any], true: NDArray[Any]) -> tuple[float, float]:
    """Return (intercept, slope) by maximum likelihood, held near (0, 1) as by one row, so that both are finite.

    Args:
        said: (n,) probabilities.
        true: (n,) whether it came so.
    """
    design = np.column_stack([np.ones(len(said)), logit(said)])
    start = np.array([0.0, 1.0])
    found = start.copy()
    for _ in range(STEPS):
        share = 0.5 * (1 + np.tanh(np.clip(design @ found, -50, 50) / 2))
        slopes = design.T @ (true - share) - (found - start)
        curves = (design.T * (share * (1 - share))) @ design + np.eye(2)
        step = np.linalg.solve(curves, slopes)
        step /= max(1.0, float(np.abs(step).max()))  # Newton's step overshoots far from the top
        found = found + step
        if float(np.abs(step).max()) < 1e-10:
            break
    return float(found[0]), float(found[1])


def said_and_true(scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what was said with which probability, and whether it came so.

    Two classes: the positive one; more: the class thought most probable, as in the calibration curve.
    """
    assert scored.probabilities is not None
    probabilities = scored.probabilities.astype(float)
    if scored.k == 2:
        return probabilities[:, 1], scored.truth == 1
    return probabilities.max(axis=1), scored.truth == probabilities.argmax(axis=1)
