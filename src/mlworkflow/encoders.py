"""Estimators that make numbers of a column: outliers, categories by hash, text; each part of a pipeline.

They hold plain arrays and numbers alone, so that a model file can carry them and has the same bytes each time.
"""

# scikit-learn has no types
# mypy: allow-subclassing-any
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

QUANTILES = (0.01, 0.99)  # numbers of the training rows beyond are outliers
BUCKETS = 32  # columns for a hashed category
MOST_TERMS = 20_000  # of a text, the commonest
HASH_KEY = "mlworkflow-words"  # 16 characters


class Clip(TransformerMixin, BaseEstimator):
    """Numbers beyond two quantiles of the training rows become those quantiles; missing ones stay missing."""

    def __init__(self, quantiles: tuple[float, float] = QUANTILES) -> None:
        self.quantiles = quantiles

    def fit(self, X: Any, y: Any = None) -> Clip:
        """Note the quantiles of each column of the (n, d) numbers; a column without numbers has no limits."""
        import pandas as pd

        limits = pd.DataFrame(np.asarray(X, dtype="float64")).quantile(list(self.quantiles), interpolation="nearest")
        self.low_, self.high_ = limits.fillna({}).to_numpy()
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the (n, d) numbers within the limits."""
        return np.asarray(np.clip(np.asarray(X, dtype="float64"), self.low_, self.high_))


class Flag(Clip):
    """Numbers as they are, and for each column whether they lie beyond the quantiles (0 or 1; 0 where missing)."""

    def transform(self, X: Any) -> np.ndarray:
        """Return the (n, 2 d) numbers and flags."""
        values = np.asarray(X, dtype="float64")
        return np.hstack([values, ((values < self.low_) | (values > self.high_)).astype("float64")])


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
        vectorizer = _vectorizer(min_df=2, max_features=MOST_TERMS)
        try:
            matrix = vectorizer.fit_transform(_texts(X))
            self.terms_, self.rarity_ = vectorizer.get_feature_names_out().astype("str"), vectorizer.idf_
        except ValueError:  # no term is there twice
            self.terms_, self.rarity_ = np.array(["(none)"]), np.ones(1)
            matrix = self._matrix(X)
        if self.components is None:
            return matrix
        self.directions_ = _directions(matrix, self.components, self.seed)
        return np.asarray(matrix @ self.directions_)

    def transform(self, X: Any) -> Any:
        """Return the (n, k) place of each text, or its (n, terms) weights."""
        matrix = self._matrix(X)
        return matrix if self.components is None else np.asarray(matrix @ self.directions_)

    def _matrix(self, X: Any) -> Any:
        vectorizer = _vectorizer(vocabulary=self.terms_)
        vectorizer.idf_ = self.rarity_
        return vectorizer.transform(_texts(X))


def _vectorizer(**changes: Any) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, **changes)


def _texts(X: Any) -> list[str]:
    """Return the texts of an (n, 1) table, empty where missing."""
    return ["" if text is None else str(text) for text in np.asarray(X, dtype="object")[:, 0]]


def _directions(matrix: Any, components: int, seed: int) -> np.ndarray:
    """Return the (terms, k) right singular vectors of an (n, terms) matrix, their signs fixed, k <= components."""
    from sklearn.decomposition import TruncatedSVD

    if not matrix.nnz:
        return np.zeros((matrix.shape[1], 1))
    svd = TruncatedSVD(min(components, *matrix.shape), random_state=seed).fit(matrix)
    return np.ascontiguousarray(svd.components_.T)
