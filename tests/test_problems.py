"""Every problem of conf/problem/ runs to its verdict, and its bundle scores raw rows."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT, mlworkflow, run_stages

pytestmark = pytest.mark.slow
PROBLEMS = sorted(path.stem for path in (ROOT / "conf/problem").glob("*.yaml"))
SMALL = {  # what is dear about a problem, made small; the question stays
    "churn": ["problem.source.customers=100", "problem.source.months=6"],
    "digits": ["model.classification.n_estimators=20"],
}


@pytest.mark.parametrize("problem", [name for name in PROBLEMS if name != "breast_cancer"])  # recorded
def test_each_problem_runs_to_its_verdict_and_its_bundle_scores_raw_rows(workspace, problem):
    run_stages(workspace, f"problem={problem}", "search=none", "problem.split.folds=2", *SMALL.get(problem, []))
    told = read(workspace, "metrics/decision.json")
    assert told["verdict"] in ("better than the baseline", "no better than the baseline")
    assert told["verdict"] in (workspace / "reports/index.html").read_text(encoding="utf-8")
    lines = summary_that_fits_a_terminal(workspace)
    simulated = read(workspace, "evaluation/findings.json")["best"] is not None
    assert any("the best possible" in line for line in lines) == simulated
    raw = pd.read_parquet(workspace / "data/raw/table.parquet")
    raw.to_csv(workspace / "rows.csv", index=False)
    mlworkflow(workspace, "predict", "rows.csv", "-o", "out.csv")
    assert len(pd.read_csv(workspace / "out.csv")) == len(raw)


def summary_that_fits_a_terminal(root: Path) -> list[str]:
    lines = mlworkflow(root, "summary").splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("Verdict: ") for line in lines)
    assert any("reports/index.html" in line for line in lines)
    return lines


def read(root: Path, name: str) -> dict:
    return json.loads((root / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_dvc_finds_what_it_declares_for_each_problem(workspace, problem):
    """DVC stops where a declared parameter or the snapshot is missing."""
    mlworkflow(workspace, "compose", f"problem={problem}")
    params = yaml.safe_load((workspace / "params.yaml").read_text(encoding="utf-8"))
    stages = yaml.safe_load((workspace / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for key in {key for spec in stages.values() for key in spec.get("params", []) if isinstance(key, str)}:
        found = params
        for part in key.split("."):
            assert part in found, f"{key} is missing"
            found = found[part]
    assert (workspace / params["problem"]["snapshot"]).exists()
