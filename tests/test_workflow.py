"""The real workflow under DVC: from a fresh clone to a verdict, an edit, an experiment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, mlworkflow, run
from tests.test_problems import summary_that_fits_a_terminal

pytestmark = pytest.mark.slow
SMALL_FOREST = ["-S", "model.classification.n_estimators=20"]


def read(root: Path, name: str) -> dict:
    return json.loads((root / name).read_text(encoding="utf-8"))


def test_the_recorded_baseline_is_what_the_workflow_makes_though_it_was_killed_in_each_stage(project):
    assert run(project, "git", "status", "--porcelain") == ""


def test_a_second_repro_has_nothing_to_do(project):
    assert "Data and pipelines are up to date." in run(project, "dvc", "repro")


def test_the_summary_fits_a_terminal(project):
    summary_that_fits_a_terminal(project)


def test_the_exit_code_of_decide_is_the_verdict(project):
    good = read(project, "metrics/decision.json")["good_enough"]
    mlworkflow(project, "decide", "--check", code=0 if good else 1)
    mlworkflow(project, "decide")


def restore(project: Path) -> None:
    run(project, "git", "reset", "-q", "--hard")
    run(project, "dvc", "checkout", "-q")
    assert run(project, "git", "status", "--porcelain") == ""


def edits() -> list[str]:
    """Return a file of each group of conf/, chosen and not, and one that is new."""
    groups = sorted(path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "sweep")
    files = [
        f"conf/{group}/{path.name}" for group in groups for path in sorted((ROOT / "conf" / group).glob("*.yaml"))[:2]
    ]
    return ["conf/config.yaml", *files, "conf/model/new.yaml"]


def stops_and_names(project: Path, *names: str) -> None:
    """Edit files of conf/, and see that `dvc repro` stops and names each; then take the edits back."""
    before = {project / name: (project / name).read_bytes() for name in names if (project / name).exists()}
    for name in names:
        (project / name).write_bytes(before.get(project / name, b"name: new\n") + b"\n# an edit\n")
    said = run(project, "dvc", "repro", code=None)
    assert [name for name in names if name not in said] == []
    assert "mlworkflow compose" in said
    assert "up to date" not in said
    for name in names:
        (project / name).unlink()
    for path, content in before.items():
        path.write_bytes(content)


def test_an_edit_of_conf_stops_the_run_and_is_named(project):
    """One edit of each kind is enough to wake DVC; that each file alone is noticed, tests/test_conf.py says."""
    stops_and_names(project, *edits())
    stops_and_names(project, "conf/problem/wine.yaml")
    stops_and_names(project, "conf/model/new.yaml")
    restore(project)


def test_another_model_is_compared_by_dvc_and_an_edit_after_it_stops_the_run_too(project):
    change = ["-S", "model=random_forest", "-S", "search=none", *SMALL_FOREST]
    run(project, "dvc", "exp", "run", "-n", "forest", *change, "evaluate")
    assert "random_forest" in run(project, "dvc", "params", "diff")
    assert "roc_auc" in run(project, "dvc", "metrics", "diff")
    assert "roc_auc" in run(project, "dvc", "exp", "diff", "HEAD", "forest")
    assert "forest" in run(project, "dvc", "exp", "show", "--csv")
    plots = json.loads(run(project, "dvc", "plots", "diff", "HEAD", "--json", "--split"))
    assert any("roc.csv" in name for name in plots["data"])
    stops_and_names(project, *edits())
    restore(project)


def test_an_edit_that_was_composed_runs_with_the_edit(project):
    path = project / "conf/monitor/default.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("fewest_rows: 50", "fewest_rows: 60"), encoding="utf-8")
    mlworkflow(project, "compose")
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
