"""What the search costs: `make bench-tuning`. Every ratio is of times measured in this one run.

1. 100 trials of the linear model on the default problem in the tune stage; 100 `dvc exp run`, of which 5 are timed.
2. Parallel efficiency: trials of about half a second on 1 worker and on 2 (seconds of one / (2 x seconds of two)).
3. What Dask adds to a trial: the same trials on a cluster of 2 workers against 2 processes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import yaml
from bench.overhead import clone, seconds

from mlworkflow.core.arithmetic import FIXED
from mlworkflow.core.params import Compute, Model
from mlworkflow.core.problem import Stopping
from mlworkflow.learning.crossval import Rows
from mlworkflow.rows.schema import Column, Schema
from mlworkflow.tuning.encoded import Encoded, encode
from mlworkflow.tuning.jobs import Plan
from mlworkflow.tuning.samplers import begin
from mlworkflow.tuning.search import Rules, search
from mlworkflow.tuning.workers import crew

TRIALS, SAMPLE, FOLDS = 100, 5, 2
HALF_A_SECOND = 80  # trees that take about a quarter of a second on a fold of these rows


def against_experiments(root: Path) -> None:
    """Print the seconds of 100 trials in the stage and of 100 experiments."""
    seconds(["dvc", "repro", "--quiet"], root)
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    params["problem"]["stopping"] = {"trials": TRIALS}
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    stage = seconds([sys.executable, "-m", "mlworkflow.stages", "tune"], root)
    seconds(["git", "checkout", "--quiet", "params.yaml"], root)
    each = [
        seconds(
            ["dvc", "exp", "run", "--quiet", "-S", "search=none", "-S", f"model.classification.C={0.11 * (1 + i)}"],
            root,
        )
        for i in range(SAMPLE)
    ]
    whole = float(np.mean(each)) * TRIALS
    print(f"100 trials in the tune stage: {stage:.1f} s")
    print(f"100 dvc exp run, from {SAMPLE} of them: {whole:.0f} s, {whole / stage:.0f} times as long")


def rows() -> tuple[Rows, list[tuple[np.ndarray, np.ndarray]]]:
    """Return made-up rows and two folds."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(6000, 10)), columns=[f"x{number}" for number in range(10)])
    target = (table["x0"] * table["x1"] + rng.normal(size=6000) > 0).astype(int).to_numpy()
    order = np.arange(6000)
    return Rows(table, target, "binary"), [(order[order % FOLDS != k], order[order % FOLDS == k]) for k in range(FOLDS)]


def searched(
    compute: Compute, model: Model, parts: dict[tuple[str, float], list[Encoded]], trials: int
) -> tuple[float, float]:
    """Return the wall seconds of a search whose workers have started, and the mean seconds of a trial."""
    space = {"max_depth": optuna.distributions.IntDistribution(11, 12)}
    with crew(compute, Plan({model.name: model}, "binary", "roc_auc"), parts) as run:

        def lead(count: int, seed: int) -> float:
            asker = begin(optuna.samplers.RandomSampler(seed=seed), model.name, {}, space, trials=count, maximise=True)
            started = time.perf_counter()
            found = search(asker, run, Rules(Stopping(trials=count), FOLDS, maximise=True, batch=8))
            spent.append(float(np.mean([trial.seconds for trial in found])))
            return time.perf_counter() - started

        spent: list[float] = []
        lead(9, 1)  # starts the workers
        return lead(trials, 2), spent[-1]


def efficiency() -> None:
    """Print how much two workers gain over one, and what Dask adds to each trial."""
    target = {"_target_": "sklearn.ensemble.ExtraTreesClassifier", "n_estimators": HALF_A_SECOND, "random_state": 0}
    model = Model.model_validate({"name": "trees", "classification": target})
    table, folds = rows()
    columns = [Column(name, "number", "input") for name in table.table]
    parts = {("trees", 1.0): encode(Schema("binary", "y", ["no", "yes"], columns), model.wants, table, folds, 1.0, 0)}
    ways = {
        "one": Compute(name="local", backend="threads", workers=1),
        "two": Compute(name="local", backend="processes", workers=2),
        "dask": Compute(name="dask", backend="dask", workers=2),
    }
    trials = 41
    found = {name: searched(way, model, parts, trials) for name, way in ways.items()}
    one, two, dask = (found[name][0] for name in ways)
    print(
        f"{trials} trials of {found['one'][1]:.2f} s: 1 worker {one:.1f} s, 2 processes {two:.1f} s, Dask {dask:.1f} s"
    )
    print(f"parallel efficiency on 2 cores: {one / (2 * two):.2f}; with Dask {one / (2 * dask):.2f}")
    print(f"Dask adds to each trial: {1000 * (dask - two) / trials:.0f} ms")


def main() -> None:
    """Print the figures, with the arithmetic of the stages."""
    if any(os.environ.get(name) != value for name, value in FIXED.items()):
        os.execve(sys.executable, [sys.executable, "-m", "bench.tuning"], {**os.environ, **FIXED})
    with tempfile.TemporaryDirectory() as there:
        against_experiments(clone(Path(there) / "clone"))
    efficiency()


if __name__ == "__main__":
    main()
