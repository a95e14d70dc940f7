"""What goes wrong around the workflow: kills, full disks, damaged files, odd places. A clear word or a right result."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlworkflow.core import io
from mlworkflow.core.errors import UnreadableError, UnwritableError
from mlworkflow.learning.crossval import Rows
from mlworkflow.stages import __main__ as stages
from mlworkflow.stages.evaluate import seconds_a_row
from tests.conftest import ROOT, environment, mlworkflow, run

pytestmark = pytest.mark.slow
SMALL = 20_000  # bytes that a process may write to one file


def test_two_runs_at_once_do_not_harm_each_other(clone):
    command = ["dvc", "repro", "featurize"]
    both = [
        subprocess.Popen(
            command, cwd=clone, env=environment(clone), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes[0] == 0
    assert codes[1] == 0 or any("lock" in words for words in said)
    assert "up to date" in run(clone, *command)
    assert run(clone, "git", "status", "--porcelain") == ""


def limited(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that cannot write a file of more than SMALL bytes, as on a disk that fills up."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))

    return subprocess.run(
        command, cwd=root, env=environment(root), preexec_fn=limit, capture_output=True, text=True, check=False
    )


def test_a_disk_that_fills_up_leaves_the_old_output_and_no_half_one(project):
    before = (project / "data/prepared/train.parquet").read_bytes()
    done = limited(project, sys.executable, "-m", "mlworkflow.stages", "prepare")
    assert done.returncode == 1
    assert "data/prepared/train.parquet could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / "data/prepared/train.parquet").read_bytes() == before
    assert list((project / "data/prepared").glob(".*")) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(UnwritableError, match=r"could not be written: (File exists|Not a directory)"):
        io.write_text("words", tmp_path / "taken/file.txt")


def test_a_read_only_folder_is_named_and_its_file_stays(tmp_path):
    path = tmp_path / "file.txt"
    io.write_text("before", path)
    tmp_path.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # nothing is read-only to root
    try:
        with pytest.raises(UnwritableError, match="could not be written: Permission denied"):
            io.write_text("after", path)
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o755)
    assert path.read_text() == "before"


def test_an_interrupted_write_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "file.txt"
    io.write_text("before", path)
    with pytest.raises(KeyboardInterrupt), io.replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "before"


@pytest.mark.parametrize(("content", "words"), [("{", "no JSON"), (None, "No such file")])
def test_a_damaged_or_missing_file_is_named_with_what_to_type(tmp_path, content, words):
    path = tmp_path / "cv.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UnreadableError, match=f"{words}.*dvc repro"):
        io.read_json(path)


def test_a_stage_that_the_user_stops_says_so_in_a_line(monkeypatch, capsys):
    def stop(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "run", stop)
    monkeypatch.setattr(sys, "argv", ["stages", "tune"])
    assert stages.main() == 130
    assert capsys.readouterr().err == "tune: stopped, nothing is half-written; `dvc repro` goes on from here.\n"


def test_a_stage_that_is_none_is_told_with_those_that_are(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["stages", "tuen"])
    assert stages.main() == 1
    assert "'tuen' is none; there are define, collect, " in capsys.readouterr().err


def test_json_that_is_no_object_is_unreadable(tmp_path):
    (tmp_path / "decision.json").write_text("[]")
    with pytest.raises(UnreadableError, match=r"it holds no keys\. Type `dvc repro`"):
        io.read_json(tmp_path / "decision.json")


def test_a_damaged_cache_file_is_made_again(project):
    lock = yaml.safe_load((project / "dvc.lock").read_text(encoding="utf-8"))
    md5 = next(out["md5"] for out in lock["stages"]["train"]["outs"] if out["path"] == "models/model.skops")
    cached = project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.chmod(0o644)
    cached.write_bytes(b"damaged")
    (project / "models/model.skops").unlink()
    run(project, "dvc", "repro", "--no-run-cache")
    assert run(project, "git", "status", "--porcelain") == ""
    assert (project / "models/model.skops").read_bytes() == (project / "models/bundle/pipeline.skops").read_bytes()
    assert cached.read_bytes() != b"damaged"


def test_a_stage_whose_input_is_damaged_says_so(project):
    good = (project / "data/features/train.parquet").read_bytes()
    (project / "data/features/train.parquet").write_bytes(good[:1000])
    try:
        said = run(project, sys.executable, "-m", "mlworkflow.stages", "tune", code=1)
    finally:
        (project / "data/features/train.parquet").write_bytes(good)
    assert "data/features/train.parquet must be readable" in said
    assert "Traceback" not in said


def test_outside_the_repository_the_rule_is_told(tmp_path):
    said = mlworkflow(tmp_path, "summary", code=1)
    assert "works inside its repository" in said


def test_before_the_first_run_the_summary_says_what_to_type(workspace):
    mlworkflow(workspace, "compose")
    said = mlworkflow(workspace, "summary", code=1)
    assert "dvc repro" in said
    assert "Traceback" not in said


def test_a_command_works_from_a_folder_inside(project):
    assert "Verdict" in mlworkflow(project / "conf/problem", "decide")


def test_without_git_the_reason_is_told(clone):
    shutil.rmtree(clone / ".git")
    said = run(clone, "dvc", "repro", "define", code=None)
    assert "git" in said.lower()
    assert "git" in mlworkflow(clone, "verify", code=2).lower()


def test_without_a_commit_the_workflow_runs_and_an_experiment_says_what_it_lacks(clone):
    shutil.rmtree(clone / ".git")
    run(clone, "git", "init", "-q")
    run(clone, "dvc", "repro", "define")
    assert "empty git repo" in run(clone, "dvc", "exp", "run", code=None).lower()


def test_a_git_worktree_is_as_good_as_a_clone(project, tmp_path):
    run(project, "git", "worktree", "add", "-q", str(tmp_path / "tree"))
    try:
        run(tmp_path / "tree", "dvc", "repro", "prepare")
        assert run(tmp_path / "tree", "git", "status", "--porcelain") == ""
    finally:
        run(project, "git", "worktree", "remove", "--force", str(tmp_path / "tree"))


def test_no_output_names_the_machine_the_day_or_the_commit(project):
    commit = run(project, "git", "rev-parse", "HEAD").strip()
    words = [str(project), commit, commit[:7], time.strftime("%Y-%m-%d")]
    words += [os.uname().nodename] if len(os.uname().nodename) > 3 else []  # a shorter one occurs by chance
    lock = yaml.safe_load((project / "dvc.lock").read_text(encoding="utf-8"))
    outs = [project / out["path"] for stage in lock["stages"].values() for out in stage["outs"]]
    files = [file for out in outs for file in (sorted(out.rglob("*")) if out.is_dir() else [out]) if file.is_file()]
    assert len(files) > 20
    found = {(file.name, word) for file in files for word in words if word.encode() in file.read_bytes()}
    assert found == set()


class Slow:
    """A model that waits, as on a busy machine, or works for a hundredth of a second."""

    def __init__(self, works: bool) -> None:
        self.works = works

    def predict(self, table: pd.DataFrame) -> None:
        until = time.process_time() + 0.01
        time.sleep(0 if self.works else 0.5)
        while self.works and time.process_time() < until:
            pass


def test_a_prediction_is_as_slow_as_it_works_and_not_as_it_waits():
    """Else metrics/decision.json would hang on what else the machine does."""
    rows = Rows(pd.DataFrame({"x": [1.0]}), None, "regression")
    assert seconds_a_row(Slow(works=True), rows, times=3) >= 0.01
    assert seconds_a_row(Slow(works=False), rows, times=1) < 0.5


def test_measured_times_are_no_outputs(project):
    lock = yaml.safe_load((project / "dvc.lock").read_text(encoding="utf-8"))
    outs = [out["path"] for stage in lock["stages"].values() for out in stage["outs"]]
    assert [path for path in outs if path.startswith("timings")] == []
    assert json.loads((project / "timings/prediction.json").read_text())["milliseconds_a_row"] > 0
