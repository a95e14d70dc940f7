"""Intervals: how far a metric could be from its value had other rows been drawn.

- Plain proportions (accuracy; precision and recall of two classes): the Wilson score interval (Wilson 1927).
- Every other metric: the BCa bootstrap over rows (Efron 1987; Efron and Tibshirani 1993, chapter 14). A resample is a
  weight for each row (how often it was drawn), so all resamples are scored at once: from sums and from one sort.
- All resamples equal (a perfect score) does not mean no doubt: what was never seen in n rows may still have a
  rate of 3/n (the rule of three, Hanley and Lippman-Hand 1983). The pessimistic end is the metric after three
  rows become as wrong as can be; of a metric at its worst, the other end is after three become right. Only the
  median absolute error may keep a width of zero, where most of the errors are equal: its median then is certain.
- Clusters: drawing a row twice puts it at distance zero from itself and flatters every cluster, so rows are
  drawn without replacement (half of them, at most 1000, 100 times), and the spread is scaled to that of n rows:
  the delete-d jackknife (Shao and Wu 1989).

Resamples: 1000; of more than 20,000 rows, 20 million divided by the rows, yet at least 200: the ends are known less
sharply then, but the interval itself is narrow. Sums run in a fixed order, whatever the number of threads.

Measured coverage of the 95% intervals, 1000 simulated tables each, seeds 0 to 999, default resamples (the generators
are in tests/test_intervals.py; the truth is the metric of a million rows):

- two classes, 200 rows (roc_auc 0.80): roc_auc 0.952, average_precision 0.933, log_loss 0.940, brier_score 0.945,
  accuracy 0.943, balanced_accuracy 0.942, precision 0.952, recall 0.946, f1 0.938, matthews_corrcoef 0.941
- two classes far apart, 150 rows (roc_auc 0.99): roc_auc 0.934, average_precision 0.938, log_loss 0.918,
  brier_score 0.940, accuracy 0.944, f1 0.953, matthews_corrcoef 0.949
- three classes, one rare, 200 rows: roc_auc 0.939, average_precision 0.953, log_loss 0.943, f1 0.963
- regression, errors with heavy tails, 200 rows: rmse 0.938, mae 0.953, r2 0.945, median_absolute_error 0.944

Why not the plain percentiles: on the same 1000 tables of roc_auc 0.99 they held the truth 0.888 of the time, BCa 0.934.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlworkflow.measures.metrics import METRICS, NAN, Scored, adjusted, gain, score

Array = NDArray[Any]
Measure = Callable[[Array], dict[str, Array]]  # weights (r, n) -> metric -> its r values

RESAMPLES, FEWEST_RESAMPLES, CLUSTER_RESAMPLES, CLUSTER_ROWS = 1000, 200, 100, 1000
GROUPS = 200  # the jackknife leaves out one row, or of more rows one of 200 groups, at a time
MANY = 20_000  # of more rows, fewer resamples and no jackknife: the skewness of a mean falls with the root of the rows
NORMAL = NormalDist()
CHUNK = 1_000_000  # weights held at once: 8 MB an array, about 60 MB in all
METHOD = (
    "Wilson score interval for plain proportions (accuracy, precision and recall of two classes), "
    "BCa bootstrap over rows for the others"
)
SOURCE = "Wilson 1927; Efron 1987; where all resamples agree, Hanley and Lippman-Hand 1983"
CLUSTER_METHOD, CLUSTER_SOURCE = "delete-d jackknife: rows drawn without replacement", "Shao and Wu 1989"


def resamples_for(rows: int) -> int:
    """Return how many resamples `rows` rows get: 1000, fewer (at least 200) from 20,000 rows on."""
    return int(np.clip(RESAMPLES * MANY // max(rows, 1), FEWEST_RESAMPLES, RESAMPLES))


def resample_counts(rows: int, resamples: int, *, seed: int) -> Iterator[Array]:
    """Yield (r, rows) weights in chunks, `resamples` in all: how often each bootstrap resample drew each row.

    They depend on the three arguments alone, so two models scored with the same ones are compared pair by pair.
    """
    generator = np.random.default_rng(seed)
    size = max(1, CHUNK // max(rows, 1))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        drawn = generator.integers(0, rows, (count, rows))
        drawn += np.arange(count)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows).astype(float)


def weighted(names: Iterable[str], scored: Scored, weights: Array) -> dict[str, Array]:
    """Return each metric under (r, n) weights, as r values: a weight of 2 counts as the row standing there twice.

    Not for clusters: their metrics know no weights.
    """
    return measure_of(list(names), scored)(weights)


def replicates(
    names: Iterable[str], scored: Scored, *, seed: int, resamples: int | None = None
) -> dict[str, NDArray[Any]]:
    """Return each metric (but stability) on every resample, NaN where a resample has no answer."""
    wanted = [name for name in names if name != "stability"]
    if scored.truth.ndim > 1:
        return _subsamples(wanted, scored, seed=seed, resamples=resamples or CLUSTER_RESAMPLES)
    measure, count = measure_of(wanted, scored), resamples or resamples_for(len(scored))
    if not len(scored):
        return {name: np.full(count, NAN) for name in wanted}
    parts = [measure(weights) for weights in resample_counts(len(scored), count, seed=seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in wanted}


def left_out(names: Iterable[str], scored: Scored) -> dict[str, Array]:
    """Return each metric without one row (or one of 200 groups of rows) at a time: the jackknife. Not for clusters.

    Empty for more than 20,000 rows, whose skewness is too small to matter.
    """
    wanted, n = list(names), len(scored)
    groups = min(n, GROUPS) if n <= MANY else 0
    measure, group = measure_of(wanted, scored), np.arange(n) % max(groups, 1)
    size = max(1, CHUNK // max(n, 1))
    chunks = [np.arange(start, min(start + size, groups)) for start in range(0, groups, size)]
    parts = [measure((group != chunk[:, None]).astype(float)) for chunk in chunks]
    return {name: np.concatenate([np.empty(0), *(part[name] for part in parts)]) for name in wanted}


def intervals(
    names: Iterable[str], scored: Scored, *, seed: int, level: float = 0.95, resamples: int | None = None
) -> dict[str, Any]:
    """Return the content of evaluation/intervals.json: method, source and each metric's value, low and high."""
    values = score(list(names), scored)
    clusters = scored.truth.ndim > 1
    resamples = resamples or (CLUSTER_RESAMPLES if clusters else resamples_for(len(scored)))
    others = [name for name in values if proportion(name, scored) is None]
    drawn = replicates(others, scored, seed=seed, resamples=resamples) if others else {}
    jackknife = left_out(others, scored) if others and not clusters else {}
    ends = {name: _ends(name, scored, values[name], drawn, jackknife, level) for name in values}
    return {
        "method": CLUSTER_METHOD if clusters else METHOD,
        "source": CLUSTER_SOURCE if clusters else SOURCE,
        "level": level,
        "resamples": resamples,
        "metrics": {name: {"value": values[name], "low": low, "high": high} for name, (low, high) in ends.items()},
    }


def _ends(
    name: str, scored: Scored, value: float, drawn: dict[str, Array], jackknife: dict[str, Array], level: float
) -> tuple[float, float]:
    """Return (low, high) of one metric by the method that is its own."""
    if np.isnan(value):
        return NAN, NAN
    hits_of = proportion(name, scored)
    if hits_of is not None:
        return wilson(*hits_of, level)
    low, high = bca(value, drawn[name], jackknife[name], level) if jackknife else percentiles(drawn[name], level)
    return rule_of_three(name, scored, value) if low == high or np.isnan(low) else (low, high)


def percentiles(values: Array, level: float = 0.95) -> tuple[float, float]:
    """Return the (low, high) that hold the middle `level` of the values, NaN left out; NaN if nothing is left."""
    return _quantiles(values[~np.isnan(values)], (1 - level) / 2, (1 + level) / 2)


def bca(value: float, drawn: Array, jackknife: Array, level: float = 0.95) -> tuple[float, float]:
    """Return the bias-corrected and accelerated bootstrap interval (Efron 1987) from resamples and the jackknife.

    The percentiles are moved: by the share of resamples below the value (bias), and by the skewness of the jackknife
    (acceleration). NaN are left out; NaN if nothing is left.
    """
    drawn, jackknife = drawn[~np.isnan(drawn)], jackknife[~np.isnan(jackknife)]
    if not len(drawn):
        return NAN, NAN
    below = ((drawn < value).sum() + (drawn == value).sum() / 2) / len(drawn)
    bias = NORMAL.inv_cdf(float(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn))))
    acceleration = _acceleration(jackknife)

    def moved(share: float) -> float:
        z = bias + NORMAL.inv_cdf(share)
        return NORMAL.cdf(bias + z / max(1 - acceleration * z, 0.1))

    return _quantiles(drawn, moved((1 - level) / 2), moved((1 + level) / 2))


def _acceleration(jackknife: Array) -> float:
    """Return a sixth of the skewness of a metric that is the sum of what each row adds to it."""
    strays = jackknife.mean() - jackknife if len(jackknife) else jackknife
    spread = float((strays**2).sum())
    return float((strays**3).sum()) / (6 * spread**1.5) if spread**1.5 > 0 else 0.0


def _quantiles(values: Array, low: float, high: float) -> tuple[float, float]:
    """Return two quantiles, NaN of no values."""
    ends = np.quantile(values, [low, high]) if len(values) else (NAN, NAN)
    return float(ends[0]), float(ends[1])


def proportion(name: str, scored: Scored) -> tuple[int, int] | None:
    """Return (hits, of how many) of a metric that is a plain proportion, else None."""
    if scored.truth.ndim > 1 or name not in ("accuracy", "precision", "recall"):
        return None
    hit = scored.truth == scored.labels
    if name == "accuracy":
        return int(hit.sum()), len(scored)
    if scored.k > 2:
        return None
    chosen = (scored.labels if name == "precision" else scored.truth) == 1
    return int(hit[chosen].sum()), int(chosen.sum())


def wilson(hits: int, rows: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of `hits` of `rows` (Wilson 1927); 0 to 1 for no rows."""
    if not rows:
        return 0.0, 1.0
    z = NORMAL.inv_cdf((1 + level) / 2)
    share, shrunk = hits / rows, 1 + z**2 / rows
    middle = (share + z**2 / (2 * rows)) / shrunk
    half = z * float(np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))) / shrunk
    return (middle - half if hits else 0.0), (middle + half if hits < rows else 1.0)


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


def _subsamples(names: list[str], scored: Scored, *, seed: int, resamples: int) -> dict[str, Array]:
    """Return clustering metrics on rows drawn without replacement, their spread scaled to that of all n rows.

    Of m rows out of n the metric strays from that of the n by sqrt((n - m) / m) times as much as the latter from
    the truth. calinski_harabasz grows with the rows, so it is first brought from m to n of them.
    """
    n, generator = len(scored), np.random.default_rng(seed)
    m = min(CLUSTER_ROWS, n // 2)
    values, k = score(names, scored), len(np.unique(scored.labels))
    drawn = {name: np.full(resamples, NAN) for name in names}
    for i in range(resamples if m > k else 0):
        part = score(names, scored.take(np.sort(generator.choice(n, m, replace=False))))
        for name in names:
            grown = (n - k) / (m - k) if name == "calinski_harabasz" else 1.0
            drawn[name][i] = values[name] + (part[name] * grown - values[name]) * np.sqrt(m / (n - m))
    return drawn


def measure_of(names: list[str], scored: Scored) -> Measure:
    """Return the function that scores weights, everything that does not depend on them worked out once."""
    arrays = (scored.truth, scored.labels, scored.probabilities)
    finite = all(array is None or bool(np.isfinite(array).all()) for array in arrays)
    known = [n for n in names if finite and (scored.probabilities is not None or not METRICS[n].needs_probabilities)]
    measures = [make(known, scored) for make, of in _FAMILIES if any(name in of for name in known)]

    def measure(weights: Array) -> dict[str, Array]:
        with np.errstate(all="ignore"):
            found = {name: value for each in measures for name, value in each(weights).items()}
        return {name: found.get(name, np.full(len(weights), NAN)) for name in names}

    return measure


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
