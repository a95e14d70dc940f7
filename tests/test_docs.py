"""What the documents show is run, in a fresh clone, line by line."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from mlworkflow.cli import parser
from mlworkflow.core.sweep import Sweep
from mlworkflow.sweeping.plan import Known, points
from tests.conftest import ROOT, environment

PAGE = ROOT / "docs/your-own-table.md"
EXPERIMENTS = ROOT / "docs/experiments.md"


def commands(text: str) -> str:
    """Return the blocks marked `sh`."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))


def follow(page: Path, clone: Path) -> str:
    """Return what the commands of the page print in a clone; each must succeed."""
    script = f"set -euo pipefail\n{commands(page.read_text(encoding='utf-8'))}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=clone, env=environment(clone), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_newcomers_page_works_as_it_stands(clone):
    told = follow(PAGE, clone)
    assert "Verdict: " in told
    assert "keep to the contract" in told
    assert (clone / "timings/scored.csv").is_file()
    assert (clone / "reports/index.html").is_file()


def test_the_newcomers_page_is_short():
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.slow
def test_the_page_on_experiments_works_as_it_stands(clone):
    told = follow(EXPERIMENTS, clone)
    assert "$ dvc exp run --queue" in told
    assert "learning_curve" in told


def test_every_command_and_sweep_that_the_page_on_experiments_shows_is_one():
    text = EXPERIMENTS.read_text(encoding="utf-8")
    for line in re.findall(r"^mlworkflow (.*)$", text, flags=re.MULTILINE):
        parser().parse_args(shlex.split(line, comments=True))
    shown = Sweep.model_validate(yaml.safe_load(re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0]))
    assert len(points(shown, Known(seed=1, models=[], columns=None))) == 4
    assert len(text.splitlines()) <= 120
