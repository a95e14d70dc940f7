"""How far two spreads are apart, and whether chance alone does that. All of counts in the same bins."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

SMOOTHING = 0.5  # added to each count, so that an empty bin gives a large index but no infinite one
LEVEL = 0.05  # how often rows without drift may pass the noise
EXPECTED = 5  # rows that a bin of the chi-squared test must be expected to have


def psi(expected: Any, found: Any) -> float:
    """Return the population stability index of two (bins,) arrays of counts: 0 for equal shares, then without end.

    sum((f - e) * ln(f / e)) over the shares e and f of the bins (Siddiqi 2006, Credit Risk Scorecards), where 0.5 is
    added to each count, and bins empty in both are left out. 0.1 is often called small and 0.25 large.
    """
    pair = np.array([expected, found], dtype="float64")
    pair = pair[:, pair.sum(axis=0) > 0]
    if pair.shape[1] < 2 or not pair.sum(axis=1).all():
        return 0.0
    pair = pair + SMOOTHING
    before, after = pair / pair.sum(axis=1, keepdims=True)
    return float(((after - before) * np.log(after / before)).sum())


def noise(expected: Any, found: Any, level: float = LEVEL) -> float:
    """Return what the index of rows without drift stays under, but for a share `level` of times.

    Without drift it is about (1/m + 1/n) times chi-squared with one degree of freedom less than bins (Yurdakul and
    Naranjo 2020); the quantile is by Wilson and Hilferty (1931).
    """
    pair = np.array([expected, found], dtype="float64")
    freedom = int((pair.sum(axis=0) > 0).sum()) - 1
    sizes = pair.sum(axis=1)
    if freedom < 1 or not sizes.all():
        return 0.0
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + NormalDist().inv_cdf(1 - level) * spread**0.5) ** 3
    return float(quantile * (1 / sizes).sum())


def jensen_shannon(expected: Any, found: Any) -> float | None:
    """Return the Jensen-Shannon distance of two arrays of counts, 0 to 1 (base 2; Endres and Schindelin 2003)."""
    from scipy.spatial.distance import jensenshannon

    pair = np.array([expected, found], dtype="float64")
    return float(np.nan_to_num(jensenshannon(*pair, base=2))) if pair.sum(axis=1).all() else None


def wasserstein(before: tuple[Any, Any], after: tuple[Any, Any], unit: float | None) -> float | None:
    """Return the first Wasserstein distance of two spreads, in `unit`s: how far the values moved on average.

    Args:
        before: (bins,) counts and sums of the values in fine bins; each bin counts as its mean.
        after: the same of the new values.
        unit: the standard deviation that it is divided by; None or 0: there is no such distance.
    """
    from scipy.stats import wasserstein_distance

    if not unit:
        return None
    spreads = [_points(*one) for one in (before, after)]
    if not all(len(places) for places, _ in spreads):
        return None
    (old, old_weights), (new, new_weights) = spreads
    return float(wasserstein_distance(old, new, old_weights, new_weights)) / unit


def _points(counts: Any, sums: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each bin that is not empty, and its count."""
    counts, sums = np.asarray(counts, dtype="float64"), np.asarray(sums, dtype="float64")
    full = counts > 0
    return sums[full] / counts[full], counts[full]


def chance(expected: Any, found: Any) -> float | None:
    """Return the p-value of the two arrays of counts coming from one spread; None where there is nothing to test.

    Pearson's chi-squared test of homogeneity. Bins are joined until `EXPECTED` rows are expected in each of both, as
    the first array alone says: joined by what was found, the emptiest bins would be thrown together because they are
    empty, and of windows of 50 rows without drift 12 to 27 times too many had p < 0.0001.
    """
    from scipy.stats import chi2

    pair = _joined(np.array([expected, found], dtype="float64"))
    if pair.shape[1] < 2:
        return None
    sizes = pair.sum(axis=1, keepdims=True)
    likely = sizes * pair.sum(axis=0, keepdims=True) / pair.sum()
    statistic = float(((pair - likely) ** 2 / likely).sum())
    return float(chi2.sf(statistic, pair.shape[1] - 1))


def _joined(pair: np.ndarray) -> np.ndarray:
    """Return (2, bins) counts with the rarest bins joined, so that each of both sides is expected to have enough."""
    sizes = pair.sum(axis=1)
    if not sizes.all():
        return pair[:, :0]
    usual = pair[0]
    needed = EXPECTED * sizes[0] / sizes.min()
    order = np.argsort(usual, kind="stable")
    ranked, rare = usual[order], int((usual < needed).sum())
    if rare and ranked[:rare].sum() < needed:
        rare += 1  # together they are still too rare
    parts = [pair[:, order[:rare]].sum(axis=1, keepdims=True)] if rare else []
    return np.hstack([*parts, pair[:, order[rare:]]])
