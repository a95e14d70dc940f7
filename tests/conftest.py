"""The small table and its problem, used by every test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mlworkflow.stages.__main__ import FIXED

os.environ.update(FIXED)  # before NumPy is imported: tests compute as the stages do, a thread each

import pandas as pd
import pytest

from mlworkflow.core.problem import Problem

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
def clone(tmp_path) -> Path:
    """A fresh clone in which nothing has run."""
    return copy_project(tmp_path / "clone")


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A fresh clone after `dvc repro`; tests that use it leave it as they found it."""
    root = copy_project(tmp_path_factory.mktemp("project"))
    run(root, "dvc", "repro")
    return root
