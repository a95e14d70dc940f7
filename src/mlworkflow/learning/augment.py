"""Rows added to those that a model is fitted on, never to those it is judged on: they are made inside `fit`.

`Augmented` puts them before any estimator; `augmented` finds where, as what an estimator holds out of its rows, for
early stopping or for calibration, must hold no copy of a row that it is fitted on.
"""

# scikit-learn has no types
# mypy: allow-subclassing-any, allow-untyped-decorators
from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

INNER = {"CalibratedClassifierCV": "estimator", "TransformedTargetRegressor": "regressor"}  # hold out rows, or move y


class Oversample(BaseEstimator):
    """Rows of rare classes drawn again, until each class has `ratio` times as many as the commonest."""

    def __init__(self, ratio: float = 0.5, seed: int = 0) -> None:
        self.ratio = ratio
        self.seed = seed

    def added(self, X: Any, y: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return the rows, and after them those drawn again, each as often as any other of its class, up to one."""
        rng, (codes, counts) = np.random.default_rng(self.seed), np.unique(y, return_counts=True)
        drawn = [np.arange(len(y))]
        for code, count in zip(codes, counts, strict=True):
            lacking = int(np.ceil(self.ratio * counts.max())) - count
            rows = rng.permutation(np.flatnonzero(y == code))
            drawn.append(np.resize(rows, max(lacking, 0)))
        chosen = np.concatenate(drawn)
        return _take(X, chosen), y[chosen]


class Noise(BaseEstimator):
    """Each row `copies` times more, its numbers moved by Gaussian noise of `size` standard deviations of their column.

    Columns of zeros and ones, and what is missing, stay as they are; so do the zeros of a sparse matrix.
    """

    def __init__(self, size: float = 0.1, copies: int = 1, seed: int = 0) -> None:
        self.size = size
        self.copies = copies
        self.seed = seed

    def added(self, X: Any, y: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return the rows, and after them their copies."""
        rng = np.random.default_rng(self.seed)
        moved = [self._moved(X, rng) for _ in range(self.copies)]
        return _stack([X, *moved]), np.concatenate([y] * (self.copies + 1))

    def _moved(self, X: Any, rng: np.random.Generator) -> Any:
        from scipy import sparse

        if not sparse.issparse(X):
            values = np.asarray(X, dtype="float64")
            return values + rng.normal(size=values.shape) * self.size * _spread(values)
        moved = sparse.csr_array(X, dtype="float64", copy=True)
        moved.data += rng.normal(size=moved.nnz) * self.size * _sparse_spread(moved)[moved.indices]
        return moved


class Augmented(MetaEstimatorMixin, BaseEstimator):
    """An estimator that is fitted on more rows than it is given; for all else it is as it is."""

    def __init__(self, estimator: Any, rows: Any) -> None:
        self.estimator = estimator
        self.rows = rows

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.estimator)

    def fit(self, X: Any, y: np.ndarray) -> Augmented:
        """Fit the estimator on the rows and those that are added."""
        self.estimator_ = clone(self.estimator).fit(*self.rows.added(X, np.asarray(y)))
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X: Any) -> Any:
        """Return (n,) classes or values."""
        return self.estimator_.predict(X)

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Return (n, K) probabilities."""
        return self.estimator_.predict_proba(X)

    @available_if(lambda self: hasattr(self.estimator, "decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Return how far each row is on which side."""
        return self.estimator_.decision_function(X)


def augmented(estimator: Any, rows: Any) -> Any:
    """Return the unfitted estimator with `rows` added at fit, inside of what holds out rows of its own."""
    parameters = estimator.get_params(deep=False)
    if "rows" in parameters:
        return estimator.set_params(rows=rows)
    inner = INNER.get(type(estimator).__name__)
    if inner is not None:
        return estimator.set_params(**{inner: augmented(parameters[inner], rows)})
    return Augmented(estimator, rows)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return the (d,) standard deviations of (n, d) numbers; 0 for columns of zeros and ones, or without values."""
    flags = ((values == 0) | (values == 1) | np.isnan(values)).all(axis=0)
    known = np.where(flags, 0.0, values)
    return np.asarray(np.nanstd(known, axis=0))


def _sparse_spread(rows: Any) -> np.ndarray:
    """Return what `_spread` returns, for the stored values and the zeros of a sparse matrix in rows."""
    count, width = rows.shape
    mean, square = (np.bincount(rows.indices, rows.data**power, width) / count for power in (1, 2))
    numbers = np.bincount(rows.indices, (rows.data != 0) & (rows.data != 1), width) > 0
    return np.asarray(np.where(numbers, np.sqrt(np.maximum(square - mean**2, 0.0)), 0.0))


def _take(X: Any, rows: np.ndarray) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _stack(parts: list[Any]) -> Any:
    from scipy import sparse

    return sparse.vstack(parts, format="csr") if sparse.issparse(parts[0]) else np.vstack(parts)
