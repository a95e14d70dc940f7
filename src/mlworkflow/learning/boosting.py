"""Boosters that stop by themselves: how many trees is found on rows held out, then all rows are fitted with as many.

A booster is any estimator of scikit-learn's interface that is fitted with rows to be watched: xgboost's and LightGBM's,
whose trees are `n_estimators`, and scikit-learn's histogram gradient boosting, whose trees are `max_iter`.
"""

# scikit-learn has no types
# mypy: allow-subclassing-any
from __future__ import annotations

from collections.abc import Collection
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone

FEWEST_ROWS = 50  # of fewer, none is held out
FEW_TREES = 200  # and so many are grown, where the booster would grow more


class _EarlyStopped(MetaEstimatorMixin, BaseEstimator):
    """A booster whose number of trees is found on rows held out; what it may grow at most is the booster's own.

    It sees a matrix, no keys: rows of one group or one time may be on both sides, and it then stops a little late.

    estimator: the booster; it must not stop early by itself.
    share: of the rows, held out to find the number of trees.
    rounds: as many trees without a gain on the rows held out end the search.
    scheme: the split of the problem; with `time` the last rows are held out, else rows drawn with `seed`.
    class_weight: null, or `balanced`: every class weighs the same.
    rows: what is added to the rows fitted on, never to those held out (learning/augment.py); None: nothing.
    """

    def __init__(
        self,
        estimator: Any,
        share: float = 0.2,
        rounds: int = 50,
        scheme: str = "hash",
        class_weight: str | None = None,
        rows: Any = None,
        seed: int = 0,
    ) -> None:
        self.estimator = estimator
        self.share = share
        self.rounds = rounds
        self.scheme = scheme
        self.class_weight = class_weight
        self.rows = rows
        self.seed = seed

    def fit(self, X: Any, y: np.ndarray) -> _EarlyStopped:
        """Find the number of trees, then fit all rows with it; of less than 50 rows none is held out."""
        y = np.asarray(y)
        held = self._held(y) if len(y) >= FEWEST_ROWS else np.zeros(len(y), dtype=bool)
        size = "max_iter" if "X_val" in signature(self.estimator.fit).parameters else "n_estimators"
        trees = self._best(X, y, held) if held.any() else min(FEW_TREES, self.estimator.get_params()[size])
        X, y, weights = self._fitted_on(X, y)
        quiet = {"early_stopping": False} if size == "max_iter" else {}
        self.estimator_ = clone(self.estimator).set_params(**{size: trees}, **quiet).fit(X, y, **weights)
        self.trees_ = trees
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return (n,) classes or values."""
        return np.asarray(self.estimator_.predict(X))

    def _parts(self, y: np.ndarray) -> np.ndarray:
        """Return what each row is alike in: the rows of each part are held out by the same share."""
        return np.zeros(len(y), dtype=int)

    def _held(self, y: np.ndarray) -> np.ndarray:
        """Return an (n,) bool, True for the rows held out; every class is left among the others."""
        held = np.zeros(len(y), dtype=bool)
        if self.scheme == "time":
            held[len(y) - int(len(y) * self.share) :] = True
            return np.asarray(held & np.isin(self._parts(y), self._parts(y)[~held]))
        order = np.random.default_rng(self.seed).permutation(len(y))
        for part in np.unique(self._parts(y)):
            drawn = order[self._parts(y)[order] == part]
            held[drawn[: int(len(drawn) * self.share)]] = True
        return held

    def _best(self, X: Any, y: np.ndarray, held: np.ndarray) -> int:
        """Return how many trees were best on the rows held out."""
        booster, (watched, truth) = clone(self.estimator), (_take(X, held), y[held])
        X, y, weights = self._fitted_on(_take(X, ~held), y[~held])
        taken = signature(booster.fit).parameters
        watching = _watching(taken, watched, truth, self._weights(truth) if weights else None)
        if "X_val" in taken:
            booster.set_params(early_stopping=True, n_iter_no_change=self.rounds).fit(X, y, **weights, **watching)
            return max(1, int(np.argmax(booster.validation_score_)))  # the first is that of no tree
        booster.set_params(early_stopping_rounds=self.rounds).fit(X, y, **weights, **watching)
        best = getattr(booster, "best_iteration_", None)  # LightGBM's; xgboost's begins at 0
        return max(1, int(booster.best_iteration + 1 if best is None else best))

    def _fitted_on(self, X: Any, y: np.ndarray) -> tuple[Any, np.ndarray, dict[str, np.ndarray]]:
        """Return the rows with those that are added, and the arguments that weigh them."""
        if self.rows is not None:
            X, y = self.rows.added(X, y)
        return X, y, {} if self.class_weight is None else {"sample_weight": self._weights(y)}

    def _weights(self, y: np.ndarray) -> np.ndarray:
        from sklearn.utils.class_weight import compute_sample_weight

        return np.asarray(compute_sample_weight(self.class_weight, y))


class EarlyStoppedClassifier(ClassifierMixin, _EarlyStopped):
    """Classes by a booster that stops by itself."""

    def fit(self, X: Any, y: np.ndarray) -> EarlyStoppedClassifier:
        """Find the number of trees on rows of every class, then fit all rows with it."""
        super().fit(X, y)
        self.classes_ = self.estimator_.classes_
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return (n, K) probabilities."""
        return np.asarray(self.estimator_.predict_proba(X))

    def _parts(self, y: np.ndarray) -> np.ndarray:
        return y


class EarlyStoppedRegressor(RegressorMixin, _EarlyStopped):
    """Values by a booster that stops by itself."""


def _watching(taken: Collection[str], X: Any, y: np.ndarray, weights: np.ndarray | None) -> dict[str, Any]:
    """Return the arguments of `fit` that name the rows to be watched, as the booster calls them."""
    if "X_val" in taken:
        return {"X_val": X, "y_val": y} | ({} if weights is None else {"sample_weight_val": weights})
    found: dict[str, Any] = {"eval_X": X, "eval_y": y} if "eval_X" in taken else {"eval_set": [(X, y)]}
    if weights is not None:
        found |= {name: [weights] for name in ("sample_weight_eval_set", "eval_sample_weight") if name in taken}
    return found | ({"verbose": False} if "verbose" in taken else {})


def _take(X: Any, rows: np.ndarray) -> Any:
    return X.loc[rows] if hasattr(X, "loc") else X[rows]
