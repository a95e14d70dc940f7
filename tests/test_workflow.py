"""The real workflow on the real problems: from a fresh clone to a verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT, run

pytestmark = pytest.mark.xdist_group("workflow")
PROBLEMS = sorted(path.stem for path in (ROOT / "conf/problem").glob("*.yaml"))


def read(root: Path, name: str) -> dict:
    return json.loads((root / name).read_text(encoding="utf-8"))


def test_the_recorded_baseline_is_what_the_workflow_makes(project):
    assert run(project, "git", "status", "--porcelain") == ""


def test_a_second_repro_has_nothing_to_do(project):
    assert "Data and pipelines are up to date." in run(project, "dvc", "repro")


def test_the_summary_fits_a_terminal(project):
    lines = run(project, "mlworkflow", "summary").splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("Verdict: ") for line in lines)
    assert any("reports/index.html" in line for line in lines)


def test_the_exit_code_of_decide_is_the_verdict(project):
    good = read(project, "metrics/decision.json")["good_enough"]
    run(project, "mlworkflow", "decide", "--check", code=0 if good else 1)
    run(project, "mlworkflow", "decide")


def test_another_model_is_compared_by_dvc(project):
    run(project, "dvc", "exp", "run", "-n", "forest", "-S", "model=random_forest")
    assert "random_forest" in run(project, "dvc", "params", "diff")
    assert "roc_auc" in run(project, "dvc", "metrics", "diff")
    assert "roc_auc" in run(project, "dvc", "exp", "diff", "HEAD", "forest")
    assert "forest" in run(project, "dvc", "exp", "show", "--csv")
    plots = json.loads(run(project, "dvc", "plots", "diff", "HEAD", "--json", "--split"))
    assert any("roc.csv" in name for name in plots["data"])
    restore(project)


def restore(project: Path) -> None:
    run(project, "git", "reset", "-q", "--hard")
    run(project, "dvc", "checkout", "-q")
    assert run(project, "git", "status", "--porcelain") == ""


@pytest.mark.parametrize("problem", [name for name in PROBLEMS if name != "breast_cancer"])
def test_each_problem_runs_to_its_verdict_and_its_bundle_scores_raw_rows(project, problem, tmp_path):
    run(project, "dvc", "exp", "run", "-S", f"problem={problem}")
    told = read(project, "metrics/decision.json")
    assert told["verdict"] in ("better than the baseline", "no better than the baseline")
    assert told["verdict"] in (project / "reports/index.html").read_text(encoding="utf-8")
    raw = pd.read_parquet(project / "data/raw/table.parquet")
    raw.to_csv(tmp_path / "rows.csv", index=False)
    run(project, "mlworkflow", "predict", str(tmp_path / "rows.csv"), "-o", str(tmp_path / "out.csv"))
    assert len(pd.read_csv(tmp_path / "out.csv")) == len(raw)
    restore(project)
