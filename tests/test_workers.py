"""Whoever does the jobs, threads, processes or a Dask cluster: the trials are the same to the last bit."""

from __future__ import annotations

import os
import signal

import numpy as np
import optuna
import pandas as pd
import pytest

from mlworkflow.core.params import Compute, Model
from mlworkflow.core.problem import Stopping
from mlworkflow.learning.cluster import ClusterError
from mlworkflow.learning.crossval import Rows
from mlworkflow.rows.schema import Column, Schema
from mlworkflow.tuning.encoded import encode
from mlworkflow.tuning.jobs import Plan
from mlworkflow.tuning.samplers import begin
from mlworkflow.tuning.search import Rules, search
from mlworkflow.tuning.workers import crew

MODEL = Model.model_validate(
    {
        "name": "trees",
        "classification": {"_target_": "sklearn.ensemble.ExtraTreesClassifier", "n_estimators": 5, "random_state": 0},
    }
)
SPACE = {"min_samples_leaf": optuna.distributions.IntDistribution(1, 30)}
SCHEMA = Schema("binary", "y", ["no", "yes"], [Column("a", "number", "input"), Column("b", "number", "input")])


def rows() -> Rows:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    return Rows(table, (table["a"] * table["b"] + rng.normal(size=300) > 0).astype(int).to_numpy(), "binary")


def searched(compute: Compute, during=lambda outcome: None):
    order = np.arange(300)
    folds = [(order[order % 3 != fold], order[order % 3 == fold]) for fold in range(3)]
    parts = {("trees", 1.0): encode(SCHEMA, MODEL.wants, rows(), folds, 1.0, 0)}
    asker = begin(optuna.samplers.TPESampler(seed=0), "trees", {"min_samples_leaf": 1}, SPACE, trials=13, maximise=True)
    with crew(compute, Plan({"trees": MODEL}, "binary", "roc_auc", keep=True), parts) as run:

        def watched(jobs):
            for outcome in run(jobs):
                during(outcome)
                yield outcome

        return search(asker, watched, Rules(Stopping(trials=13), 3, maximise=True, batch=4))


@pytest.fixture(scope="module")
def alone():
    return searched(Compute(name="local", backend="threads", workers=1))


@pytest.fixture
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as started:
        yield started


def same(some, others):
    said = all(
        np.array_equal(a, b)
        for one, two in zip(some, others, strict=True)
        for a, b in zip(one.said, two.said, strict=True)
    )
    return some == others and said


@pytest.mark.parametrize("backend", ["auto", "threads", "processes"])
def test_two_workers_of_this_machine_find_what_one_finds(alone, backend):
    assert same(searched(Compute(name="local", backend=backend, workers=2)), alone)


def test_a_dask_cluster_finds_what_one_worker_finds(alone, cluster):
    assert same(searched(Compute(name="dask", backend="dask", address=cluster.scheduler_address)), alone)


def test_a_worker_killed_in_the_middle_changes_nothing(alone, cluster):
    left = [worker.pid for worker in cluster.workers.values()]

    def kill(outcome):
        if outcome.number == 6 and len(left) == 2:
            os.kill(left.pop(), signal.SIGKILL)

    found = searched(Compute(name="dask", backend="dask", address=cluster.scheduler_address), kill)
    assert len(left) == 1
    assert same(found, alone)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("mlworkflow.learning.cluster.ANSWER", 1)
    with pytest.raises(ClusterError, match=r"at tcp://127.0.0.1:9 has not answered within .* compute=local"):
        searched(Compute(name="dask", backend="dask", address="tcp://127.0.0.1:9"))


def test_workers_that_would_compute_other_bits_are_refused(cluster, monkeypatch):
    monkeypatch.setattr("mlworkflow.learning.cluster.FIXED", {"OMP_NUM_THREADS": "7"})
    with pytest.raises(ClusterError, match="was started without OMP_NUM_THREADS=7"):
        searched(Compute(name="dask", backend="dask", address=cluster.scheduler_address))
