"""`mlworkflow why [STAGE]`: why a stage, or each, would run again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, ended, nearest
from mlworkflow.core.processes import DVC, without
from mlworkflow.doctoring import reasons

Stages = Mapping[str, Mapping[str, Any]]


def why(root: Path, stage: str | None = None) -> str:
    """Return why a stage would run; without a name, of all that would.

    Raises:
        ProjectError: no such stage; dvc.yaml, dvc.lock or params.yaml cannot be read.
    """
    stages, params = _stages(root / paths.PIPELINE), io.read_yaml(root / paths.PARAMS)
    if stage is not None and stage not in stages:
        raise ProjectError(
            f"a stage must be one of {paths.PIPELINE}, but {ended(f'{stage!r} is none{nearest(stage, stages)}')} "
            f"There are: {', '.join(stages)}."
        )
    recorded = _stages(root / paths.LOCK) if (root / paths.LOCK).is_file() else {}
    status = _status(root)
    stages = {
        name: {**spec, "deps": [reasons.resolved(str(dep), params) for dep in spec.get("deps", [])]}
        for name, spec in stages.items()
    }
    wanted = [*stages] if stage is None else [stage, *_above(stage, stages)]
    own = {
        name: told
        for name in wanted
        if (told := reasons.of(root, stages[name], recorded.get(name), status.get(name, []), params))
    }
    told = [_told(name, own, stages) for name in stages if stage in (None, name)]
    found = [one for one in told if one]
    return "\n".join(found) if found else _nothing(stage)


def _nothing(stage: str | None) -> str:
    where = f"all is as {paths.LOCK} records it"
    return f"nothing would run: {where}" if stage is None else f"{stage} would not run: {where}"


def _told(stage: str, own: Mapping[str, list[str]], stages: Stages) -> str:
    """Return a stage with its reasons, or with the stages above it that would run; nothing where it would not."""
    above = [name for name in _above(stage, stages) if name in own]
    if stage in own:
        lines = [f"{stage} would run:", *(f"  {line}" for line in own[stage])]
        return "\n".join(
            [*lines, *([f"  and what it reads comes from {', '.join(above)}, which would run"] if above else [])]
        )
    return f"{stage} may run: what it reads comes from {', '.join(above)}, which would run" if above else ""


def _above(stage: str, stages: Stages) -> list[str]:
    """Return the stages that a stage rests on, directly or not, in the order of dvc.yaml."""
    made = {path: name for name, spec in stages.items() for path in outputs(spec)}
    found: set[str] = set()
    waiting = [stage]
    while waiting:
        deps = stages[waiting.pop()].get("deps", [])
        makers = {made[path] for path in made for dep in deps if _overlap(dep, path)}
        waiting += makers - found
        found |= makers
    return [name for name in stages if name in found - {stage}]


def _overlap(one: str, other: str) -> bool:
    """Return whether one path is the other, or in it."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def outputs(spec: Mapping[str, Any]) -> list[str]:
    """Return the paths of all outputs of a stage of dvc.yaml."""
    items = [item for kind in ("outs", "metrics", "plots") for item in spec.get(kind, [])]
    return [str(next(iter(item))) if isinstance(item, dict) else str(item) for item in items]


def _stages(path: Path) -> dict[str, Any]:
    """Return the stages of dvc.yaml or dvc.lock."""
    try:
        said = io.read_yaml(path)
    except ProjectError as error:
        raise ProjectError(f"{path.name} cannot be read. Type `mlworkflow doctor`.") from error
    stages = said.get("stages", {}) if isinstance(said, dict) else said
    if not isinstance(stages, dict | None):
        raise ProjectError(f"{path.name} must hold stages, but holds something else. Type `mlworkflow doctor`.")
    return stages or {}


def _status(root: Path) -> dict[str, list[Any]]:
    """Return what DVC says of each stage that is not as recorded.

    Raises:
        ProjectError: DVC cannot tell.
    """
    print("$ dvc status --json", flush=True)
    done = subprocess.run(
        [*DVC, "status", "--json"],
        cwd=root,
        env=without("GIT_"),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    try:
        said = json.loads(done.stdout)
    except ValueError as error:
        told = (done.stderr.strip().splitlines() or ["it says nothing"])[0].rstrip(".")
        raise ProjectError(f"DVC must know its state, but says: {told}. Type `mlworkflow doctor`.") from error
    return said if isinstance(said, dict) else {}
