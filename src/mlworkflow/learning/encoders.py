"""Estimators that make numbers of a column: outliers, categories by hash, text; each part of a pipeline.

They hold plain arrays and numbers alone, so that a model file can carry them and has the same bytes each time.
"""

# scikit-learn has no types
# mypy: allow-subclassing-any
from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from mlworkflow.rows.treatments import OUTLYING

BUCKETS = 32  # columns for a hashed category
MOST_TERMS = 20_000  # of a text, the commonest
HASH_KEY = "mlworkflow-words"  # 16 characters


class Clip(TransformerMixin, BaseEstimator):
    """Numbers beyond two quantiles of the training rows become those quantiles; missing ones stay missing."""

    def __init__(self, quantiles: tuple[float, float] = OUTLYING) -> None:
        self.quantiles = quantiles

    def fit(self, X: Any, y: Any = None) -> Clip:
        """Note the quantiles of each column of the (n, d) numbers; a column without numbers has no limits."""
        import pandas as pd

        limits = pd.DataFrame(np.asarray(X, dtype="float64")).quantile(list(self.quantiles), interpolation="nearest")
        low, high = limits.to_numpy()
        self.low_, self.high_ = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the (n, d) numbers within the limits."""
        return np.asarray(np.clip(np.asarray(X, dtype="float64"), self.low_, self.high_))

    def get_feature_names_out(self, input_features: Any) -> np.ndarray:
        """Return the names of the columns that `transform` makes."""
        return _names(input_features)


class Flag(Clip):
    """Numbers as they are, and for each column whether they lie beyond the quantiles (0 or 1; 0 where missing)."""

    def transform(self, X: Any) -> np.ndarray:
        """Return the (n, 2 d) numbers and flags."""
        values = np.asarray(X, dtype="float64")
        return np.hstack([values, ((values < self.low_) | (values > self.high_)).astype("float64")])

    def get_feature_names_out(self, input_features: Any) -> np.ndarray:
        """Return the names of the numbers, then of their flags."""
        return _names([*input_features, *(f"{name} is far" for name in input_features)])


class Hash(TransformerMixin, BaseEstimator):
    """Each category falls into one of `buckets` columns by its hash alone, so that no list of categories is kept."""

    def __init__(self, buckets: int = BUCKETS) -> None:
        self.buckets = buckets

    def fit(self, X: Any, y: Any = None) -> Hash:
        """Learn nothing but the number of columns."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return (n, d * buckets) zeros and ones for (n, d) words."""
        import pandas as pd

        words = np.asarray(X, dtype="object")
        hashed = [pd.util.hash_array(words[:, column], hash_key=HASH_KEY) for column in range(words.shape[1])]
        return np.hstack([(one % self.buckets)[:, None] == np.arange(self.buckets) for one in hashed]).astype("float64")

    def get_feature_names_out(self, input_features: Any) -> np.ndarray:
        """Return the names of the columns that `transform` makes."""
        return _names([f"{name} hash {bucket}" for name in input_features for bucket in range(self.buckets)])


class Words(TransformerMixin, BaseEstimator):
    """TF-IDF of the words and pairs of words of a text, and of that the directions in which texts differ most (SVD).

    `components`: how many directions, fewer where there are fewer terms; None: the terms themselves, a sparse matrix.
    The terms are kept as one array, not as scikit-learn's dictionary, which a model file would store word by word.
    """

    def __init__(self, components: int | None = 30, seed: int = 0) -> None:
        self.components = components
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Words:
        """Learn the terms of the (n, 1) texts, how rare each is, and the directions; missing text has no terms."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Learn, and return what `transform` returns."""
        counter = _counter(min_df=2, max_features=MOST_TERMS)
        try:
            counts = counter.fit_transform(_texts(X))
            self.terms_ = counter.get_feature_names_out().astype("str")
        except ValueError:  # no term is there twice
            self.terms_ = np.array(["(none)"])
            counts = _counter(vocabulary=self.terms_).transform(_texts(X))
        counts.sort_indices()  # so that a row's length is summed in the order of `transform`
        self.rarity_ = _weigher().fit(counts).idf_
        if self.components is not None:
            self.directions_ = _directions(self._weighed(counts), self.components, self.seed)
        return self._placed(counts)

    def transform(self, X: Any) -> Any:
        """Return the (n, k) place of each text, or its (n, terms) weights."""
        return self._placed(_counter(vocabulary=self.terms_).transform(_texts(X)))

    def get_feature_names_out(self, input_features: Any) -> np.ndarray:
        """Return the names of the columns that `transform` makes: a term, or the number of a direction."""
        parts = self.terms_ if self.components is None else range(self.directions_.shape[1])
        return _names([f"{input_features[0]} {part}" for part in parts])

    def _weighed(self, counts: Any) -> Any:
        weigher = _weigher()
        weigher.idf_ = self.rarity_
        return weigher.transform(counts)

    def _placed(self, counts: Any) -> Any:
        weighed = self._weighed(counts)
        return weighed if self.components is None else np.asarray(weighed @ self.directions_)


def _names(names: Any) -> np.ndarray:
    return np.asarray(list(names), dtype="object")


def _counter(**changes: Any) -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(ngram_range=(1, 2), **changes)


def _weigher() -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer

    return TfidfTransformer(sublinear_tf=True)


def _texts(X: Any) -> list[str]:
    """Return the texts of an (n, 1) table, empty where missing."""
    return [text if isinstance(text, str) else "" for text in np.asarray(X, dtype="object")[:, 0]]


def _directions(matrix: Any, components: int, seed: int) -> np.ndarray:
    """Return the (terms, k) right singular vectors of an (n, terms) matrix, their signs fixed, k <= components."""
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    if not matrix.nnz:
        return np.zeros((matrix.shape[1], 1))
    with threadpool_limits(1):  # sums over threads differ in the last bit
        _, _, right = randomized_svd(matrix, min(components, *matrix.shape), random_state=seed)
    return np.ascontiguousarray(right.T)
