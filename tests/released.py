"""A repository whose models are released: the fixture `repository`, and what leaves a model in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlworkflow.core import io
from mlworkflow.doctoring.hashing import folder_md5, md5
from mlworkflow.judging.verdict import BETTER
from mlworkflow.serving import folder
from tests.conftest import ROOT
from tests.reviewed import commit, git

PIPELINE = {"stages": {"package": {"cmd": "true", "outs": ["models/bundle"]}}}


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository with one model, run and committed."""
    root = tmp_path / "here"
    root.mkdir()
    for words in ("init -q -b main", "config user.name Ada", "config user.email a@b.ch"):
        git(root, *words.split())
    for name in ("conf", "plugins"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "params.yaml", root)
    io.write_text("/models/\n/data/\n__pycache__/\n", root / ".gitignore")
    io.write_text("[core]\n    analytics = false\n    check_update = false\n", root / ".dvc/config")
    io.write_text("/cache\n/tmp\n/config.local\n", root / ".dvc/.gitignore")
    io.write_yaml(PIPELINE, root / "dvc.yaml")
    model(root, "first")
    return root


def model(root: Path, name: str, **decision: object) -> str:
    """Leave what a run leaves that made this model, and commit it; return the commit."""
    about = {"problem": "breast_cancer", "task": "binary", "model": name, "onnx": {"left_out": "a test"}, "hashes": {}}
    folder.write(root / "models/bundle", {file: name.encode() for file in folder.FILES}, about)
    return recorded(root, name, **decision)


def recorded(root: Path, name: str, **decision: object) -> str:
    """Leave models/bundle as the output of a run: in DVC's cache and dvc.lock, with what was decided; commit it."""
    files = {path.name: path.read_bytes() for path in (root / "models/bundle").iterdir()}
    digests = {file: md5(content) for file, content in files.items()}
    digest = folder_md5(digests)
    keep(root, digest, json.dumps([{"md5": digests[file], "relpath": file} for file in sorted(files)]).encode())
    for file, content in files.items():
        keep(root, digests[file], content)
    size = sum(map(len, files.values()))
    outs = [{"path": "models/bundle", "hash": "md5", "md5": digest, "size": size, "nfiles": len(files)}]
    io.write_yaml({"schema": "2.0", "stages": {"package": {"cmd": "true", "outs": outs}}}, root / "dvc.lock")
    told = {"verdict": BETTER, "good_enough": True, "model": name, "primary": "roc_auc", "passed": {}, **decision}
    io.write_json(told, root / "metrics/decision.json")
    io.write_json({"roc_auc": 0.9}, root / "metrics/test.json")
    return commit(root, name)


def keep(root: Path, digest: str, content: bytes) -> None:
    """Write into DVC's cache."""
    io.write_bytes(content, root / ".dvc/cache/files/md5" / digest[:2] / digest[2:])
