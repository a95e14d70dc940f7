"""Metrics of weighted rows: a weight of 2 counts as the row standing there twice.

All that does not depend on the weights is worked out once, so that a thousand resamples are scored at once: from sums
and from one sort. Sums run in a fixed order, whatever the number of threads. Not for clusters: their metrics know no
weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlworkflow.measures.metrics import METRICS, NAN, Scored, adjusted, score

Array = NDArray[Any]
Measure = Callable[[Array], dict[str, Array]]  # weights (r, n) -> metric -> its r values


def measure_of(names: list[str], scored: Scored) -> Measure:
    """Return the function that scores weights, everything that does not depend on them worked out once."""
    asked = [name for name in names if scored.probabilities is not None or not METRICS[name].needs_probabilities]
    known = asked if scored.finite else []
    measures = [make(known, scored) for make, of in _FAMILIES if any(name in of for name in known)]

    def measure(weights: Array) -> dict[str, Array]:
        with np.errstate(all="ignore"):
            found = {name: value for each in measures for name, value in each(weights).items()}
        return {name: found.get(name, np.full(len(weights), NAN)) for name in names}

    return measure


def values_of(names: Sequence[str], scored: Scored) -> dict[str, float]:
    """Return each metric (but stability) of the rows as they are: to rounding what `score` says, without scikit-learn.

    Clusters are scored by scikit-learn.
    """
    wanted = [name for name in names if name != "stability"]
    if scored.truth.ndim > 1:
        return score(wanted, scored)
    if not len(scored):
        return dict.fromkeys(wanted, NAN)
    return {name: float(value[0]) for name, value in measure_of(wanted, scored)(np.ones((1, len(scored)))).items()}


def _confusion(names: list[str], scored: Scored) -> Measure:
    """Metrics of the confusion matrix: of each class its rows, the rows predicted so, and those that are both."""
    k = scored.k
    cell = scored.truth.astype(np.int64) * k + scored.labels.astype(np.int64)
    order = np.argsort(cell, kind="stable")
    present, firsts = np.unique(cell[order], return_index=True)
    lasts = np.append(firsts[1:], len(cell)) - 1
    truth, predicted = np.eye(k)[present // k], np.eye(k)[present % k]

    def measure(weights: Array) -> dict[str, Array]:
        cells = _steps(_take(_take(weights, order).cumsum(axis=1), lasts))
        actual, said, hit = cells @ truth, cells @ predicted, cells @ (truth * predicted)  # whole numbers: exact
        return {name: _of_confusion(name, actual, said, hit) for name in names if name in _OF_CONFUSION}

    return measure


def _of_confusion(name: str, actual: Array, said: Array, hit: Array) -> Array:
    """Return one metric from (r, K) counts: rows of each class, predicted so, and both."""
    if name == "accuracy":
        return np.asarray(hit.sum(axis=1) / actual.sum(axis=1))
    told = (actual > 0).sum(axis=1) > 1
    if name == "balanced_accuracy":
        value = _mean_over(hit / actual, actual > 0)
    elif name == "matthews_corrcoef":
        value = _matthews(actual, said, hit)
    else:
        under = {"precision": said, "recall": actual, "f1": (actual + said) / 2}[name]
        each = np.where(under > 0, hit / under, 0.0)
        value = each[:, 1] if actual.shape[1] == 2 else _mean_over(each, actual + said > 0)
    return np.where(told, value, NAN)


def _matthews(actual: Array, said: Array, hit: Array) -> Array:
    """Return Matthews' correlation coefficient from (r, K) counts; 0 where all predictions are one class."""
    n = actual.sum(axis=1)
    together = hit.sum(axis=1) * n - (actual * said).sum(axis=1)
    alone = (n**2 - (said**2).sum(axis=1)) * (n**2 - (actual**2).sum(axis=1))
    return np.where(alone > 0, together / np.sqrt(alone), 0.0)


def _mean_over(values: Array, where: Array) -> Array:
    """Return the mean of each row over the places where `where` holds."""
    return np.asarray(np.where(where, values, 0.0).sum(axis=1) / where.sum(axis=1))


def _take(weights: Array, order: Array) -> Array:
    """Return the weights of the rows in another order."""
    taken: Array = np.take(weights, order, axis=1)
    return taken


def _steps(upto: Array) -> Array:
    """Return what each column of cumulative (r, n) sums adds to the one before."""
    steps = upto.copy()
    steps[:, 1:] -= upto[:, :-1]
    return steps


def _mean(weights: Array, values: Array) -> Array:
    """Return the weighted mean of n values for each of r resamples; summed without BLAS, so in one order only."""
    total: Array = np.einsum("rn,n->r", weights, values) / weights.sum(axis=1)
    return total


def _losses(names: list[str], scored: Scored) -> Measure:
    """Metrics that are the mean of a loss of each row (rmse: its root)."""
    losses = {name: _loss(name, scored) for name in names if name in _OF_LOSSES}

    def measure(weights: Array) -> dict[str, Array]:
        means = {name: _mean(weights, loss) for name, loss in losses.items()}
        return {name: np.sqrt(mean) if name == "rmse" else mean for name, mean in means.items()}

    return measure


def _loss(name: str, scored: Scored) -> Array:
    """Return the loss of each row."""
    if name in ("log_loss", "brier_score"):
        return _loss_of_classes(name, scored)
    error = np.abs(scored.truth.astype(float) - scored.labels.astype(float))
    if name == "mape":
        error = error / np.maximum(np.abs(scored.truth), np.finfo(float).eps)
    return np.asarray(error**2 if name == "rmse" else error)


def _loss_of_classes(name: str, scored: Scored) -> Array:
    """Return the logarithmic or squared loss of each row's probabilities."""
    assert scored.probabilities is not None
    rows, truth = np.arange(len(scored)), scored.truth.astype(np.int64)
    if name == "log_loss":
        least = np.finfo(scored.probabilities.dtype).eps
        return np.asarray(-np.log(np.clip(scored.probabilities[rows, truth].astype(float), least, 1 - least)))
    squares = (scored.probabilities.astype(float) - np.eye(scored.k)[truth]) ** 2
    return np.asarray(squares.sum(axis=1) / (2 if scored.k == 2 else 1))


def _explained(names: list[str], scored: Scored) -> Measure:
    """Return r2 and adjusted_r2, from three sums."""
    truth = scored.truth - (scored.truth.mean() if len(scored) else 0.0)
    error = (scored.truth - scored.labels) ** 2

    def measure(weights: Array) -> dict[str, Array]:
        spread = _mean(weights, truth**2) - _mean(weights, truth) ** 2
        told = spread > 1e-14 * float((truth**2).max(initial=0.0))
        r2 = np.where(told, 1 - _mean(weights, error) / spread, NAN)
        return {"r2": r2, "adjusted_r2": adjusted(r2, len(scored), scored.columns)}

    return measure


def _median(names: list[str], scored: Scored) -> Measure:
    """Return the median absolute error: the middle row, or the mean of the two, by cumulative weights."""
    error = np.abs(scored.truth - scored.labels)
    order = np.argsort(error, kind="stable")
    error = error[order]

    def measure(weights: Array) -> dict[str, Array]:
        upto = _take(weights, order).cumsum(axis=1)
        half = upto[:, -1:] / 2
        lower, upper = (upto < half).sum(axis=1), (upto <= half).sum(axis=1)
        return {"median_absolute_error": (error[lower] + error[np.minimum(upper, len(error) - 1)]) / 2}

    return measure


def _rankings(names: list[str], scored: Scored) -> Measure:
    """Metrics of the order that the probabilities put the rows in; several classes: each against the rest."""
    assert scored.probabilities is not None
    k, wanted = scored.k, [name for name in names if name in _OF_RANKINGS]
    codes = [1] if k == 2 else np.unique(scored.truth).tolist()
    rankings = [_ranking(wanted, scored.truth == code, scored.probabilities[:, code]) for code in codes]

    def measure(weights: Array) -> dict[str, Array]:
        each = [ranking(weights) for ranking in rankings]
        stacked = {name: np.stack([values[name] for values in each], axis=1) for name in wanted}
        return {name: _mean_over(values, ~np.isnan(values)) for name, values in stacked.items()}

    return measure


def _ranking(names: list[str], truth: Array, probability: Array) -> Measure:
    """Return roc_auc and average_precision of one class by one sort; rows of equal probability are one step."""
    order = np.argsort(probability, kind="stable")
    ranked, positive = probability[order], truth[order].astype(float)
    lasts = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))

    def measure(weights: Array) -> dict[str, Array]:
        weights = _take(weights, order)
        upto, upto_all = (weights * positive).cumsum(axis=1), weights.cumsum(axis=1)
        if len(lasts) < len(ranked):
            upto, upto_all = _take(upto, lasts), _take(upto_all, lasts)
        functions = {"roc_auc": _area, "average_precision": _precision_averaged}
        return {name: functions[name](upto, upto_all) for name in names}

    return measure


def _area(upto: Array, upto_all: Array) -> Array:
    """Return the area under the ROC curve from (r, steps) counts of positives and of all rows up to each step.

    It is the share of pairs (positive, negative) in the right order, equals counting half (Hanley and McNeil 1982).
    """
    below = upto_all - upto
    positives, negatives = upto[:, -1], below[:, -1]
    pairs: Array = np.einsum("rg,rg->r", _steps(upto), below - _steps(below) / 2)
    return np.where((positives > 0) & (negatives > 0), pairs / (positives * negatives), NAN)


def _precision_averaged(upto: Array, upto_all: Array) -> Array:
    """Return the average precision: at each step its share of the positives times the precision from there up."""
    positives, rows = upto[:, -1], upto_all[:, -1]
    step = _steps(upto)
    hits = positives[:, None] - upto + step
    chosen = rows[:, None] - upto_all + _steps(upto_all)
    precision = np.divide(hits, chosen, out=np.zeros_like(hits), where=chosen > 0)
    total: Array = np.einsum("rg,rg->r", step, precision)
    return np.where((positives > 0) & (positives < rows), total / positives, NAN)


_OF_CONFUSION = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "matthews_corrcoef")
_OF_LOSSES = ("log_loss", "brier_score", "rmse", "mae", "mape")
_OF_RANKINGS = ("roc_auc", "average_precision")
_FAMILIES: tuple[tuple[Callable[[list[str], Scored], Measure], tuple[str, ...]], ...] = (
    (_confusion, _OF_CONFUSION),
    (_losses, _OF_LOSSES),
    (_explained, ("r2", "adjusted_r2")),
    (_median, ("median_absolute_error",)),
    (_rankings, _OF_RANKINGS),
)
