"""One process at a time: the lock of a file, with real processes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest

from mlworkflow.core.alone import alone
from mlworkflow.core.errors import ProjectError, UnwritableError
from tests.conftest import ROOT, environment

HOLDS = (
    "import sys, time; from pathlib import Path; from mlworkflow.core.alone import alone\n"
    "with alone(Path(sys.argv[1])): print('held', flush=True); time.sleep(float(sys.argv[2]))"
)


@contextlib.contextmanager
def held(path, seconds=60.0):
    """Have another process hold the lock."""
    command = [sys.executable, "-c", HOLDS, str(path), str(seconds)]
    process = subprocess.Popen(command, env=environment(ROOT), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_who_does_not_wait_is_told_in_the_callers_words_and_a_killed_holder_frees_it(tmp_path):
    path = tmp_path / "made for it/lock"
    with held(path) as process:
        with pytest.raises(ProjectError, match="another sings"), alone(path, ProjectError("another sings")):
            pass
        process.kill()
        process.wait()
        with alone(path, ProjectError("another sings")):
            pass


def test_who_waits_has_it_after_the_other(tmp_path):
    with held(tmp_path / "lock", 0.3):
        start = time.monotonic()
        with alone(tmp_path / "lock"):
            assert time.monotonic() - start > 0.1


def test_an_error_within_frees_it_and_is_nobody_elses(tmp_path):
    with pytest.raises(BlockingIOError), alone(tmp_path / "lock", ProjectError("busy")):
        raise BlockingIOError
    with alone(tmp_path / "lock", ProjectError("busy")):
        pass


def test_where_no_file_can_be_made_that_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableError, match="lock could not be written"), alone(tmp_path / "file/lock"):
        pass
