"""Metrics: (truth, prediction) -> named numbers, each knowing which way is better.

The names and the values are scikit-learn's. Every number is as it is printed: no minus sign turns an error
into a score; who compares two values asks `gain`.

- Several classes: roc_auc and average_precision are the plain mean of one class against the rest over the classes
  present (macro); precision, recall and f1 are the macro mean over the classes seen or predicted; brier_score is
  the squared distance to the true class summed over the classes (0 to 2; for two classes, halved: 0 to 1).
- What is divided by nothing counts as 0 (no row predicted positive: precision 0).
- A question without an answer is NaN, never an exception or a warning: rows of one class only (for every metric
  that sets classes against each other), one cluster only, a constant truth (r2), no rows, numbers that are not finite.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.core.problem import Task

NAN = float("nan")
SILHOUETTE_ROWS = (
    5000  # its time grows with the square of the rows: of more rows, the same 5000 drawn ones are measured
)


@dataclass(frozen=True)
class Scored:
    """Rows with what is true and what was predicted of them.

    truth: (n,) codes 0..K-1 | (n,) values | clustering: (n, d) the scaled columns. labels: (n,) predicted codes |
    values | cluster numbers. probabilities: (n, K) or None. columns: number of input columns (adjusted_r2 needs it).
    classes: K, for rows that may not show all of them; without it, the columns of `probabilities` or the codes say it.
    """

    truth: NDArray[Any]
    labels: NDArray[Any]
    probabilities: NDArray[Any] | None = None
    columns: int | None = None
    classes: int | None = None

    def __len__(self) -> int:
        """Return the number of rows n."""
        return len(self.labels)

    @property
    def k(self) -> int:
        """The number of classes K, at least 2 (of a classification)."""
        if self.classes is not None:
            return self.classes
        if self.probabilities is not None:
            return int(self.probabilities.shape[1])
        return max(2, *(int(codes.max(initial=0)) + 1 for codes in (self.truth, self.labels)))

    def take(self, rows: NDArray[Any]) -> Scored:
        """Return the given rows (a mask or positions) as a Scored of their own, with the same K."""
        k = None if self.truth.ndim > 1 or self.truth.dtype.kind == "f" else self.k
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return replace(self, truth=self.truth[rows], labels=self.labels[rows], probabilities=probabilities, classes=k)


@dataclass(frozen=True)
class Metric:
    """What a metric is for, and which way is better."""

    name: str
    tasks: tuple[Task, ...]
    greater_is_better: bool
    needs_probabilities: bool = False


_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_VALUES: tuple[Task, ...] = ("regression",)
_CLUSTERS: tuple[Task, ...] = ("clustering",)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", _CLASSES, True, needs_probabilities=True),
        Metric("average_precision", _CLASSES, True, needs_probabilities=True),
        Metric("log_loss", _CLASSES, False, needs_probabilities=True),
        Metric("brier_score", _CLASSES, False, needs_probabilities=True),
        Metric("accuracy", _CLASSES, True),
        Metric("balanced_accuracy", _CLASSES, True),
        Metric("precision", _CLASSES, True),
        Metric("recall", _CLASSES, True),
        Metric("f1", _CLASSES, True),
        Metric("matthews_corrcoef", _CLASSES, True),
        Metric("rmse", _VALUES, False),
        Metric("mae", _VALUES, False),
        Metric("mape", _VALUES, False),
        Metric("r2", _VALUES, True),
        Metric("adjusted_r2", _VALUES, True),
        Metric("median_absolute_error", _VALUES, False),
        Metric("silhouette", _CLUSTERS, True),
        Metric("davies_bouldin", _CLUSTERS, False),
        Metric("calinski_harabasz", _CLUSTERS, True),
        Metric("stability", _CLUSTERS, True),
    )
}


def metrics_for(task: Task) -> list[str]:
    """Return the names of the task's metrics, in the order of METRICS."""
    return [name for name, metric in METRICS.items() if task in metric.tasks]


def gain(name: str, candidate_value: float, base_value: float) -> float:
    """Return how much better the candidate is, in the metric's unit: above zero is better, whatever the direction."""
    difference = candidate_value - base_value
    return difference if METRICS[name].greater_is_better else -difference


def score(names: Iterable[str], scored: Scored, *, stability: float | None = None) -> dict[str, float]:
    """Return the value of each metric by scikit-learn's functions, NaN where it has none.

    `stability` cannot be told from one clustering: it is left out unless its value (see the function) is passed.
    """
    values = {name: _value(name, scored) for name in names if name != "stability"}
    if stability is not None and "stability" in names:
        values["stability"] = stability
    return values


def _value(name: str, scored: Scored) -> float:
    """Return one metric; NaN for rows that cannot answer it."""
    if not len(scored) or not _finite(scored) or (METRICS[name].needs_probabilities and scored.probabilities is None):
        return NAN
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return float(_FUNCTIONS[name](scored))


def without_value(name: str, scored: Scored, classes: Sequence[Any] = ()) -> str | None:
    """Return why a metric has no value on the rows, in words that follow their number; None where it has one."""
    if not np.isnan(_value(name, scored)):
        return None
    if not _finite(scored):
        return "some have a truth or a prediction that is no finite number"
    if scored.truth.ndim > 1:
        return "they fall into one group, or into one each"
    if len(scored) and one_class(scored):
        return f"all have the class {str(classes[scored.truth[0]])!r}" if len(classes) else "all have the same target"
    return f"they are too few for {scored.columns} columns" if name == "adjusted_r2" else "nothing can be told of them"


def _finite(scored: Scored) -> bool:
    """Return whether every number is finite."""
    arrays = (scored.truth, scored.labels, scored.probabilities)
    return all(array is None or bool(np.isfinite(array).all()) for array in arrays)


def one_class(scored: Scored) -> bool:
    """Return whether the rows show a single class, so that nothing can be told apart."""
    return bool((scored.truth == scored.truth[0]).all())


def _one_against_rest(metric: Callable[..., float]) -> Callable[[Scored], float]:
    """Make a binary ranking metric one of K classes: class 1 for two, the mean over the classes present for more."""

    def value(scored: Scored) -> float:
        assert scored.probabilities is not None
        if one_class(scored):
            return NAN
        classes = [1] if scored.k == 2 else np.unique(scored.truth).tolist()
        return float(np.mean([metric(scored.truth == code, scored.probabilities[:, code]) for code in classes]))

    return value


def _roc_auc(scored: Scored) -> float:
    from sklearn.metrics import roc_auc_score

    return _one_against_rest(roc_auc_score)(scored)


def _average_precision(scored: Scored) -> float:
    from sklearn.metrics import average_precision_score

    return _one_against_rest(average_precision_score)(scored)


def _log_loss(scored: Scored) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(scored.truth, scored.probabilities, labels=np.arange(scored.k)))


def _brier_score(scored: Scored) -> float:
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(scored.truth, scored.probabilities, labels=np.arange(scored.k)))


def _accuracy(scored: Scored) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(scored.truth, scored.labels))


def _balanced_accuracy(scored: Scored) -> float:
    from sklearn.metrics import balanced_accuracy_score

    return NAN if one_class(scored) else float(balanced_accuracy_score(scored.truth, scored.labels))


def _matthews_corrcoef(scored: Scored) -> float:
    from sklearn.metrics import matthews_corrcoef

    return NAN if one_class(scored) else float(matthews_corrcoef(scored.truth, scored.labels))


def _averaged(name: str) -> Callable[[Scored], float]:
    """Return precision, recall or f1: of class 1 for two classes, the macro mean for more."""

    def value(scored: Scored) -> float:
        import sklearn.metrics

        average = "binary" if scored.k == 2 else "macro"
        metric = getattr(sklearn.metrics, f"{name}_score")
        if one_class(scored):
            return NAN
        return float(metric(scored.truth, scored.labels, average=average, zero_division=0))

    return value


def _error(function: str) -> Callable[[Scored], float]:
    """Return the error of a regression by the name of scikit-learn's function."""

    def value(scored: Scored) -> float:
        import sklearn.metrics

        return float(getattr(sklearn.metrics, function)(scored.truth, scored.labels))

    return value


def _r2(scored: Scored) -> float:
    from sklearn.metrics import r2_score

    return NAN if one_class(scored) else float(r2_score(scored.truth, scored.labels))


def _adjusted_r2(scored: Scored) -> float:
    return float(adjusted(_r2(scored), len(scored), scored.columns))


def adjusted(r2: Any, rows: int, columns: int | None) -> Any:
    """Return r2 (a number or an array) adjusted for the number of columns (Ezekiel 1930); NaN without enough rows."""
    if columns is None or rows - columns - 1 <= 0:
        return r2 * NAN
    return 1 - (1 - r2) * (rows - 1) / (rows - columns - 1)


def _clusters(function: str) -> Callable[[Scored], float]:
    """Return a clustering metric by the name of scikit-learn's function; NaN for one cluster, or one a row."""

    def value(scored: Scored) -> float:
        import sklearn.metrics

        if function == "silhouette_score" and len(scored) > SILHOUETTE_ROWS:
            scored = scored.take(np.random.default_rng(0).choice(len(scored), SILHOUETTE_ROWS, replace=False))
        if not 2 <= len(np.unique(scored.labels)) < len(scored):
            return NAN
        return float(getattr(sklearn.metrics, function)(scored.truth, scored.labels))

    return value


_FUNCTIONS: dict[str, Callable[[Scored], float]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier_score": _brier_score,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _averaged("precision"),
    "recall": _averaged("recall"),
    "f1": _averaged("f1"),
    "matthews_corrcoef": _matthews_corrcoef,
    "rmse": _error("root_mean_squared_error"),
    "mae": _error("mean_absolute_error"),
    "mape": _error("mean_absolute_percentage_error"),
    "r2": _r2,
    "adjusted_r2": _adjusted_r2,
    "median_absolute_error": _error("median_absolute_error"),
    "silhouette": _clusters("silhouette_score"),
    "davies_bouldin": _clusters("davies_bouldin_score"),
    "calinski_harabasz": _clusters("calinski_harabasz_score"),
}


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


def _draws(rows: int, resamples: int, seed: int) -> Iterable[NDArray[Any]]:
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
