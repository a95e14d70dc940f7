"""The small table and its problem, used by every test."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlworkflow.stages.__main__ import FIXED

os.environ.update(FIXED)  # before NumPy is imported: tests compute as the stages do, a thread each

import pandas as pd
import pytest
import yaml

from mlworkflow import cli
from mlworkflow.config import conf
from mlworkflow.core.problem import Problem
from mlworkflow.rows.schema import Column, Schema
from mlworkflow.stages import __main__ as stages

pytest_plugins = ["tests.released"]  # fixtures that several files share

QUESTION = {
    "name": "churn",
    "question": "Will the customer leave?",
    "asked_by": "the sales team",
    "task": "binary",
    "source": {"_target_": "mlworkflow.sources.file", "path": "customers.csv"},
    "snapshot": "customers.csv",
    "data": {"target": "left", "positive": "yes", "key": ["customer"]},
    "split": {"folds": 2},
    "metrics": {"primary": "roc_auc", "also": ["accuracy"], "least_gain": 0.01},
    "rights": {"licence": "none", "source": "made up", "personal_data": False},
}


def make_problem(**changes: object) -> Problem:
    """Return the small problem with sections replaced; mappings are merged."""
    values = {
        key: {**QUESTION[key], **change} if isinstance(change, dict) and isinstance(QUESTION.get(key), dict) else change
        for key, change in changes.items()
    }
    return Problem.model_validate({**QUESTION, **values})


def make_schema(*columns: Column) -> Schema:
    """Return the schema of a table that says who left, with these columns beside the target."""
    return Schema("binary", "left", ["no", "yes"], [*columns, Column("left", "category", "target")])


@pytest.fixture
def problem() -> Problem:
    return make_problem()


@pytest.fixture
def table() -> pd.DataFrame:
    """Forty customers as they come from a file: words everywhere, a few blanks, one customer twice."""
    rows = [
        {"customer": f"c{number}", "age": str(20 + number), "plan": ("basic", "gold ", "NA")[number % 3], "left": left}
        for number, left in enumerate(["yes", "no", "no", "no"] * 10)
    ]
    rows[5]["age"] = "?"
    return pd.DataFrame([*rows, rows[0]], dtype="str")


ROOT = Path(__file__).parents[1]


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which the project in `root` runs its own code with this Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


def run(root: Path, *command: str, code: int | None = 0, **changes: str) -> str:
    """Run a command in `root`, demand its exit code (None: any but 0), return what it printed."""
    done = subprocess.run(
        command, cwd=root, env=environment(root) | changes, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    right = done.returncode != 0 if code is None else done.returncode == code
    assert right, f"{' '.join(command)} ended with {done.returncode}:\n{said}"
    return said


def mlworkflow(root: Path, *words: str, code: int | None = 0) -> str:
    """Run a command of mlworkflow as `run` does, but in this process, which has the libraries at hand."""
    said = io.StringIO()
    with contextlib.chdir(root), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        found = cli.main(words)
    right = found != 0 if code is None else found == code
    assert right, f"mlworkflow {' '.join(words)} ended with {found}:\n{said.getvalue()}"
    return said.getvalue()


def outputs(spec: dict) -> list[str]:
    """Return the paths of all outputs of a stage."""
    items = [item for kind in ("outs", "metrics", "plots") for item in spec.get(kind, [])]
    return [next(iter(item)) if isinstance(item, dict) else item for item in items]


def run_stages(root: Path, *overrides: str, until: str | None = None) -> None:
    """Compose the choices and run the stages of dvc.yaml one after the other in this process, as DVC would each alone.

    After each stage the files are there that DVC would ask for.
    """
    with contextlib.chdir(root):
        conf.write_params(overrides)
        for name, spec in yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"].items():
            stages.run(name)
            assert [path for path in outputs(spec) if not Path(path).exists()] == []
            if name == until:
                return


def copy_project(folder: Path) -> Path:
    """Return a Git repository in `folder` with the project's files as they stand, committed, as a fresh clone."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for words in (
        "init -q -b main",
        "config user.name tests",
        "config user.email tests@localhost",
        "add -A",
        "commit -qm start",
    ):
        subprocess.run(["git", *words.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def workspace(tmp_path) -> Path:
    """A folder with what the stages read of a clone, in which nothing has run: neither Git nor DVC knows it."""
    for name in ("conf", "plugins", "data/production"):
        shutil.copytree(ROOT / name, tmp_path / "workspace" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path / "workspace")
    return tmp_path / "workspace"


def cut_workflow(root: Path, *stages: str) -> None:
    """Leave in dvc.yaml these stages alone, as they stand there, and of dvc.lock nothing."""
    lines, kept, keep = (root / "dvc.yaml").read_text(encoding="utf-8").splitlines(keepends=True), [], True
    for line in lines:
        keep = line.strip()[:-1] in stages if line.startswith("  ") and line[2] not in " #" else keep
        kept += [line] if keep else []
    (root / "dvc.yaml").write_text("".join(kept), encoding="utf-8")
    assert tuple(yaml.safe_load("".join(kept))["stages"]) == stages
    (root / "dvc.lock").unlink()


@pytest.fixture
def clone(tmp_path) -> Path:
    """A fresh clone in which nothing has run."""
    return copy_project(tmp_path / "clone")


def kill_in_first_of(root: Path, waiting: set[str]) -> None:
    """Run `dvc repro`, and kill it with all its children soon after it starts a stage that was not yet killed."""
    process = subprocess.Popen(
        ["dvc", "repro"], cwd=root, env=environment(root), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if (found := re.search(r"Running stage '(\w+)'", line)) and found[1] in waiting:
            waiting.remove(found[1])
            time.sleep(0.4)
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A clone in which the workflow was killed in each stage, then brought to its end by `dvc repro`.

    Tests that use it leave it as they found it. The workflow runs once for all workers, and each takes a copy.
    """
    here = tmp_path_factory.getbasetemp()
    shared = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "ran").exists():
            root = copy_project(tmp_path_factory.mktemp("running"))
            (root / "dvc.lock").unlink()  # else stages whose outputs are all in Git have nothing to do
            waiting = set(yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
            for _ in range(len(waiting)):
                kill_in_first_of(root, waiting)
            assert waiting == set()
            run(root, "dvc", "repro")
            root.rename(shared / "ran")
    return Path(shutil.copytree(shared / "ran", here / "project", symlinks=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with slow tests first, so that no worker waits at the end for a long file of another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
