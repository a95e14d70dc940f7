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
SILHOUETTE_ROWS = 5000  # its time grows with the square of the rows: of more, the same 5000 drawn ones are measured


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

    @property
    def one_class(self) -> bool:
        """Whether the rows show a single class (or value), so that nothing can be told apart."""
        return bool((self.truth == self.truth[0]).all())

    @property
    def finite(self) -> bool:
        """Whether every number is finite."""
        arrays = (self.truth, self.labels, self.probabilities)
        return all(array is None or bool(np.isfinite(array).all()) for array in arrays)

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

    `stability` cannot be told from one clustering: it is left out unless its value (see stability.py) is passed.
    """
    values = {name: _value(name, scored) for name in names if name != "stability"}
    if stability is not None and "stability" in names:
        values["stability"] = stability
    return values


def _value(name: str, scored: Scored) -> float:
    """Return one metric; NaN for rows that cannot answer it."""
    if not len(scored) or not scored.finite or (METRICS[name].needs_probabilities and scored.probabilities is None):
        return NAN
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return float(_FUNCTIONS[name](scored))


def without_value(name: str, scored: Scored, classes: Sequence[Any] = ()) -> str | None:
    """Return why a metric has no value on the rows, in words that follow their number; None where it has one."""
    if not np.isnan(_value(name, scored)):
        return None
    if not scored.finite:
        return "some have a truth or a prediction that is no finite number"
    if scored.truth.ndim > 1:
        return "they fall into one group, or into one each"
    if len(scored) and scored.one_class:
        return f"all have the class {str(classes[scored.truth[0]])!r}" if len(classes) else "all have the same target"
    return f"they are too few for {scored.columns} columns" if name == "adjusted_r2" else "nothing can be told of them"


# ---- scikit-learn's functions, by their names: importing them takes a second, so it is done late ---------------------


def _scikit_learns(function: str) -> Callable[..., Any]:
    import sklearn.metrics

    found: Callable[..., Any] = getattr(sklearn.metrics, function)
    return found


def _of_labels(function: str, *, several: bool = False) -> Callable[[Scored], float]:
    """Make a metric of truth and labels; one that needs `several` classes (or values) is NaN for a single one."""

    def value(scored: Scored) -> float:
        if several and scored.one_class:
            return NAN
        return float(_scikit_learns(function)(scored.truth, scored.labels))

    return value


def _averaged(function: str) -> Callable[[Scored], float]:
    """Make precision, recall or f1: of class 1 for two classes, the macro mean for more."""

    def value(scored: Scored) -> float:
        if scored.one_class:
            return NAN
        average = "binary" if scored.k == 2 else "macro"
        return float(_scikit_learns(function)(scored.truth, scored.labels, average=average, zero_division=0))

    return value


def _of_probabilities(function: str) -> Callable[[Scored], float]:
    """Make a metric of truth and the probabilities of all classes."""

    def value(scored: Scored) -> float:
        return float(_scikit_learns(function)(scored.truth, scored.probabilities, labels=np.arange(scored.k)))

    return value


def _one_against_rest(function: str) -> Callable[[Scored], float]:
    """Make a binary ranking metric one of K classes: class 1 for two, the mean over the classes present for more."""

    def value(scored: Scored) -> float:
        assert scored.probabilities is not None
        if scored.one_class:
            return NAN
        classes, metric = [1] if scored.k == 2 else np.unique(scored.truth).tolist(), _scikit_learns(function)
        return float(np.mean([metric(scored.truth == code, scored.probabilities[:, code]) for code in classes]))

    return value


def _adjusted_r2(scored: Scored) -> float:
    return float(adjusted(_of_labels("r2_score", several=True)(scored), len(scored), scored.columns))


def adjusted(r2: Any, rows: int, columns: int | None) -> Any:
    """Return r2 (a number or an array) adjusted for the number of columns (Ezekiel 1930); NaN without enough rows."""
    if columns is None or rows - columns - 1 <= 0:
        return r2 * NAN
    return 1 - (1 - r2) * (rows - 1) / (rows - columns - 1)


def _clusters(function: str) -> Callable[[Scored], float]:
    """Make a clustering metric; NaN for one cluster, or one a row."""

    def value(scored: Scored) -> float:
        if function == "silhouette_score" and len(scored) > SILHOUETTE_ROWS:
            scored = scored.take(np.random.default_rng(0).choice(len(scored), SILHOUETTE_ROWS, replace=False))
        if not 2 <= len(np.unique(scored.labels)) < len(scored):
            return NAN
        return float(_scikit_learns(function)(scored.truth, scored.labels))

    return value


_FUNCTIONS: dict[str, Callable[[Scored], float]] = {
    "roc_auc": _one_against_rest("roc_auc_score"),
    "average_precision": _one_against_rest("average_precision_score"),
    "log_loss": _of_probabilities("log_loss"),
    "brier_score": _of_probabilities("brier_score_loss"),
    "accuracy": _of_labels("accuracy_score"),
    "balanced_accuracy": _of_labels("balanced_accuracy_score", several=True),
    "precision": _averaged("precision_score"),
    "recall": _averaged("recall_score"),
    "f1": _averaged("f1_score"),
    "matthews_corrcoef": _of_labels("matthews_corrcoef", several=True),
    "rmse": _of_labels("root_mean_squared_error"),
    "mae": _of_labels("mean_absolute_error"),
    "mape": _of_labels("mean_absolute_percentage_error"),
    "r2": _of_labels("r2_score", several=True),
    "adjusted_r2": _adjusted_r2,
    "median_absolute_error": _of_labels("median_absolute_error"),
    "silhouette": _clusters("silhouette_score"),
    "davies_bouldin": _clusters("davies_bouldin_score"),
    "calinski_harabasz": _clusters("calinski_harabasz_score"),
}
