"""Checks of what is written: conf/, params.yaml, dvc.yaml, dvc.lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, StaleParamsError
from mlworkflow.doctoring.symptom import Found, Symptom, some


def conf(root: Path) -> Found:
    """Every file of conf/ fits its schema."""
    from mlworkflow.config.mistakes import file_mistakes, sweep_mistakes

    if found := [*file_mistakes(), *sweep_mistakes()]:
        yield Symptom(some(found), "Mend this, then type `mlworkflow compose`.")


def params(root: Path) -> Found:
    """params.yaml is the composition of conf/ as it is now."""
    from mlworkflow.config import conf as composed

    try:
        composed.check()
    except StaleParamsError as error:
        yield Symptom(str(error), "")


def pipeline(root: Path) -> Found:
    """dvc.yaml can be read, and its deps on code are the imports."""
    from mlworkflow.checking import wiring
    from mlworkflow.checking.upkeep import configs

    stages = _stages(root)
    if stages is None:
        yield Symptom("it holds no stages", f"Type `git restore {paths.PIPELINE}`.")
    elif found := wiring.code_mistakes(io.read_yaml(root / paths.PIPELINE), configs(), root):
        yield Symptom(some(found), "Type `mlworkflow wire`, then `dvc repro`.")


def lock(root: Path) -> Found:
    """dvc.lock can be read, and records each stage of dvc.yaml and no other."""
    path = root / paths.LOCK
    if not path.is_file():
        yield Symptom("there is none: nothing is recorded of any run", "Type `dvc repro`.")
        return
    try:
        recorded = io.read_yaml(path)
    except ProjectError as error:
        yield Symptom(_broken(path, error), f"Type `git checkout HEAD -- {paths.LOCK}`, then `dvc repro`.")
        return
    stages = recorded.get("stages") if isinstance(recorded, dict) else None
    if not isinstance(recorded, dict) or not isinstance(stages or {}, dict):
        yield Symptom("it holds no stages", f"Type `git checkout HEAD -- {paths.LOCK}`, then `dvc repro`.")
        return
    known = _stages(root) or {}
    if left := [name for name in known if name not in (stages or {})]:
        yield Symptom(f"no run is recorded of {some(left)}", "Type `dvc repro`.")
    if old := [name for name in stages or {} if name not in known]:
        yield Symptom(f"it records {some(old)}, no stage of {paths.PIPELINE}", "Delete that in it.", hint=True)


def _stages(root: Path) -> dict[str, Any] | None:
    """Return the stages of dvc.yaml, None where it has none or is no YAML."""
    try:
        said = io.read_yaml(root / paths.PIPELINE)
    except ProjectError:
        return None
    stages = said.get("stages") if isinstance(said, dict) else None
    return stages if isinstance(stages, dict) else None


def _broken(path: Path, error: ProjectError) -> str:
    """Return why a YAML cannot be read."""
    lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    marks = [place for place, line in enumerate(lines, start=1) if line.startswith(("<<<<<<< ", ">>>>>>> "))]
    return f"it has conflict markers, in line {marks[0]} first" if marks else str(error).split(". Mend")[0]
