"""What a bundle was made of: SHA-256 of its data, parameters and code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlworkflow
from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections

CODE = (
    "core",
    "featurelines.py",
    "features.py",
    "learning",
    "rows",
    "runtime",
    "serving",
)  # what a prediction rests on
DATA = (paths.TRAIN, paths.TEST, paths.FEATURES)


def made_of(sections: Sections) -> dict[str, Any]:
    """Return {data: {file: SHA-256}, parameters: SHA-256, code: SHA-256} of what the stage `package` is given."""
    given = {"seed": sections.seed, "problem": sections.problem.model_dump(mode="json", by_alias=True)}
    given |= {name: getattr(sections, name).model_dump(mode="json", by_alias=True) for name in ("model", "augment")}
    return {
        "data": {path.as_posix(): io.sha256(path) for path in DATA},
        "parameters": hashlib.sha256(io.as_json(given)).hexdigest(),
        "code": code(Path(mlworkflow.__file__).parent),
    }


def code(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of the files of CODE in the package's folder."""
    found = [path for name in CODE for path in _files(folder / name)]
    told: Mapping[str, str] = {path.relative_to(folder).as_posix(): io.sha256(path) for path in sorted(found)}
    return hashlib.sha256(io.as_json(told)).hexdigest()


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("*.py"))
