"""Two branches of the real workflow, merged in both orders, come to what a run from nothing comes to."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
import yaml

from mlworkflow.config import conf
from mlworkflow.core.errors import StaleParamsError
from mlworkflow.doctoring.hashing import path_md5
from tests.conftest import cut_workflow, mlworkflow, run, run_stages

pytestmark = pytest.mark.slow
STAGES = ("define", "collect", "prepare", "featurize", "baseline")  # with params, data, reports and metrics: 15 seconds


def commit(root: Path, words: str) -> None:
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-qm", words)


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new), encoding="utf-8")


def branch(root: Path, name: str, *change: str) -> None:
    """Make a branch with one change of conf/ and what it comes to."""
    run(root, "git", "checkout", "-qb", name, "main")
    edit(root, *change)
    recorded_run(root, name)


def recorded_run(root: Path, name: str) -> None:
    """Commit what a run comes to; in this process, then told to DVC, a run takes a fifth of the time."""
    run_stages(root)
    run(root, "dvc", "commit", "--force")
    commit(root, name)


def recorded(root: Path) -> dict:
    return yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))["stages"]


def merged(root: Path, ours: str, theirs: str) -> str:
    """Merge a branch into another, do what the drivers say, and return what Git said."""
    run(root, "git", "checkout", "-qfB", f"{theirs}-into-{ours}", ours)
    said = run(root, "git", "merge", "--no-edit", theirs)
    with contextlib.chdir(root), pytest.raises(StaleParamsError, match="no fingerprint"):
        conf.check()  # with which the first stage begins
    mlworkflow(root, "compose")
    run(root, "dvc", "repro")
    assert "up to date" in run(root, "dvc", "status")
    return said


@pytest.fixture
def cut(clone) -> Path:
    """A clone whose workflow ends at the baselines."""
    cut_workflow(clone, *STAGES)
    return clone


def test_branches_that_changed_params_data_and_metrics_merge_in_both_orders_to_what_a_fresh_run_makes(cut, tmp_path):
    recorded_run(cut, "cut")
    mlworkflow(cut, "setup-git")
    branch(cut, "seed", "conf/config.yaml", "seed: 42", "seed: 43")
    branch(cut, "split", "conf/problem/breast_cancer.yaml", "test_fraction: 0.25", "test_fraction: 0.5")
    said = merged(cut, "seed", "split")
    assert "both sides changed define, baseline, which it leaves out" in said
    assert "metrics/baseline.json: ours until `dvc repro` makes it again" in said
    first = recorded(cut)
    merged(cut, "split", "seed")
    assert recorded(cut) == first
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for name in ("conf", "plugins", "dvc.yaml"):
        copy = shutil.copytree if (cut / name).is_dir() else shutil.copy
        copy(cut / name, fresh / name)
    run_stages(fresh)
    made = {out["path"]: out["md5"] for stage in first.values() for out in stage["outs"]}
    assert len(made) == 12
    assert made == {path: path_md5(fresh, path) for path in made}
