"""What stood where a snapshot goes is there again when taking it fails or is killed, whenever that happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlworkflow.core.errors import ProjectError
from mlworkflow.origins.undoing import put_back, undone
from tests.conftest import environment

ROOT = Path(__file__).parents[1]
TABLE, CONF, MARK = Path("data/source/shop.csv"), Path("conf/shop.yaml"), Path("data/source/shop.csv.dvc")
KILLED = """
import os, pathlib, signal
from mlworkflow.core import io
from mlworkflow.origins import undoing

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

table, *others = map(pathlib.Path, {files})
{patch}
with undoing.undone("shop", table, others, moved=True, say=print):
    io.write_text("new", others[0])
    {inside}
    io.write_text("new", table)
    io.write_text("new", others[1])
{after}
"""
MOMENTS = {  # patch, inside, after
    "before all is noted": ("io.write_json = kill", "", ""),
    "before the table is moved": ("note = io.write_json; io.write_json = lambda *a: (note(*a), kill())", "", ""),
    "in the middle": ("", "kill()", ""),
    "at the end": ("undoing._forget = kill", "", ""),
}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def killed(moment: str) -> None:
    """Take a snapshot in another process that is killed."""
    patch, inside, after = MOMENTS[moment]
    files = [path.as_posix() for path in (TABLE, CONF, MARK)]
    code = KILLED.format(files=files, patch=patch, inside=inside, after=after)
    done = subprocess.run([sys.executable, "-c", code], env=environment(ROOT), capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()


def stand(*paths: Path) -> dict[Path, str]:
    """Write files, and return what they hold."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"old {path.name}")
    return {path: path.read_text() for path in paths}


def files() -> dict[Path, str]:
    return {path: path.read_text() for path in sorted(Path().rglob("*")) if path.is_file()}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("there", [(TABLE, CONF, MARK), (TABLE,), ()])
def test_what_a_killed_command_set_aside_is_put_back_by_the_next(moment, there):
    before, said = stand(*there), []
    killed(moment)
    put_back("shop", said.append)
    assert files() == before
    put_back("shop", said.append)
    assert len(said) == (moment != "before all is noted")
    assert all("was killed" in line and "data/source/shop.csv" in line for line in said)


def test_half_a_copy_that_was_left_goes_too():
    before = stand(TABLE)
    killed("in the middle")
    stand(TABLE.with_name(".shop.csv.12345.tmp"))
    put_back("shop", print)
    assert files() == before


def test_a_failure_puts_back_and_a_success_leaves_nothing_behind():
    before = stand(TABLE, MARK)
    with pytest.raises(ValueError, match="no"), undone("shop", TABLE, [CONF, MARK], moved=True, say=print):
        assert not TABLE.exists()
        stand(CONF)
        MARK.write_text("new")
        raise ValueError("no")
    assert files() == before
    with undone("shop", TABLE, [CONF, MARK], moved=True, say=print):
        TABLE.write_text("new")
    assert files() == before | {TABLE: "new"}


def test_a_table_in_its_place_already_is_left_there():
    before = stand(TABLE)
    with pytest.raises(KeyError), undone("shop", TABLE, [MARK], moved=False, say=print):
        assert TABLE.exists()
        raise KeyError
    assert files() == before


def test_what_another_command_is_at_work_on_is_not_put_back():
    stand(TABLE)
    with undone("shop", TABLE, [], moved=True, say=print):
        with pytest.raises(ProjectError, match="one command at a time"):
            put_back("shop", print)
        TABLE.write_text("new")
    assert files() == {TABLE: "new"}
