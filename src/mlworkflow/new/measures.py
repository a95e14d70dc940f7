"""How the problem is measured: the split, the metrics, and the model to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import nearest
from mlworkflow.core.problem import Task
from mlworkflow.measures.metrics import METRICS, metrics_for
from mlworkflow.new.asked import Asked, Proposal, ProposalError, few
from mlworkflow.new.look import Evidence

if TYPE_CHECKING:
    import pandas as pd

FEW_ROWS = 2_000  # below, the linear model is best or tied
MANY_ROWS = 200_000  # above, a search takes too long to be the default
PRIMARY: dict[Task, str] = {
    "binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse", "clustering": "silhouette"
}  # fmt: skip
ALSO: dict[Task, list[str]] = {
    "binary": [
        "roc_auc", "average_precision", "log_loss", "brier_score", "accuracy", "balanced_accuracy", "precision",
        "recall", "f1", "matthews_corrcoef",
    ],
    "multiclass": ["log_loss", "accuracy", "balanced_accuracy", "f1", "matthews_corrcoef"],
    "regression": ["rmse", "mae", "median_absolute_error", "r2"],
    "clustering": ["silhouette", "davies_bouldin", "calinski_harabasz", "stability"],
}  # fmt: skip
LEAST_GAIN: dict[Task, float] = {"binary": 0.005, "multiclass": 0.01, "clustering": 0.02}


def decide_split(made: Proposal, seen: dict[str, Evidence], asked: Asked, task: Task) -> None:
    """Decide which rows are test rows, and in how many folds the others are validated."""
    split: dict[str, Any] = {"scheme": "hash", "test_fraction": asked.test_fraction, "folds": 5}
    data, why = made.problem["data"], "a row's content decides its side"
    if data.get("key") or data.get("group"):
        why = f"a row's {data.get('group') or ', '.join(data['key'])} decides its side"
    if asked.split_column:
        test = _test_word(seen[asked.split_column])
        split |= {"scheme": "column", "column": asked.split_column, "test": test}
        why = f"--split-column says so; {test!r} marks the test rows"
    elif asked.time:
        split["scheme"], why = "time", f"the newest {asked.test_fraction:.0%} of {asked.time}"
    if task in ("binary", "multiclass") and asked.target is not None:
        split["folds"] = _folds(made, seen[asked.target], asked.test_fraction)
    made.problem["split"] = split
    made.decide("split", f"{split['scheme']}, {split['folds']} folds", why)


def _test_word(column: Evidence) -> str:
    words = [word for word in column.common if word.casefold() in ("test", "testing", "holdout", "1", "true", "yes")]
    if not words:
        raise ProposalError(
            [f"--split-column: no value of {column.name!r} is called test ({few(list(column.common))})"]
        )
    return words[0]


def _folds(made: Proposal, target: Evidence, test_fraction: float) -> int:
    """Return 5 folds, fewer where a class has few rows."""
    rarest, least = list(target.common.items())[-1]
    if least < 4:
        told = f"--target: the class {rarest!r} has {least} row{'s' if least > 1 else ''}, too few to learn and to test"
        raise ProposalError([f"{told}; leave these rows out, or put them with another class"])
    folds = max(2, min(5, int(least * (1 - test_fraction) / 2)))
    if folds < 5:
        made.doubts.append(f"the class {rarest!r} has {least} rows: only {folds} folds, and wide intervals")
    return folds


def decide_metrics(made: Proposal, table: pd.DataFrame, asked: Asked, task: Task) -> None:
    """Decide what is measured, and the least gain worth having."""
    primary = asked.metric or PRIMARY[task]
    fitting = metrics_for(task)
    if primary not in fitting:
        known = f"does not fit the task {task}" if primary in METRICS else "is no metric"
        raise ProposalError(
            [f"--metric: {primary!r} {known}{nearest(primary, fitting)} (there are: {', '.join(fitting)})"]
        )
    least = _least_gain(primary, table, asked, task)
    also = [name for name in ALSO[task] if name != primary]
    made.problem["metrics"] = {"primary": primary, "also": also, "least_gain": least}
    made.decide("metric", primary, "--metric says so" if asked.metric else f"usual for {task}")


def _least_gain(primary: str, table: pd.DataFrame, asked: Asked, task: Task) -> float:
    """Return the least gain worth having: a hundredth of the target's spread where the metric has its unit."""
    if primary not in ("rmse", "mae", "median_absolute_error") or asked.target is None:
        return LEAST_GAIN.get(task, 0.005)
    import pandas as pd

    spread = float(pd.to_numeric(table[asked.target], errors="coerce").std())
    return float(f"{spread / 100:.1g}") if spread > 0 else 0.0


def decide_model(made: Proposal, rows: int, task: Task) -> None:
    """Decide the model to begin with, by the number of rows."""
    if task == "clustering":
        made.model, made.search, why = "kmeans", "none", "it needs no target"
    elif rows < FEW_ROWS:
        made.model, why = "linear", f"{rows:,} rows: on small tables it is best or tied"
    else:
        made.model, why = "xgboost", f"{rows:,} rows are enough for trees"
        if rows > MANY_ROWS:
            made.search = "none"
    made.problem["stopping"] = {"trials": 16, "no_gain": 8}
    made.decide("model", f"{made.model}, search {made.search}", why)
