"""`mlworkflow doctor`: quiet about a clone that is well, and each fault is found and told with what to type."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mlworkflow import cli
from mlworkflow.doctoring import doctor, environment, leftovers, storage
from mlworkflow.doctoring.hashing import path_md5
from tests.conftest import ROOT, copy_project, mlworkflow, outputs, run


@pytest.fixture(scope="module")
def well(tmp_path_factory) -> Path:
    """A clone as it is after a run, with outputs of a few bytes, that Git knows the merge drivers of."""
    root = copy_project(tmp_path_factory.mktemp("well") / "clone")
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    recorded = {
        name: {"cmd": spec["cmd"], "outs": [_made(root, path) for path in outputs(spec)]}
        for name, spec in stages.items()
    }
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": recorded}), encoding="utf-8")
    run(root, "git", "commit", "-qam", "a run")
    mlworkflow(root, "setup-git")
    return root


def _made(root: Path, path: str) -> dict:
    """Make an output, and return what DVC would record of it."""
    files = [root / path / "a.csv", root / path / "b/c.csv"] if "." not in Path(path).name else [root / path]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(f"{file.name}\n", encoding="utf-8")
    return {
        "path": path,
        "hash": "md5",
        "md5": path_md5(root, path),
        "size": sum(file.stat().st_size for file in files),
    }


@pytest.fixture
def sick(well, tmp_path, monkeypatch) -> Path:
    """A copy of it to plant a fault in."""
    root = Path(shutil.copytree(well, tmp_path / "clone", symlinks=True))
    monkeypatch.chdir(root)
    return root


def examined(root: Path, name: str) -> str:
    return doctor.line(name, doctor.examine(name, root))


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def conflict(root: Path, name: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    (root / name).write_text(f"<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n", encoding="utf-8")


def git(root: Path, *words: str) -> None:
    run(root, "git", *words)


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def dead() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def holder(pid: int) -> str:
    return json.dumps({"write": {"x": {"pid": pid, "cmd": "dvc repro"}}, "read": {}})


def merging(root: Path) -> None:
    """Leave a merge in progress."""
    git(root, "checkout", "-qb", "other")
    git(root, "commit", "-q", "--allow-empty", "-m", "other")
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "--no-commit", "other")


FAULTS: dict[str, tuple[str, Callable[[Path], object], list[str]]] = {
    "conf edited after compose": (
        "params.yaml",
        lambda root: edit(root, "conf/config.yaml", "seed: 42", "seed: 43"),
        ["conf/config.yaml (edited)", "mlworkflow compose"],
    ),
    "params.yaml edited by hand": (
        "params.yaml",
        lambda root: edit(root, "params.yaml", "seed: 42", "seed: 43"),
        ["edited by hand"],
    ),
    "params.yaml gone": ("params.yaml", lambda root: (root / "params.yaml").unlink(), ["mlworkflow compose"]),
    "params.yaml of a merge": ("params.yaml", lambda root: conflict(root, "params.yaml"), ["mlworkflow compose"]),
    "a misspelt key": ("conf/", lambda root: edit(root, "conf/monitor/default.yaml", "psi:", "pis:"), ["did you mean"]),
    "markers in dvc.lock": (
        "dvc.lock",
        lambda root: conflict(root, "dvc.lock"),
        ["conflict markers, in line 1", "git checkout HEAD -- dvc.lock"],
    ),
    "dvc.lock is no YAML": (
        "dvc.lock",
        lambda root: write(root, "dvc.lock", "stages: [\n"),
        ["no YAML", "git checkout"],
    ),
    "dvc.lock is a list": ("dvc.lock", lambda root: write(root, "dvc.lock", "- a\n"), ["holds no stages"]),
    "no dvc.lock": ("dvc.lock", lambda root: (root / "dvc.lock").unlink(), ["dvc repro"]),
    "a stage without a record": (
        "dvc.lock",
        lambda root: edit(root, "dvc.lock", "\n  tune:", "\n  tuned:"),
        ["no run is recorded of tune", "it records tuned"],
    ),
    "a dep that is not named": (
        "dvc.yaml",
        lambda root: edit(root, "dvc.yaml", "      - src/mlworkflow/rows\n", ""),
        ["add the dep src/mlworkflow/rows", "mlworkflow wire"],
    ),
    "markers in dvc.yaml": ("dvc.yaml", lambda root: conflict(root, "dvc.yaml"), ["git restore dvc.yaml"]),
    "another version in the lock": (
        "packages",
        lambda root: edit(root, "requirements.lock", "pandas==", "pandas==0."),
        ["pandas is ", "requirements.lock"],
    ),
    "a package that is missing": (
        "packages",
        lambda root: edit(root, "requirements.lock", "aiohttp==", "nowhere-to-be-found==1.0\naiohttp=="),
        ["nowhere-to-be-found 1.0 is not installed"],
    ),
    "another Python": (
        "Python",
        lambda root: edit(root, "pyproject.toml", 'requires-python = ">=3.11,<3.14"', 'requires-python = ">=3.99"'),
        ["wants >=3.99"],
    ),
    "a cache that is away": (
        "cache",
        lambda root: write(root, ".dvc/config.local", "[cache]\n    dir = /nowhere/cache\n"),
        ["/nowhere/cache", "dvc cache dir"],
    ),
    "a broken configuration": (
        "cache",
        lambda root: write(root, ".dvc/config.local", "[cache\n"),
        ["configuration is broken"],
    ),
    "a remote that is away": (
        "remote",
        lambda root: write(
            root, ".dvc/config.local", "[core]\n    remote = r\n['remote \"r\"']\n    url = /nowhere/r\n"
        ),
        ["r cannot be reached", "dvc remote modify r"],
    ),
    "a remote without an address": (
        "remote",
        lambda root: write(root, ".dvc/config.local", "[core]\n    remote = r\n"),
        ["dvc remote add r"],
    ),
    "an output is gone": (
        "outputs",
        lambda root: (root / "models/model.skops").unlink(),
        ["models/model.skops is missing", "dvc checkout"],
    ),
    "an output of the same size was changed": (
        "outputs",
        lambda root: edit(root, "data/raw/table.parquet", "t", "T"),
        ["data/raw/table.parquet is not what the run left"],
    ),
    "a file more in an output": (
        "outputs",
        lambda root: write(root, "evaluation/plots/d.csv", "x"),
        ["evaluation/plots is not", "dvc checkout evaluation/plots"],
    ),
    "a metric was changed by hand": (
        "outputs",
        lambda root: edit(root, "metrics/test.json", "0.", "1."),
        ["git restore metrics/test.json"],
    ),
    "no commit": (
        "Git",
        lambda root: (shutil.rmtree(root / ".git"), git(root, "init", "-q")),
        ["there is no commit", "git commit"],
    ),
    "no repository": ("Git", lambda root: shutil.rmtree(root / ".git"), ["no Git repository", "git init"]),
    "a detached HEAD": (
        "Git",
        lambda root: git(root, "checkout", "-q", "--detach"),
        ["HEAD is detached", "git switch -c NAME"],
    ),
    "a merge in progress": ("unfinished in Git", merging, ["a merge is in progress", "git merge --abort"]),
    "a file of conf/ that Git does not know": (
        "unknown to Git",
        lambda root: write(root, "conf/model/new.yaml", "name: new\n"),
        ["git add conf/model/new.yaml"],
    ),
    "markers in a tracked file": (
        "conflict markers",
        lambda root: conflict(root, "README.md"),
        ["README.md: conflict markers"],
    ),
    "no merge drivers": (
        "merge drivers",
        lambda root: git(root, "config", "--unset", "merge.mlworkflow-lock.driver"),
        ["mlworkflow setup-git"],
    ),
    "a lock of a dead process": (
        "locks of DVC",
        lambda root: write(root, ".dvc/tmp/rwlock", holder(dead())),
        ["was killed", "rm .dvc/tmp/rwlock"],
    ),
    "a lock of an id that another process has": (
        "locks of DVC",
        lambda root: write(root, ".dvc/tmp/rwlock", holder(1)),
        ["dvc repro (process 1) was killed"],
    ),
    "a lock that was half written": (
        "locks of DVC",
        lambda root: write(root, ".dvc/tmp/rwlock", ""),
        ["damaged", "rm .dvc/tmp/rwlock"],
    ),
    "a sweep that was killed while it queued": (
        "sweep",
        lambda root: write(root, ".dvc/tmp/sweep/queueing.json", "{}"),
        ["killed while it queued", "mlworkflow sweep"],
    ),
}
HINTS = ("a detached HEAD",)


def test_a_clone_that_is_well_is_told_so_check_by_check(sick):
    said = mlworkflow(sick, "doctor").splitlines()
    assert len(said) == len(doctor.CHECKS)
    assert [line for line in said if not line.startswith("OK  ")] == [examined(sick, "remote")]
    assert examined(sick, "remote").startswith("hint   remote")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_with_what_to_type(sick, fault):
    check, plant, words = FAULTS[fault]
    plant(sick)
    said = examined(sick, check)
    assert said.startswith("hint" if fault in HINTS else "WRONG")
    assert [word for word in words if word not in said] == []
    assert "\n" not in said
    assert "cannot be checked" not in said


def test_several_faults_are_told_in_one_go(sick):
    conflict(sick, "dvc.lock")
    (sick / "models/model.skops").unlink()
    git(sick, "config", "--unset", "merge.mlworkflow-lock.driver")
    said = mlworkflow(sick, "doctor", code=1)
    assert [line.split()[1] for line in said.splitlines() if line.startswith("WRONG")] == [
        "conflict",
        "merge",
        "dvc.lock",
    ]


def test_a_library_that_is_missing_stops_only_the_checks_that_need_it(sick, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("mlworkflow.sweeping", "mlworkflow.doctoring.left"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlworkflow.sweeping.plan", None)
    assert "this cannot be checked: ModuleNotFoundError" in examined(sick, "sweep")
    assert examined(sick, "packages").startswith("OK")


def test_a_shallow_clone_is_a_hint(sick, tmp_path):
    run(tmp_path, "git", "clone", "-q", "--depth", "1", f"file://{sick}", "shallow")
    assert "git fetch --unshallow" in examined(tmp_path / "shallow", "Git")


def test_a_full_disk_is_told_before_a_run_fills_it(sick, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
    assert "0.0 GB are free" in examined(sick, "space")


def test_a_remote_that_is_there_is_well(sick, tmp_path):
    write(sick, ".dvc/config.local", f"[core]\n    remote = r\n['remote \"r\"']\n    url = {tmp_path}\n")
    assert examined(sick, "remote").startswith("OK")


def test_a_remote_that_does_not_answer_is_told(sick, monkeypatch):
    write(sick, ".dvc/config.local", "[core]\n    remote = r\n['remote \"r\"']\n    url = http://127.0.0.1:1/r\n")
    monkeypatch.setattr(storage, "PATIENCE", 3.0)
    assert "r cannot be reached" in examined(sick, "remote")


def test_a_run_that_goes_on_is_no_fault(sick, monkeypatch):
    write(sick, ".dvc/tmp/rwlock", holder(os.getpid()))
    monkeypatch.setattr(leftovers, "_is_dvc", lambda pid: pid == os.getpid())
    assert examined(sick, "locks of DVC").startswith("hint")


def test_experiments_of_a_sweep_that_nobody_runs_are_told(sick):
    class Left:
        def tasks(self) -> dict[str, str]:
            return {"sweep-models-linear-1": "Running", "sweep-models-mlp-2": "Success", "mine": "Queued"}

        def workers(self) -> int:
            return 0

    said = doctor.line("sweep", [*leftovers._abandoned(Left())])
    assert "sweep-models-linear-1: no worker does them. Type `mlworkflow sweep models`" in said


def test_the_page_on_upkeep_is_short_and_shows_commands_that_there_are():
    text = (ROOT / "docs/upkeep.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    for line in re.findall(r"^mlworkflow (.*)$", text, flags=re.MULTILINE):
        cli.parser().parse_args(re.split(r" &&| \|\|", line)[0].split())


def test_every_pin_of_the_lock_is_read():
    lock = (ROOT / environment.LOCK).read_text(encoding="utf-8")
    pinned = [version for versions in environment.pins(lock).values() for version in versions.split("/")]
    assert len(pinned) == len(re.findall(r"^\S+==", lock, flags=re.MULTILINE))
