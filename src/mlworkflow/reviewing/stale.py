"""Whether the workspace is as its last run found it: results that its files would not give again mislead."""

from __future__ import annotations

import json
from hashlib import md5
from pathlib import Path
from typing import Any

IGNORED = ("__pycache__", ".ipynb_checkpoints")  # as .dvcignore has it
SUFFIXES = (".pyc", ".swp", "~")


def changed_params(params: dict[str, Any], stages: dict[str, Any]) -> list[str]:
    """Return the parameters that are no longer those which dvc.lock says a stage was run with."""
    ran: dict[str, Any] = {}
    for stage in stages.values():
        for told in stage.get("params", {}).values():
            ran |= {key: value for key, value in told.items() if key != "fingerprint"}
    return [key for key, value in sorted(ran.items()) if _at(params, key) != value]


def changed_files(root: Path, stages: dict[str, Any]) -> list[str]:
    """Return the files and folders of `root` that no longer hold what dvc.lock says a stage read or left in Git."""
    told = {
        item["path"]: item.get("md5")
        for stage in stages.values()
        for item in [*stage.get("deps", []), *stage.get("outs", [])]
        if item["path"].startswith(("src/", "plugins/", "metrics/"))
    }
    return [path for path, before in sorted(told.items()) if before and digest(root / path) != before]


def digest(path: Path) -> str | None:
    """Return the MD5 of a file, or that which DVC gives a folder: of the list of its files; None where it is gone."""
    if path.is_file():
        return _md5(path.read_bytes())
    if not path.is_dir():
        return None
    files = [file for file in path.rglob("*") if file.is_file() and not _ignored(file)]
    told = [{"md5": _md5(file.read_bytes()), "relpath": file.relative_to(path).as_posix()} for file in files]
    listed = sorted(told, key=lambda item: item["relpath"])
    return _md5(json.dumps(listed, sort_keys=True).encode()) + ".dir"


def _ignored(file: Path) -> bool:
    return any(part in IGNORED for part in file.parts) or file.name.endswith(SUFFIXES)


def _md5(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()


def _at(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return params
