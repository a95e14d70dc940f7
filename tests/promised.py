"""Rows whose probabilities are true, and what a bundle promises of them: what tests of monitoring begin with."""

from __future__ import annotations

import json

import numpy as np

from mlworkflow.bundling.promise import promise
from mlworkflow.core import io
from mlworkflow.judging.predicted import predictions
from mlworkflow.measures.intervals import intervals
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.schema import Schema
from tests.conftest import make_problem

MONEY = {"unit": "EUR", "outcomes": {"yes": {"yes": 50, "no": 0}, "no": {"yes": -10, "no": 0}}}


def drawn(rows=1000, seed=0, classes=2):
    """Return rows whose probabilities are true."""
    generator = np.random.default_rng(seed)
    said = np.exp(generator.normal(size=(rows, classes)) * 1.5)
    said /= said.sum(axis=1, keepdims=True)
    truth = (generator.random(rows)[:, None] > said.cumsum(axis=1)).sum(axis=1)
    return Scored(truth, said.argmax(axis=1), said)


def promised(scored, classes=("no", "yes"), task="binary", **changes):
    problem = make_problem(task=task, **changes)
    schema = Schema(task, "left", list(classes), [])
    bounds = intervals(problem.metrics.names, scored, seed=0, resamples=200)
    table = predictions(np.arange(len(scored)), scored, list(classes))
    return json.loads(io.as_json(promise(table, problem, schema, bounds)))
