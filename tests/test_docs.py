"""What the documents show is run, in a fresh clone, line by line."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import ROOT, environment

PAGE = ROOT / "docs/your-own-table.md"


def commands(text: str) -> str:
    """Return the blocks marked `sh`."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))


@pytest.mark.slow
def test_the_newcomers_page_works_as_it_stands(clone):
    script = f"set -euo pipefail\n{commands(PAGE.read_text(encoding='utf-8'))}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=clone, env=environment(clone), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verdict: " in done.stdout
    assert "keep to the contract" in done.stdout
    assert (clone / "timings/scored.csv").is_file()
    assert (clone / "reports/index.html").is_file()


def test_the_newcomers_page_is_short():
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= 120
