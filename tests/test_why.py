"""`mlworkflow why`: each reason to run a stage again is told with what it was and what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from mlworkflow.doctoring import past, reasons
from mlworkflow.doctoring.hashing import path_md5
from tests.conftest import ROOT, mlworkflow, run

PIPELINE = """
stages:
  make:
    cmd: cat code/*.py ${source.path} requirements.lock > rows.txt
    deps: [code, '${source.path}', requirements.lock]
    params: [model, seed]
    outs: [rows.txt]
  fit:
    cmd: cp rows.txt model.txt
    deps: [rows.txt]
    outs: [model.txt]
  check:
    cmd: wc -l < notes.txt > count.txt
    deps: [notes.txt]
    params:
      - params.yaml:
    outs: [count.txt]
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "params.yaml": "seed: 1\nsource: {path: rows.csv}\nmodel: {name: linear, C: 1.0, old: 1}\n",
    "code/a.py": "one\ntwo\nthree\nfour\n",
    "code/b.py": "b\n",
    "rows.csv": "a,b\n",
    "notes.txt": "note\n",
    "requirements.lock": "numpy==2.1.0 \\\n    --hash=sha256:0\npandas==3.0.0\ngone==1.0 ; python_version < '3.12'\n",
    ".dvcignore": "__pycache__\n",
    ".gitignore": "/rows.txt\n/model.txt\n/count.txt\n",
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    """A small pipeline that has run and was committed."""
    root = tmp_path_factory.mktemp("ran") / "two words"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    run(root, "git", "init", "-q")
    run(root, "dvc", "init", "-q")
    shutil.copy(ROOT / ".dvc/config", root / ".dvc/config")
    run(root, "dvc", "repro", "-q")
    run(root, "git", "add", "-A")
    run(root, "git", "-c", "user.name=tests", "-c", "user.email=t@localhost", "commit", "-qm", "a run")
    return root


@pytest.fixture
def stale(ran, tmp_path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(ran, tmp_path / "copy", symlinks=True))


def write(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text, encoding="utf-8")


def test_nothing_would_run_where_all_is_as_recorded(ran):
    said = mlworkflow(ran, "why")
    assert said.startswith("$ dvc status --json\n")
    assert "nothing would run" in said
    assert "fit would not run" in mlworkflow(ran, "why", "fit")


def test_each_reason_is_told_with_old_and_new(stale):
    write(stale, "params.yaml", "seed: 1\nsource: {path: rows.csv}\nmodel: {name: linear, C: 0.5, new: {k: 1}}\n")
    write(stale, "code/a.py", "one\n2\nthree\nfour\nfive\nsix\n")
    write(stale, "code/c.py", "c\n")
    (stale / "code/__pycache__").mkdir()
    write(stale, "code/__pycache__/a.pyc", "compiled")
    write(stale, "rows.csv", "a,c\n")
    write(
        stale, "requirements.lock", FILES["requirements.lock"].replace("2.1.0", "2.2.0").split("gone")[0] + "new==4\n"
    )
    write(stale, "dvc.yaml", PIPELINE.replace("cp rows.txt model.txt", "mv rows.txt model.txt"))
    (stale / "count.txt").unlink()
    said = mlworkflow(stale, "why")
    for line in (
        "params.yaml: model.C: 1.0 -> 0.5",
        "params.yaml: model.old: 1 -> (not there)",
        "params.yaml: model.new.k: (not there) -> 1",
        "code/a.py: line 2 changed, lines 5-6 new (MD5 ",
        "code/c.py: added",
        "rows.csv: line 1 changed (MD5 ",
        "requirements.lock: gone 1.0 -> (not there), new (not there) -> 4, numpy 2.1.0 -> 2.2.0",
        "its command: cp rows.txt model.txt -> mv rows.txt model.txt",
        "what it reads comes from make, which would run",
        "count.txt: the output is missing",
    ):
        assert line in said, (line, said)
    assert "pyc" not in said
    assert "seed:" not in said
    assert "check would run" not in mlworkflow(stale, "why", "fit")


def test_a_stage_below_one_that_would_run_may_run(stale):
    write(stale, "code/b.py", "B\n")
    assert "fit may run: what it reads comes from make, which would run" in mlworkflow(stale, "why", "fit")


def test_a_changed_output_a_lost_file_and_a_lost_record_are_told(stale):
    write(stale, "model.txt", "by hand\n")
    write(stale, "params.yaml", FILES["params.yaml"] + "more: 1\n")
    (stale / "notes.txt").unlink()
    lock = yaml.safe_load((stale / "dvc.lock").read_text())
    del lock["stages"]["make"]
    write(stale, "dvc.lock", yaml.safe_dump(lock))
    said = mlworkflow(stale, "why")
    assert "model.txt: the output was changed, MD5 " in said
    assert "notes.txt: it is missing (MD5 " in said
    assert "params.yaml: more: (not there) -> 1" in said
    assert "dvc.lock has no record of it" in said


def test_a_file_that_no_commit_holds_is_told_by_its_md5(stale):
    write(stale, "notes.txt", "other\n")
    run(stale, "dvc", "repro", "-q", "check")
    write(stale, "notes.txt", "again\n")
    assert "notes.txt: modified, MD5 " in mlworkflow(stale, "why", "check")


def test_an_unknown_stage_and_a_broken_lock_are_refused(stale):
    assert "'maek' is none, did you mean 'make'? There are: make, fit, check." in mlworkflow(
        stale, "why", "maek", code=1
    )
    write(stale, "dvc.lock", "<<<<<<< ours\n")
    assert "dvc.lock must hold stages" in mlworkflow(stale, "why", code=1)
    write(stale, "dvc.lock", "<<<<<<< ours\nstages: {}\n")
    assert "dvc.lock cannot be read. Type `mlworkflow doctor`." in mlworkflow(stale, "why", code=1)


def test_our_md5_is_what_dvc_records(ran):
    recorded = yaml.safe_load((ran / "dvc.lock").read_text())["stages"]
    items = [item for stage in recorded.values() for kind in ("deps", "outs") for item in stage.get(kind, [])]
    assert {item["path"]: item["md5"] for item in items} == {
        item["path"]: path_md5(ran, item["path"]) for item in items
    }
    assert any(item["md5"].endswith(".dir") for item in items)


def test_the_lines_that_count_are_named():
    assert past.lines(b"a\nb\nc\n", b"a\nc\n").startswith("lines gone after line 1 (MD5 ")
    assert past.lines(b"a\n", b"a\r\n").startswith("MD5 ")
    assert past.lines(b"\0a", b"\0b").startswith("MD5 ")
    assert "and 4 more places" in past.lines(b"x\ny\n" * 10, b"z\ny\n" * 10)


def test_what_else_dvc_says_is_told(ran):
    assert reasons.of(ran, {}, {"cmd": "x"}, ["always changed"], {}) == ["DVC says: always changed"]
