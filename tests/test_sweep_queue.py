"""Experiments come to their end whatever is killed in between, and nothing of the workspace is lost on the way."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mlworkflow.core.errors import ProjectError
from mlworkflow.core.processes import git
from mlworkflow.sweeping import run as running
from mlworkflow.sweeping import workspace
from mlworkflow.sweeping.plan import Experiment, SweepError
from mlworkflow.sweeping.progress import Progress
from mlworkflow.sweeping.queue import TASK, Queue, Run, cause
from mlworkflow.sweeping.run import Runner, alone

# ---- the workspace ---------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository with one commit, on the branch main."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text("seed: 1\n")
    (tmp_path / ".gitignore").write_text(".dvc/tmp\n")
    do(tmp_path, "init", "-q", "-b", "main")
    do(tmp_path, "config", "user.name", "tests")
    do(tmp_path, "config", "user.email", "tests@localhost")
    do(tmp_path, "add", "-A")
    do(tmp_path, "commit", "-qm", "start")
    return tmp_path


def do(root: Path, *words: str) -> str:
    done = git(root, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def edit(root: Path, text: str) -> None:
    (root / "conf/config.yaml").write_text(text)


def test_an_edit_makes_another_state_and_undoing_it_the_same_again(repository):
    before = workspace.state(repository)
    edit(repository, "seed: 2\n")
    edited = workspace.state(repository)
    assert edited.key != before.key
    assert edited.changed == ("conf/config.yaml",)
    edit(repository, "seed: 1\n")
    (repository / "conf/sweep").mkdir()
    (repository / "conf/sweep/mine.yaml").write_text("name: mine\n")
    do(repository, "add", "-A")
    assert workspace.state(repository) == before


def test_without_a_commit_or_a_repository_it_is_said_what_to_type(tmp_path):
    with pytest.raises(SweepError, match="is in no repository"):
        workspace.state(tmp_path)
    do(tmp_path, "init", "-q")
    with pytest.raises(SweepError, match="starts from a commit, but there is none"):
        workspace.state(tmp_path)


def test_files_that_an_experiment_would_miss_are_told_at_once_but_no_sweep_is_one(repository):
    for name in ("model/new.yaml", "model/other.yaml", "sweep/mine.yaml"):
        (repository / "conf" / name).parent.mkdir(exist_ok=True)
        (repository / "conf" / name).write_text("name: new\n")
    with pytest.raises(SweepError, match=r"conf/model/new.yaml\n.*conf/model/other.yaml\nType `git add`") as caught:
        workspace.state(repository)
    assert "mine" not in str(caught.value)
    do(repository, "add", "-A")
    assert workspace.state(repository).changed


def killed_while_queueing(root: Path) -> None:
    """Leave what a `dvc exp run --queue` leaves that is killed at its most busy: a stash, no branch, its own files."""
    with pytest.raises(KeyboardInterrupt), workspace.guarded(root):
        if git(root, "diff", "--quiet", "HEAD").returncode:
            do(root, "stash", "push", "-q")
        do(root, "checkout", "-q", "--detach")
        edit(root, "seed: 99\n")
        (root / "repro.dat").write_text("x")
        do(root, "add", "repro.dat")
        raise KeyboardInterrupt


@pytest.mark.parametrize("edited", [True, False])
def test_what_a_killed_queueing_left_is_put_back(repository, edited):
    if edited:
        edit(repository, "seed: 7\n")
    before = workspace.state(repository)
    killed_while_queueing(repository)
    told: list[str] = []
    workspace.recover(repository, told.append)
    assert workspace.state(repository) == before
    assert do(repository, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert do(repository, "stash", "list") == ""
    assert "$ git symbolic-ref HEAD refs/heads/main" in told
    assert do(repository, "show", f"{workspace.RESCUED}:conf/config.yaml") == "seed: 99"
    workspace.recover(repository, told.append)
    assert workspace.state(repository) == before


def test_nothing_is_touched_where_queueing_ended_well_or_somebody_went_on(repository):
    edit(repository, "seed: 7\n")
    with workspace.guarded(repository):
        pass
    workspace.recover(repository, pytest.fail)
    killed_while_queueing(repository)
    do(repository, "checkout", "-q", "-f", "main")
    do(repository, "commit", "-qm", "went on", "--allow-empty")
    told: list[str] = []
    workspace.recover(repository, told.append)
    assert "git stash list" in told[0]
    assert do(repository, "stash", "list") != ""


def test_one_sweep_runs_at_a_time(tmp_path):
    with alone(tmp_path), pytest.raises(SweepError, match="one sweep runs in a repository at a time"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


# ---- the queue -------------------------------------------------------------------------------------------------------

STATUS = """Task     Name                           Created    Status
53836b3  sweep-models-linear-99feb71031   06:03 PM   Running
c7126e4  white-hack                       Nov 24, 2026  Failed
0b5ba4b                                   06:30 PM   Queued

Worker status: 1 active, 0 idle
"""


def test_the_status_of_the_queue_is_read_by_name():
    assert TASK.findall(STATUS)[:2] == [("sweep-models-linear-99feb71031", "Running"), ("white-hack", "Failed")]


def test_dvcs_own_words_of_a_failure_are_passed_on(tmp_path):
    with pytest.raises(ProjectError, match=r"`dvc queue status` ended with exit code \d+:\nERROR: you are not inside"):
        Queue(tmp_path, print).tasks()


LOG = "Reproducing 'x'\nRunning stage 'define':\n> python -m mlworkflow.stages define\n\nRunning stage 'tune':\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "> python -m mlworkflow.stages tune\ntune: trial 4 of 16\ntune: the training rows cannot be used:\n"
            "  - 3 training rows for 5 folds\nSet fewer folds.\nERROR: failed to reproduce 'tune': exited with 1\n",
            "tune: the training rows cannot be used: 3 training rows for 5 folds Set fewer folds.",
        ),
        (
            "> python -m mlworkflow.stages tune\nTraceback (most recent call last):\n  File x\nValueError: no\n"
            "ERROR: failed to reproduce 'tune': exited with 1\n",
            "tune: ValueError: no",
        ),
        (
            "> python -m mlworkflow.stages tune\nERROR: failed to reproduce 'tune': exited with -9\n",
            "failed to reproduce 'tune': exited with -9",
        ),
        ("ERROR: Unable to acquire lock\n", "Unable to acquire lock"),
    ],
)
def test_the_cause_of_a_failure_is_what_the_stage_said_last(said, told):
    assert cause(LOG + said) == told


def test_a_log_tells_the_stage_that_runs_and_those_that_were_skipped(tmp_path):
    run = Run(None, tmp_path, tmp_path / "log")
    assert run.stage == ""
    run.log.write_text(LOG)
    assert run.stage == "tune"
    run.log.write_text(LOG + "Stage 'train' is cached - skipping run, checking out outputs\n")
    assert run.stage == "train"
    assert not run.alive


class Fake:
    """A queue whose workers do as the test says: {name: what becomes of it at each look}; they die where that ends."""

    def __init__(self, **fates: list[str]) -> None:
        self.fates = {f"sweep-{name}-0": fate for name, fate in fates.items()}
        self.tasks_: dict[str, str] = {}
        self.did: list[str] = []
        self.started = False

    def say(self, line: str) -> None:
        self.did.append(line)

    def tasks(self) -> dict[str, str]:
        for name in list(self.tasks_):
            if self.started:
                self.tasks_[name] = self.fates[name].pop(0) if self.fates[name] else self.tasks_[name]
        return {name: status for name, status in self.tasks_.items() if status != "Removed"}

    def done(self, commit: str) -> dict[str, str]:
        return {name: f"commit of {name}" for name, status in self.tasks_.items() if status == "Success"}

    def workers(self) -> int:
        dead = any(status == "Running" and not self.fates[name] for name, status in self.tasks_.items())
        return int(self.started and not dead)

    def run_of(self, name: str) -> Run | None:
        return None

    def add(self, experiment: Experiment) -> None:
        self.did.append(f"add {experiment.name}")
        self.tasks_[experiment.name] = "Queued"

    def start(self, jobs: int) -> None:
        self.did.append("start")
        self.started = True

    def forget(self, names: list[str]) -> None:
        self.did += [f"forget {name}" for name in names]
        for name in names:
            self.tasks_.pop(name)

    def kill(self, names: list[str]) -> None:
        self.did += [f"kill {name}" for name in names]

    def clear(self, name: str) -> None:
        self.kill([name])
        self.forget([name])


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    ticks = iter(range(100))
    monkeypatch.setattr(running, "LOOK", -1.0)
    monkeypatch.setattr(running.time, "sleep", lambda _: next(ticks))  # a run that never ends is an error


def outcome(fake: Fake, *names: str, now=lambda _: None) -> tuple[dict[str, str], list[str]]:
    """Return ({label: why it failed}, what was told) of a run to the end."""
    told: list[str] = []
    wanted = [Experiment(name, (), "", f"sweep-{name}-0") for name in names]
    runner = Runner(fake, "commit", 1, lambda one, sha, why: told.append(f"{one.label} {sha or why}"))
    failed = runner.run(wanted, now)
    return {name.split("-")[1]: failure.cause for name, failure in failed.items()}, told


def test_each_experiment_is_queued_started_and_told_when_it_ends():
    fake = Fake(a=["Running", "Success"], b=["Queued", "Running", "Success"])
    assert outcome(fake, "a", "b") == ({}, ["a commit of sweep-a-0", "b commit of sweep-b-0"])
    assert fake.did == ["add sweep-a-0", "add sweep-b-0", "start"]


def test_a_failure_does_not_hold_up_the_others():
    failed, told = outcome(Fake(a=["Failed"], b=["Queued", "Running", "Success"]), "a", "b")
    assert list(failed) == ["a"]
    assert told[-1] == "b commit of sweep-b-0"


def test_what_waits_already_is_not_queued_twice_and_what_failed_before_is_tried_again():
    fake = Fake(a=["Success"], b=["Success"])
    fake.tasks_ = {"sweep-a-0": "Queued", "sweep-b-0": "Failed"}
    assert outcome(fake, "a", "b")[0] == {}
    assert fake.did == ["forget sweep-b-0", "add sweep-b-0", "start"]


def test_a_task_whose_worker_was_killed_before_is_queued_anew():
    fake = Fake(a=["Running", "Success"])
    fake.tasks_ = {"sweep-a-0": "Running"}
    assert outcome(fake, "a")[0] == {}
    assert fake.did[1:] == ["kill sweep-a-0", "forget sweep-a-0", "add sweep-a-0", "start"]


def test_a_worker_that_is_killed_meanwhile_is_noticed():
    fake = Fake(a=["Running"])

    def start(_):
        fake.started = True
        fake.fates["sweep-a-0"].append("Running")

    fake.start = start
    failed, _ = outcome(fake, "a")
    assert fake.did.count("add sweep-a-0") == running.MOST_TIMES
    assert failed == {"a": "its worker was killed 3 times"}


def test_a_task_that_somebody_took_out_of_the_queue_is_a_failure():
    assert outcome(Fake(a=["Removed"]), "a")[0] == {"a": "it was taken out of DVC's queue"}


def test_an_interrupt_ends_what_runs_and_takes_back_what_waits():
    fake = Fake(a=["Running"] * 9, b=["Queued"] * 9)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome(fake, "a", "b", now=interrupt)
    assert fake.did[-2:] == ["forget sweep-b-0", "kill sweep-a-0"]


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_without_a_terminal_progress_is_plain_lines(capsys):
    shown = Progress("some", "rmse", total=3, done=1, live=False)
    for _ in range(2):
        shown.now({"a": "tune"})
    shown.ended("a", 2.0)
    shown.ended("b", None, "no rows")
    shown.close()
    told = capsys.readouterr()
    assert told.err == ""
    first, second, third = told.out.splitlines()
    assert first == "sweep some: a has begun"
    assert second.startswith("sweep some: 2 of 3, a: rmse 2; best so far a 2; about")
    assert third == "sweep some: 3 of 3, b: failed: no rows; best so far a 2"


def test_on_a_terminal_progress_is_a_bar_with_the_best_so_far_and_what_runs(capsys):
    shown = Progress("some", "rmse", total=2, done=0, live=True)
    shown.ended("a", 2.0)
    shown.now({"b": "train"})
    shown.close()
    told = capsys.readouterr().err
    assert "sweep some" in told
    assert "best so far a 2; b train" in told


def test_a_queue_reads_what_dvc_notes_of_a_run(tmp_path):
    folder = tmp_path / ".dvc/tmp/exps/run/abc"
    folder.mkdir(parents=True)
    (folder / "abc.run").write_text(json.dumps({"name": "sweep-a-0", "root_dir": str(tmp_path / "copy")}))
    (folder / "abc.json").write_text(json.dumps({"pid": 2**22 + 1}))
    (folder / "abc.out").write_text(LOG)
    found = Queue(tmp_path, print).run_of("sweep-a-0")
    assert found is not None
    assert (found.stage, found.alive, found.folder) == ("tune", False, tmp_path / "copy")
    assert Queue(tmp_path, print).run_of("sweep-b-0") is None
    assert Queue(tmp_path, print).workers() == 0


def test_a_process_id_that_was_given_anew_is_no_worker(tmp_path):
    (tmp_path / ".dvc/tmp/exps/celery").mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as other:
        note = {"pid": other.pid, "returncode": None}
        (tmp_path / ".dvc/tmp/exps/celery/dvc-exp-worker-1.json").write_text(json.dumps(note))
        assert Queue(tmp_path, print).workers() == 0
        other.kill()
