"""Several trials as one model: their weighted mean, where it is better than the one trial by more than its noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from mlworkflow.measures import metrics
from mlworkflow.measures.metrics import Scored
from mlworkflow.tuning.trials import Trial

CANDIDATES = 12  # the best trials, of which members are chosen
ROUNDS = 16  # members, each as often as it was chosen
ROWS = 4000  # on which they are chosen, evenly spaced ones of more

Truth = Sequence[np.ndarray]  # of the rows that each fold checks


def ensemble(
    trials: Sequence[Trial], truth: Truth, metric: str
) -> tuple[dict[int, float], tuple[float, ...], tuple[float, ...]]:
    """Return number of a trial -> its weight, and the scores of the folds: chosen on all of them, and on the others.

    Members are chosen greedily with replacement (Caruana et al. 2004, Ensemble selection from libraries of models).

    Args:
        trials: those that keep what they say of the rows they were not fitted on.
        truth: of these rows, by fold.
        metric: the primary metric.
    """
    gain = metrics.gain
    able = sorted(trials, key=lambda one: (-gain(metric, one.score or 0.0, 0.0), one.asked.number))[:CANDIDATES]
    folds = list(range(len(truth)))
    counts = greedy(*_pooled(able, truth, folds), metric)
    weights = {one.asked.number: count / sum(counts) for one, count in zip(able, counts, strict=True) if count}
    scores = tuple(_on_a_fold(able, counts, truth, metric, fold) for fold in folds)
    others = [greedy(*_pooled(able, truth, [one for one in folds if one != fold]), metric) for fold in folds]
    unseen = tuple(_on_a_fold(able, theirs, truth, metric, fold) for fold, theirs in enumerate(others))
    return weights, scores, unseen


def greedy(said: Sequence[np.ndarray], truth: np.ndarray, metric: str) -> list[int]:
    """Return how often each of `said` is chosen: the next is always the one that helps the mean most.

    Args:
        said: for each candidate (n, K) probabilities or (n,) values.
        truth: (n,) codes or values.
        metric: by which they are chosen; of all rounds the best one counts.
    """
    score = _scorer(truth, metric)
    counts, total = [0] * len(said), np.zeros_like(said[0])
    best, best_counts = -math.inf, counts
    for size in range(1, ROUNDS + 1):
        scores = [score((total + one) / size) for one in said]
        chosen = int(np.argmax(scores))
        counts = [count + (i == chosen) for i, count in enumerate(counts)]
        total = total + said[chosen]
        if scores[chosen] > best:
            best, best_counts = scores[chosen], counts
    return best_counts


def _on_a_fold(able: Sequence[Trial], counts: Sequence[int], truth: Truth, metric: str, fold: int) -> float:
    mean = sum(count * one.said[fold] for one, count in zip(able, counts, strict=True)) / sum(counts)
    return metrics.score([metric], scored(truth[fold], np.asarray(mean)))[metric]


def _pooled(able: Sequence[Trial], truth: Truth, folds: Sequence[int]) -> tuple[list[np.ndarray], np.ndarray]:
    rows = np.concatenate([truth[fold] for fold in folds])
    some = np.linspace(0, len(rows) - 1, min(len(rows), ROWS)).round().astype(int)
    return [np.concatenate([one.said[fold] for fold in folds])[some] for one in able], rows[some]


def scored(truth: np.ndarray, said: np.ndarray) -> Scored:
    """Return rows with what is said of them: (n, K) probabilities, or (n,) values."""
    if said.ndim == 1:
        return Scored(truth, said, None)
    return Scored(truth, said.argmax(axis=1), said)


def _scorer(truth: np.ndarray, metric: str) -> Callable[[np.ndarray], float]:
    def score(said: np.ndarray) -> float:
        found = metrics.gain(metric, metrics.score([metric], scored(truth, said))[metric], 0.0)
        return found if np.isfinite(found) else -math.inf

    return score
