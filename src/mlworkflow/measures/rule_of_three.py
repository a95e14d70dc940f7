"""The rule of three: how far a metric may be from its value when no resample differs from another.

What was never seen in n rows may still have a rate of 3/n (Hanley and Lippman-Hand 1983): the pessimistic end is the
metric after three rows become as wrong as can be; of a metric at its worst, the other end is after three become right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mlworkflow.measures.metrics import METRICS, NAN, Scored, gain, score


def rule_of_three(name: str, scored: Scored, value: float) -> tuple[float, float]:
    """Return (low, high) of a metric on which all resamples agree: its value, and after three rows change.

    Three rows become as wrong as can be (of the class where it hurts most); if that changes nothing, as right.
    NaN for clusters: their rows have no right and wrong.
    """
    if scored.truth.ndim > 1:
        return NAN, NAN
    worst = [score([name], changed)[name] for changed in _three_changed(scored, right=False)]
    best = [score([name], changed)[name] for changed in _three_changed(scored, right=True)]
    sign = 1 if METRICS[name].greater_is_better else -1
    down = min((gain(name, other, value) for other in worst if not np.isnan(other)), default=0.0)
    up = max((gain(name, other, value) for other in best if not np.isnan(other)), default=0.0) if down >= 0 else 0.0
    ends = (value + sign * min(down, 0.0), value + sign * max(up, 0.0))
    return min(ends), max(ends)


def _three_changed(scored: Scored, *, right: bool) -> Iterator[Scored]:
    """Yield the rows with up to three of them made wrong (or right): once for each class."""
    if scored.truth.dtype.kind == "f":
        yield _three_values(scored, right=right)
        return
    for code in np.unique(scored.truth):
        rows = np.flatnonzero(scored.truth == code)[:3]
        to = int(code) if right else (int(code) + 1) % scored.k
        labels = scored.labels.copy()
        labels[rows] = to
        probabilities = scored.probabilities
        if probabilities is not None:  # the three are surer than any other row, so that they lead or trail every order
            probabilities = np.clip(probabilities.astype(float), 1e-9, 1 - 1e-9)
            probabilities[rows] = np.eye(scored.k)[to]
        yield replace(scored, labels=labels, probabilities=probabilities)


def _three_values(scored: Scored, *, right: bool) -> Scored:
    """Return the rows of a regression, three of them predicted right, or as the value seen that is farthest off."""
    low, high = scored.truth.min(), scored.truth.max()
    farthest = np.where(scored.truth - low > high - scored.truth, low, high)
    rows = np.argsort(-np.abs(farthest - scored.truth), kind="stable")[:3]
    labels = scored.labels.astype(float)
    labels[rows] = (scored.truth if right else farthest)[rows]
    return replace(scored, labels=labels)
