"""The verdict on tables whose truth is known: noise is no better than the baseline, a planted gain is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import run_stages

pytestmark = pytest.mark.slow
PROBLEM = """
name: known
question: Is the truth found out?
asked_by: the tests
task: binary
snapshot: known.csv
source: {{_target_: mlworkflow.sources.file, path: known.csv}}
data: {{target: y, positive: "1"}}
metrics: {{primary: roc_auc, also: [accuracy], least_gain: 0.02}}
stopping: {{trials: 4}}
rights: {{licence: none, source: drawn at random, personal_data: false}}
"""
FEWER_STEPS = [
    f"model.classification.estimator.{step}" for step in ("n_estimators=100", "learning_rate=0.1")
]  # but larger ones


def decision(root: Path, table: pd.DataFrame, *choices: str) -> dict:
    """Return the decision on `table`."""
    table.to_csv(root / "known.csv", index=False)
    (root / "conf/problem/known.yaml").write_text(f"# The truth is known.{PROBLEM.format()}", encoding="utf-8")
    run_stages(root, "problem=known", *choices, until="decide")
    return json.loads((root / "metrics/decision.json").read_text(encoding="utf-8"))


def drawn(rows: int, signal: float) -> pd.DataFrame:
    """Return rows whose target follows the product of two columns, which no straight line sees."""
    rng = np.random.default_rng(11)
    table = pd.DataFrame(rng.normal(size=(rows, 5)).round(6), columns=list("abcde"))
    truth = signal * np.sign(table["a"] * table["b"]) + rng.normal(size=rows)
    return table.assign(y=(truth > 0).astype(int))


@pytest.mark.parametrize("choices", [["model=linear"], ["model=xgboost", *FEWER_STEPS]], ids=["linear", "xgboost"])
def test_on_pure_noise_the_verdict_is_no_better_than_the_baseline(workspace, choices):
    told = decision(workspace, drawn(800, signal=0.0), *choices)
    assert told["verdict"] == "no better than the baseline"
    assert told["good_enough"] is False


def test_a_planted_gain_over_the_linear_baseline_is_better(workspace):
    told = decision(workspace, drawn(1500, signal=1.5), "model=xgboost", *FEWER_STEPS)
    assert told["verdict"] == "better than the baseline"
    assert told["simplest_adequate"] == "xgboost"
    assert told["gain_low"] > 0
