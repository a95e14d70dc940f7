"""The clone of a retraining: whatever became of it, the workspace around it and other processes are left alone."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from mlworkflow.retraining import place as places
from mlworkflow.retraining.place import FOLDER, RUNNING, RetrainError, alone, place
from tests.reviewed import git


@pytest.fixture
def here(repository, monkeypatch):
    """A repository with work that is not committed, and the clone of a retraining that was begun."""
    monkeypatch.chdir(repository)
    place("retrain/crm-1", lambda _: None)
    (repository / "README.md").write_text("mine, and not committed\n")
    return repository


@pytest.mark.parametrize("harm", ["no .git", "no HEAD"])
def test_a_clone_that_is_no_repository_any_more_is_made_anew(here, harm):
    top = here / FOLDER / "crm-1/clone"
    shutil.rmtree(top / ".git") if harm == "no .git" else (top / ".git/HEAD").write_text("")
    made = place("retrain/crm-1", lambda _: None)
    made.git("reset", "-q", "--hard")
    assert made.git("rev-parse", "--abbrev-ref", "HEAD") == "retrain/crm-1"
    assert (here / "README.md").read_text() == "mine, and not committed\n"


def test_what_is_typed_in_a_clone_never_is_about_the_repository_around_it(here):
    made = place("retrain/crm-1", lambda _: None)
    shutil.rmtree(made.folder / ".git")
    for typed in (made.git, lambda *words: made.type("git", *words)):
        with pytest.raises(RetrainError, match="not a git repository"):
            typed("reset", "-q", "--hard")
    assert (here / "README.md").read_text() == "mine, and not committed\n"
    assert git(here, "status", "--porcelain")


def test_what_an_earlier_retraining_committed_is_not_taken_for_what_was_done_now(here):
    """Two retrainings may bring as many rows, and so have the same words for their commits."""
    head = git(here, "rev-parse", "HEAD")
    made = place("retrain/crm-1", lambda _: None)
    assert made.first_since(head) is None
    for number in (1, 2):
        made.git("-c", "user.name=A", "-c", "user.email=a@b.ch", "commit", "-q", "--allow-empty", "-m", f"{number}")
    assert made.git("log", "-1", "--format=%s", made.first_since(head)) == "1"


def test_a_process_that_only_has_the_number_of_a_killed_one_lives_on(here):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as other:
        try:
            (here / FOLDER / RUNNING).write_text(f"{other.pid} elsewhere/1.0")
            with alone():
                assert other.poll() is None
            (here / FOLDER / RUNNING).write_text(f"{other.pid} {places._begun(other.pid)}")
            with alone():
                assert other.poll() is not None
        finally:
            other.kill()
