"""A repository of runs made by hand: what the review reads of a revision, without running the workflow."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mlworkflow.core import io, paths
from mlworkflow.doctoring.hashing import path_md5
from mlworkflow.judging.predicted import predictions, refits_table
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.schema import Column, Schema
from tests.conftest import make_problem

ROWS = 200
CLASSES = ["no", "yes"]


def git(root: Path, *words: str) -> str:
    """Run Git in `root`; return what it says."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def begin(root: Path) -> Path:
    """Return a repository without a commit."""
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "config", "user.email", "a@b.ch")
    git(root, "config", "user.name", "A")
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / ".gitignore").write_text("/evaluation/\n/data/\n/models/\n.dvc/cache\n")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("")
    return root


def truth(rows: int = ROWS) -> np.ndarray:
    """Return (rows,) codes of two classes."""
    return np.random.default_rng(0).integers(0, 2, rows)


def scored(skill: float, seed: int, rows: int = ROWS, refit: int = 0) -> Scored:
    """Return what a model of some skill says: the further from 0, the better; a refit, a little else."""
    rng, codes = np.random.default_rng(seed), truth(rows)
    said = skill * (2 * codes - 1) + rng.normal(size=rows)
    said += 0.2 * (refit > 0) * np.random.default_rng([seed, refit]).normal(size=rows)
    high = 1 / (1 + np.exp(-said))
    likely = np.column_stack([1 - high, high])
    return Scored(codes, likely.argmax(axis=1), likely)


def run(
    root: Path,
    skill: float,
    *,
    seed: int = 1,
    ids: np.ndarray | None = None,
    refits: bool = True,
    rows: str = "rows",
    changes: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    spoil: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
    deps: Sequence[str] = (),
) -> None:
    """Leave in `root` what a run of a model of some skill leaves: params.yaml, dvc.lock, metrics, outputs, cache."""
    ids = np.arange(ROWS) if ids is None else ids
    said = scored(skill, seed, len(ids))
    asked = {"metrics": {"primary": "roc_auc", "also": ["log_loss"], "least_gain": 0.01}} | (changes or {})
    problem = make_problem(data={"target": "left", "positive": "yes"}, **asked)
    told = {"seed": 7, "model": {"name": f"skill {skill:g}"}, "problem": problem.model_dump(mode="json", by_alias=True)}
    told |= params or {}
    io.write_yaml(told, root / paths.PARAMS)
    again = [scored(skill, seed, len(ids), number) for number in range(1, 6)] if refits else []
    table = pd.DataFrame({"age": np.linspace(20, 60, len(ids)), "left": said.truth})
    schema = Schema("binary", "left", CLASSES, [Column("age", "number", "input")])
    outs = {
        paths.PREDICTIONS: lambda path: io.write_table(spoil(predictions(ids, said, CLASSES)), path),
        paths.TEST: lambda path: io.write_table(table, path),
        paths.FEATURES: lambda path: io.write_json(schema.to_dict(), path),
        paths.FINDINGS: lambda path: io.write_json({"importance": [{"column": "age"}]}, path),
        paths.TEST_ROWS: lambda path: io.write_text(rows, path),
        paths.TRAIN_ROWS: lambda path: io.write_text(rows, path),
        paths.MODEL: lambda path: io.write_text("a model", path),
    }
    if refits:
        outs[paths.REFITS] = lambda path: io.write_table(refits_table(ids, again, CLASSES, f"parts {seed}"), path)
    for path, write in outs.items():
        write(root / path)
    io.write_json({"roc_auc": 0.5, "log_loss": 0.7}, root / paths.TEST_METRICS)
    io.write_json({"verdict": "better than the baseline"}, root / paths.DECISION)
    _lock(root, list(outs), told, deps)


def _lock(root: Path, outs: list[Path], told: dict[str, Any], deps: Sequence[str]) -> None:
    lines = []
    for path in outs:
        content = (root / path).read_bytes()
        digest = md5(content, usedforsecurity=False).hexdigest()
        io.write_bytes(content, root / ".dvc/cache/files/md5" / digest[:2] / digest[2:])
        lines.append({"path": path.as_posix(), "hash": "md5", "md5": digest, "size": len(content)})
    read = [{"path": name, "hash": "md5", "md5": path_md5(root, name)} for name in deps]
    stage = {
        "cmd": "x",
        "deps": read,
        "params": {"params.yaml": {"model": told["model"], "seed": told["seed"]}},
        "outs": lines,
    }
    lock = {"schema": "2.0", "stages": {"evaluate": stage}}
    (root / paths.LOCK).write_text(yaml.safe_dump(lock, sort_keys=False))


def commit(root: Path, words: str) -> str:
    """Commit all that Git tracks; return the hash."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", words)
    return git(root, "rev-parse", "HEAD")


def experiment(root: Path, name: str) -> None:
    """Keep what is in the workspace as an experiment, as DVC does, and go back to HEAD."""
    head = git(root, "rev-parse", "HEAD")
    sha = commit(root, name)
    git(root, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", sha)
    git(root, "reset", "--quiet", "--hard", head)


def forget_cache(root: Path) -> None:
    """Empty DVC's cache and the outputs of the workspace."""
    for folder in (".dvc/cache", "evaluation", "data"):
        subprocess.run(["rm", "-rf", folder], cwd=root, check=True)
