"""The ladder of baselines, simplest first: what any model must beat to be worth having.

Each rung is a pipeline like the model's, so that the same code fits, scores and stores it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, RegressorMixin
from sklearn.pipeline import Pipeline, make_pipeline

from mlworkflow.core.params import Wants
from mlworkflow.learning.models import columns
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.reading import as_word
from mlworkflow.rows.schema import codes

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem
    from mlworkflow.rows.schema import Schema

SIMPLEST_FIRST = (
    "random", "human", "existing", "majority", "mean", "median", "last_value", "seasonal", "one_column", "linear",
)  # fmt: skip


class RandomGuess(ClassifierMixin, BaseEstimator):
    """Probabilities drawn at random, evenly over all that sum to one."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: Any, y: np.ndarray) -> RandomGuess:
        """Note the classes."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return (n, K) probabilities."""
        return np.random.default_rng(self.seed).dirichlet(np.ones(len(self.classes_)), size=len(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return (n,) classes."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class RandomDraw(RegressorMixin, BaseEstimator):
    """The target of a training row drawn at random (one of its 1,000 quantiles)."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: Any, y: np.ndarray) -> RandomDraw:
        """Note the quantiles of the target."""
        self.quantiles_ = np.quantile(y, np.linspace(0, 1, 1000), method="nearest")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return (n,) values."""
        return np.random.default_rng(self.seed).choice(self.quantiles_, size=len(X))


class LastValue(RegressorMixin, BaseEstimator):
    """The target of the last training row; rows come in the order of time."""

    def fit(self, X: Any, y: np.ndarray) -> LastValue:
        """Note the last target."""
        self.last_ = float(y[-1])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return (n,) times the last value."""
        return np.full(len(X), self.last_)


class SeasonalMean(RegressorMixin, BaseEstimator):
    """The mean target of the training rows with the same weekday and hour (daily rows: weekday), the columns of X."""

    def fit(self, X: Any, y: np.ndarray) -> SeasonalMean:
        """Average over the 7 x 24 positions of the week; an unseen one has the overall mean."""
        position = self._position(X)
        count = np.bincount(position, minlength=7 * 24)
        total = np.bincount(position, weights=y, minlength=7 * 24)
        self.means_ = np.where(count > 0, total / np.maximum(count, 1), float(np.mean(y)))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return (n,) means."""
        return np.asarray(self.means_[self._position(X)])

    @staticmethod
    def _position(X: Any) -> np.ndarray:
        weekday, *hour = np.nan_to_num(np.asarray(X, dtype=float)).astype(int).T
        return np.asarray(weekday * 24 + (hour[0] if hour else 0))


class _OneColumn(BaseEstimator):
    """A tree of depth two over the one column that explains the training rows best."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def _tree(self) -> Any:
        raise NotImplementedError

    def fit(self, X: Any, y: np.ndarray) -> _OneColumn:
        """Try every column of the (n, d) matrix; keep the first of the best."""
        from sklearn.base import clone

        matrix = np.asarray(X, dtype=float)
        trees = [clone(self._tree()).fit(matrix[:, [position]], y) for position in range(matrix.shape[1])]
        self.position_ = int(np.argmin([_impurity(tree) for tree in trees]))
        self.rule_ = trees[self.position_]
        if hasattr(self.rule_, "classes_"):
            self.classes_ = self.rule_.classes_
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return (n,) classes or values."""
        return np.asarray(self.rule_.predict(np.asarray(X, dtype=float)[:, [self.position_]]))


def _impurity(tree: Any) -> float:
    """Return the impurity that is left in the leaves, weighted by their rows."""
    grown = tree.tree_
    leaves = grown.children_left == -1
    return float((grown.impurity[leaves] * grown.weighted_n_node_samples[leaves]).sum())


class OneColumnClassifier(ClassifierMixin, _OneColumn):
    """The best one-column rule for classes."""

    def _tree(self) -> Any:
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(max_depth=2, min_samples_leaf=0.02, criterion="log_loss", random_state=self.seed)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return (n, K) probabilities."""
        return np.asarray(self.rule_.predict_proba(np.asarray(X, dtype=float)[:, [self.position_]]))


class OneColumnRegressor(RegressorMixin, _OneColumn):
    """The best one-column rule for values."""

    def _tree(self) -> Any:
        from sklearn.tree import DecisionTreeRegressor

        return DecisionTreeRegressor(max_depth=2, min_samples_leaf=0.02, random_state=self.seed)


class RandomClusters(ClusterMixin, BaseEstimator):
    """Clusters drawn at random."""

    def __init__(self, clusters: int = 2, seed: int = 0) -> None:
        self.clusters = clusters
        self.seed = seed

    def fit(self, X: Any, y: None = None) -> RandomClusters:
        """Learn nothing."""
        self.labels_ = self.predict(X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return (n,) cluster numbers."""
        return np.random.default_rng(self.seed).integers(self.clusters, size=len(X))


class QuantileClusters(ClusterMixin, BaseEstimator):
    """Equal parts of the one column that is furthest from even (the largest gap between neighbouring means)."""

    def __init__(self, clusters: int = 2) -> None:
        self.clusters = clusters

    def fit(self, X: Any, y: None = None) -> QuantileClusters:
        """Choose the column whose parts explain most of the variance of the whole matrix."""
        matrix = np.asarray(X, dtype=float)
        explained = [self._between(matrix, matrix[:, position]) for position in range(matrix.shape[1])]
        self.position_ = int(np.argmax(explained))
        self.edges_ = self._edges(matrix[:, self.position_])
        self.labels_ = self.predict(X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return (n,) cluster numbers."""
        return np.searchsorted(self.edges_, np.asarray(X, dtype=float)[:, self.position_], side="right")

    def _edges(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.quantile(values, np.arange(1, self.clusters) / self.clusters))

    def _between(self, matrix: np.ndarray, values: np.ndarray) -> float:
        part = np.searchsorted(self._edges(values), values, side="right")
        means = [matrix[part == number].mean(axis=0) for number in np.unique(part)]
        sizes = [int((part == number).sum()) for number in np.unique(part)]
        return float(
            sum(size * ((mean - matrix.mean(axis=0)) ** 2).sum() for size, mean in zip(sizes, means, strict=True))
        )


def ladder(problem: Problem, schema: Schema, seed: int) -> dict[str, Pipeline]:
    """Return the unfitted rungs of the problem's task by name, simplest first."""
    rungs = {
        name: Pipeline([("columns", columns(schema, _wants(name, problem))), ("model", rung)])
        for name, rung in _rungs(problem, seed)
    }
    if problem.split.scheme == "time" and problem.task == "regression":
        rungs["last_value"] = make_pipeline(LastValue())
        seen = [column.name for column in schema.inputs if column.treatment != "drop"]
        weekly = [name for part in ("weekday", "hour") if (name := f"{problem.data.time}_{part}") in seen]
        if f"{problem.data.time}_weekday" in weekly:
            rungs["seasonal"] = make_pipeline(_only(weekly), SeasonalMean())
    return {name: rungs[name] for name in SIMPLEST_FIRST if name in rungs}


def _wants(rung: str, problem: Problem) -> Wants:
    """A linear rung has a weight for each term of a text, as the linear model has."""
    return Wants(scaling=True, terms=rung == "linear" and problem.task != "clustering")


def _only(names: list[str]) -> Any:
    from sklearn.compose import ColumnTransformer

    return ColumnTransformer([("kept", "passthrough", names)])


def _rungs(problem: Problem, seed: int) -> list[tuple[str, BaseEstimator]]:
    if problem.task == "clustering":
        return _clustering(problem.clusters or 2, seed)
    if problem.task == "regression":
        return _regression(seed)
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    return [
        ("random", RandomGuess(seed)),
        ("majority", DummyClassifier(strategy="prior")),
        ("one_column", OneColumnClassifier(seed)),
        ("linear", LogisticRegression(max_iter=2000)),
    ]


def _regression(seed: int) -> list[tuple[str, BaseEstimator]]:
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import Ridge

    return [
        ("random", RandomDraw(seed)),
        ("mean", DummyRegressor(strategy="mean")),
        ("median", DummyRegressor(strategy="median")),
        ("one_column", OneColumnRegressor(seed)),
        ("linear", Ridge()),
    ]


def _clustering(clusters: int, seed: int) -> list[tuple[str, BaseEstimator]]:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    line = Pipeline([("line", PCA(1, random_state=seed)), ("means", KMeans(clusters, n_init=10, random_state=seed))])
    return [
        ("random", RandomClusters(clusters, seed)),
        ("one_column", QuantileClusters(clusters)),
        ("linear", line),
    ]


def existing(said: pd.Series, truth: np.ndarray, schema: Schema) -> Scored:
    """Return what the system in use says, from its column: values, probabilities of the positive class, or classes."""
    if not schema.classes:
        return Scored(truth, said.to_numpy(dtype=float), None)
    if len(schema.classes) == 2 and said.dtype.kind == "f" and bool(said.between(0, 1).all()):
        probabilities = np.column_stack([1 - said.to_numpy(), said.to_numpy()])
    else:
        probabilities = (codes(said.map(as_word), schema.classes)[:, None] == np.arange(len(schema.classes))).astype(
            float
        )
    return Scored(truth, probabilities.argmax(axis=1), probabilities)
