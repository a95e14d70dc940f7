"""Resamples of the rows, a metric on each, and the interval that they give.

- BCa bootstrap (Efron 1987; Efron and Tibshirani 1993, chapter 14). A resample is a weight for each row: how often it
  was drawn. Resamples: 1000; of more than 20,000 rows, 20 million divided by the rows, yet at least 200: the ends are
  known less sharply then, but the interval itself is narrow.
- Clusters: drawing a row twice puts it at distance zero from itself and flatters every cluster, so rows are
  drawn without replacement (half of them, at most 1000, 100 times), and the spread is scaled to that of n rows:
  the delete-d jackknife (Shao and Wu 1989).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import NormalDist

import numpy as np

from mlworkflow.measures.metrics import NAN, Scored, score
from mlworkflow.measures.weighted import Array, measure_of

RESAMPLES, FEWEST_RESAMPLES, CLUSTER_RESAMPLES, CLUSTER_ROWS = 1000, 200, 100, 1000
GROUPS = 200  # the jackknife leaves out one row, or of more rows one of 200 groups, at a time
MANY = 20_000  # of more rows, fewer resamples and no jackknife: the skewness of a mean falls with the root of the rows
NORMAL = NormalDist()
CHUNK = 1_000_000  # weights held at once: 8 MB an array, about 60 MB in all


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


def replicates(names: Iterable[str], scored: Scored, *, seed: int, resamples: int | None = None) -> dict[str, Array]:
    """Return each metric (but stability) on every resample, NaN where a resample has no answer."""
    wanted = [name for name in names if name != "stability"]
    if scored.truth.ndim > 1:
        return _subsamples(wanted, scored, seed=seed, resamples=resamples or CLUSTER_RESAMPLES)
    measure, count = measure_of(wanted, scored), resamples or resamples_for(len(scored))
    if not len(scored):
        return {name: np.full(count, NAN) for name in wanted}
    parts = [measure(weights) for weights in resample_counts(len(scored), count, seed=seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in wanted}


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
