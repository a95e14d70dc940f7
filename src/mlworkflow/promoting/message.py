"""The message of the commit that promotes an experiment: its first lines are the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlworkflow.core import paths
from mlworkflow.core.processes import git
from mlworkflow.reviewing.command import first_lines
from mlworkflow.reviewing.revisions import ReviewError


def message(root: Path, base: str, candidate: str, name: str, lines: list[str]) -> str:
    """Return the message: the verdict, what was chosen, how to undo it."""
    told = "\n".join(f"- {line}" for line in lines) or "- conf/ is as it was"
    return f"{verdict(root, base, candidate)}\n\nPromotes {name}:\n\n{told}\n\nUndo: git revert\n"


def verdict(root: Path, base: str, candidate: str) -> str:
    """Return the first lines of the review of two commits; where there is none to be had, what metrics/ say of both."""
    try:
        return first_lines(base, candidate)
    except ReviewError:
        return from_metrics(root, base, candidate)


def from_metrics(root: Path, base: str, candidate: str) -> str:
    """Return the primary metric of two commits, before and after, with the names of problem and model."""
    from mlworkflow.summary import number

    old, new = _told(root, base), _told(root, candidate)
    metric = new["primary"]
    if (old["problem"], old["primary"]) != (new["problem"], metric):
        return f"{new['problem']}: {new['model']}, {metric} {number(new['value'])} (before: {old['problem']})"
    models = new["model"] if old["model"] == new["model"] else f"{old['model']} -> {new['model']}"
    return f"{new['problem']}: {models}, {metric} {number(old['value'])} -> {number(new['value'])}"


def _told(root: Path, commit: str) -> dict[str, Any]:
    import yaml

    said = _json(root, commit, paths.DECISION)
    tested = _json(root, commit, paths.TEST_METRICS)
    params = git(root, "show", f"{commit}:./{paths.PARAMS}").stdout
    problem = (yaml.load(params, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}).get("problem", {})
    primary = said.get("primary", "")
    return {
        "problem": problem.get("name"), "model": said.get("model"), "primary": primary, "value": tested.get(primary)
    }  # fmt: skip


def _json(root: Path, commit: str, path: Path) -> dict[str, Any]:
    shown = git(root, "show", f"{commit}:./{path.as_posix()}")
    found: dict[str, Any] = {} if shown.returncode else json.loads(shown.stdout)
    return found
