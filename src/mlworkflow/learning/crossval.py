"""What a pipeline says of rows it was not fitted on: folds in parallel, the same for models and baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mlworkflow.learning.models import inputs, probabilities
from mlworkflow.measures import metrics
from mlworkflow.measures.metrics import Scored

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem, Task
    from mlworkflow.learning.threshold import Threshold
    from mlworkflow.rows.schema import Schema

Fold = tuple[np.ndarray, np.ndarray]
J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class Rows:
    """Rows as a pipeline takes them.

    Attributes:
        table: (n, inputs) inputs.
        target: (n,) codes or values; None for clustering.
        task: the task of the problem.
    """

    table: pd.DataFrame
    target: np.ndarray | None
    task: Task

    def __len__(self) -> int:
        return len(self.table)

    def take(self, positions: np.ndarray) -> Rows:
        """Return the rows at `positions`."""
        target = None if self.target is None else self.target[positions]
        return Rows(self.table.iloc[positions], target, self.task)


def rows_of(table: pd.DataFrame, schema: Schema, task: Task) -> Rows:
    """Return the rows of a features table as a pipeline takes them."""
    target = None if schema.target is None else table[schema.target].to_numpy()
    return Rows(inputs(table, schema), target, task)


def predict(fitted: Any, rows: Rows, threshold: Threshold | None = None) -> Scored:
    """Return what the fitted pipeline says of `rows`; classes by `threshold`, else the most probable."""
    if rows.task == "clustering":
        space = fitted[:-1].transform(rows.table)
        return Scored(np.asarray(space, dtype=float), np.asarray(fitted[-1].predict(space)), None)
    assert rows.target is not None
    if rows.task == "regression":
        labels = np.asarray(fitted.predict(rows.table), dtype=float)
        return Scored(rows.target, labels, None, columns=rows.table.shape[1])
    said = probabilities(fitted, rows.table)
    return Scored(rows.target, decide(said, threshold), said)


def decide(probabilities: np.ndarray, threshold: Threshold | None) -> np.ndarray:
    """Return the (n,) class codes for (n, K) probabilities."""
    return np.asarray(threshold.labels(probabilities) if threshold else probabilities.argmax(axis=1))


def fit(pipeline: Any, rows: Rows) -> Any:
    """Return a fitted clone of `pipeline`."""
    from sklearn.base import clone

    return clone(pipeline).fit(rows.table, rows.target)


def some_of(positions: np.ndarray, share: float, seed: int | None) -> np.ndarray:
    """Return a share of the positions: drawn with `seed`, smaller ones within larger ones; without a seed the last."""
    if share >= 1:
        return positions
    order = positions if seed is None else np.random.default_rng(seed).permutation(positions)
    return order[len(order) - int(len(order) * share) :]


def check_folds(pipeline: Any, rows: Rows, folds: Sequence[Fold]) -> list[Scored]:
    """Return, for each fold, what a clone fitted on its first part says of its second."""
    return side_by_side(lambda fold: predict(fit(pipeline, rows.take(fold[0])), rows.take(fold[1])), folds)


def side_by_side(do: Callable[[J], R], jobs: Sequence[J]) -> list[R]:
    """Return what is done of each job, in threads on every core, which change no bit."""
    from joblib import Parallel, cpu_count, delayed

    found: list[R] = Parallel(n_jobs=min(cpu_count(), len(jobs)), prefer="threads")(delayed(do)(job) for job in jobs)
    return found


def pool(parts: Sequence[Scored], folds: Sequence[Fold]) -> Scored:
    """Return the out-of-fold predictions of all folds as one, in the order of the rows."""
    order = np.argsort(np.concatenate([check for _, check in folds]), kind="stable")
    probabilities = None
    if parts[0].probabilities is not None:
        probabilities = np.concatenate([np.asarray(part.probabilities) for part in parts])[order]
    truth = np.concatenate([part.truth for part in parts])[order]
    labels = np.concatenate([part.labels for part in parts])[order]
    return Scored(truth, labels, probabilities, columns=parts[0].columns)


def mean_scores(names: Sequence[str], parts: Sequence[Scored]) -> dict[str, float]:
    """Return each metric's mean over the folds."""
    scores = [metrics.score(names, part) for part in parts]
    return {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}


@dataclass(frozen=True)
class Validated:
    """What cross-validation says of a pipeline.

    Attributes:
        metrics: each metric, from the pooled out-of-fold predictions (clustering: the mean over the folds).
        scored: the out-of-fold predictions; None for clustering, whose numbers mean nothing across folds.
        threshold: how classes are decided, chosen on the out-of-fold predictions; None for other tasks.
    """

    metrics: dict[str, float]
    scored: Scored | None
    threshold: Threshold | None


def validate(
    pipeline: Any,
    rows: Rows,
    folds: Sequence[Fold],
    problem: Problem,
    classes: list[Any],
    threshold: Threshold | None = None,
) -> Validated:
    """Return what the folds say of `pipeline`; classes are decided by `threshold`, else by the problem's costs."""
    parts = check_folds(pipeline, rows, folds)
    if rows.task == "clustering":
        return Validated(mean_scores(problem.metrics.names, parts), None, None)
    pooled = pool(parts, folds)
    if threshold is not None and pooled.probabilities is not None:
        scored = replace(pooled, labels=decide(pooled.probabilities, threshold))
    else:
        scored, threshold = relabel(pooled, problem, classes)
    return Validated(metrics.score(problem.metrics.names, scored), scored, threshold)


def relabel(scored: Scored, problem: Problem, classes: list[Any]) -> tuple[Scored, Threshold | None]:
    """Return the rows with their classes decided by the threshold that suits the problem's costs, and the threshold."""
    if scored.probabilities is None:
        return scored, None
    from mlworkflow.learning.threshold import choose

    threshold = choose(scored, problem.value, classes)
    return replace(scored, labels=decide(scored.probabilities, threshold)), threshold
