"""One AutoML library on given rows; run by bench/quality.py in an environment of its own, without this project.

python others.py flaml|autogluon TRAIN TEST TARGET TASK METRIC SECONDS SAID: what it says of the test rows goes to SAID,
a Parquet file with one column of values, or one of probabilities for each class code.
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np
import pandas as pd

FLAML_METRICS = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "rmse"}
AUTOGLUON_METRICS = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}


def flaml(train: pd.DataFrame, test: pd.DataFrame, target: str, task: str, metric: str, seconds: float) -> np.ndarray:
    """Return what FLAML says after its search."""
    from flaml import AutoML

    name = "roc_auc_ovr" if metric == "roc_auc" and task == "multiclass" else FLAML_METRICS[metric]
    kind = "regression" if task == "regression" else "classification"
    found = AutoML()
    inputs = train.drop(columns=target)
    found.fit(inputs, train[target], task=kind, metric=name, time_budget=seconds, n_jobs=2, seed=0, verbose=0)
    return np.asarray(found.predict(test) if kind == "regression" else found.predict_proba(test))


def autogluon(
    train: pd.DataFrame, test: pd.DataFrame, target: str, task: str, metric: str, seconds: float
) -> np.ndarray:
    """Return what AutoGluon's medium quality says."""
    from autogluon.tabular import TabularPredictor

    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(
            target, problem_type=task, eval_metric=AUTOGLUON_METRICS[metric], path=folder, verbosity=0
        ).fit(train, time_limit=seconds, presets="medium_quality", num_cpus=2)
        said = predictor.predict(test) if task == "regression" else predictor.predict_proba(test)
        return np.asarray(said)


def main() -> None:
    """Fit on the training rows and write what is said of the test rows."""
    tool, train, test, target, task, metric, seconds, said = sys.argv[1:]
    fit = {"flaml": flaml, "autogluon": autogluon}[tool]
    found = fit(pd.read_parquet(train), pd.read_parquet(test), target, task, metric, float(seconds))
    values = found.reshape(len(found), -1)
    pd.DataFrame(values, columns=[str(code) for code in range(values.shape[1])]).to_parquet(said)


if __name__ == "__main__":
    main()
