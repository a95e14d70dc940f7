"""Stability: do the clusters come back when the rows are drawn anew?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.metrics import NAN

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stability(pipeline: Any, table: Any, labels: NDArray[Any], *, seed: int, resamples: int = 20) -> float:
    """Return how well the clusters come back when the rows are drawn anew: 1 always, about 0 by chance (Hennig 2007).

    The mean adjusted Rand index between `labels` (n,) and the labels given by clones of `pipeline` refitted on
    bootstrap resamples of the n rows of `table`. A clone that cannot label other rows (no `predict`) is compared
    on the rows it drew. NaN for one cluster.
    """
    from sklearn.metrics import adjusted_rand_score

    if len(np.unique(labels)) < 2:
        return NAN
    agreements = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rows in _draws(len(labels), resamples, seed):
            seen, found = _relabelled(pipeline, table, rows)
            agreements.append(adjusted_rand_score(labels[seen], found))
    return float(np.mean(agreements))


def _draws(rows: int, resamples: int, seed: int) -> Iterator[NDArray[Any]]:
    """Yield the sorted positions of each bootstrap resample."""
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.sort(generator.integers(0, rows, rows))


def _relabelled(pipeline: Any, table: Any, rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (positions, labels there) by a clone of the pipeline refitted on `rows` of the table."""
    from sklearn.base import clone

    drawn = table.iloc[rows] if hasattr(table, "iloc") else table[rows]
    fresh = clone(pipeline)
    if not hasattr(fresh, "predict"):
        return rows, np.asarray(fresh.fit_predict(drawn))
    fresh.fit(drawn)
    return np.arange(len(table)), np.asarray(fresh.predict(table))
