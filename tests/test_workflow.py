"""The real workflow on the real problems: from a fresh clone to a verdict."""

from __future__ import annotations

import json
import sys
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
    lines = summary(project)
    assert any(line.startswith("Verdict: ") for line in lines)
    assert any("reports/index.html" in line for line in lines)


def summary(project: Path) -> list[str]:
    """Return the lines of the summary, which fit a terminal."""
    lines = run(project, "mlworkflow", "summary").splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    return lines


def test_the_exit_code_of_decide_is_the_verdict(project):
    good = read(project, "metrics/decision.json")["good_enough"]
    run(project, "mlworkflow", "decide", "--check", code=0 if good else 1)
    run(project, "mlworkflow", "decide")


def test_another_model_is_compared_by_dvc(project):
    run(project, "dvc", "exp", "run", "-n", "forest", "-S", "model=random_forest", "-S", "search=none")
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
    run(project, "dvc", "exp", "run", "-S", f"problem={problem}", "-S", "search=none")
    told = read(project, "metrics/decision.json")
    assert told["verdict"] in ("better than the baseline", "no better than the baseline")
    assert told["verdict"] in (project / "reports/index.html").read_text(encoding="utf-8")
    simulated = read(project, "evaluation/findings.json")["best"] is not None
    assert any("the best possible" in line for line in summary(project)) == simulated
    raw = pd.read_parquet(project / "data/raw/table.parquet")
    raw.to_csv(tmp_path / "rows.csv", index=False)
    run(project, "mlworkflow", "predict", str(tmp_path / "rows.csv"), "-o", str(tmp_path / "out.csv"))
    assert len(pd.read_csv(tmp_path / "out.csv")) == len(raw)
    restore(project)


def edits() -> list[str]:
    """Return a file of each group of conf/, chosen and not, and one that is new."""
    groups = sorted(path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "sweep")
    files = [
        f"conf/{group}/{path.name}" for group in groups for path in sorted((ROOT / "conf" / group).glob("*.yaml"))[:2]
    ]
    return ["conf/config.yaml", *files, "conf/model/new.yaml"]


def stops_and_names(project: Path, name: str) -> None:
    """Edit a file of conf/, and see that `dvc repro` stops and names it; then take the edit back."""
    path = project / name
    before = path.read_bytes() if path.exists() else None
    path.write_bytes((before or b"name: new\n") + b"\n# an edit\n")
    said = run(project, "dvc", "repro", code=None)
    assert name in said
    assert "mlworkflow compose" in said
    assert "up to date" not in said
    if before is None:
        path.unlink()
    else:
        path.write_bytes(before)


def test_an_edit_of_conf_stops_the_run_and_is_named(project):
    for name in edits():
        stops_and_names(project, name)
    restore(project)


def test_an_edit_of_conf_after_an_experiment_stops_the_run_too(project):
    run(project, "dvc", "exp", "run", "-S", "search=none", "-S", "model.classification.C=0.5")
    for name in edits():
        stops_and_names(project, name)
    restore(project)


def test_an_edit_that_was_composed_runs_with_the_edit(project):
    path = project / "conf/monitor/default.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("fewest_rows: 50", "fewest_rows: 60"), encoding="utf-8")
    run(project, "mlworkflow", "compose")
    assert "Running stage 'monitor'" in run(project, "dvc", "repro")
    restore(project)


def test_a_params_file_edited_by_hand_stops_the_run(project):
    path = project / "params.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("seed: 42", "seed: 43"), encoding="utf-8")
    assert "params.yaml" in run(project, "dvc", "repro", code=None)
    restore(project)


def test_every_output_is_the_same_to_the_bit_in_another_place_time_and_locale(project):
    """Path, TZ, locale, umask, hash seed, HOME, threads and clock are all changed at once."""
    code = "import sys; from mlworkflow.checking.verify import verify; sys.exit(verify('HEAD', vary=['together']))"
    said = run(project, sys.executable, "-c", code)
    assert "identical" in said
    assert "differ" not in said
