"""Whether the workspace is as its last run found it: results that its files would not give again mislead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mlworkflow.core import paths
from mlworkflow.doctoring.hashing import path_md5


def changed_params(params: dict[str, Any], stages: dict[str, Any]) -> list[str]:
    """Return the parameters that are no longer those which dvc.lock says a stage was run with."""
    ran: dict[str, Any] = {}
    for stage in stages.values():
        for told in stage.get("params", {}).values():
            ran |= {key: value for key, value in told.items() if key != "fingerprint"}
    return [key for key, value in sorted(ran.items()) if _at(params, key) != value]


def not_run(root: Path, stages: dict[str, Any]) -> list[str]:
    """Return the stages of dvc.yaml that dvc.lock does not know."""
    told = yaml.safe_load((root / paths.PIPELINE).read_text(encoding="utf-8")) or {}
    return [f"the stage {name}" for name in told.get("stages") or {} if name not in stages]


def changed_files(root: Path, stages: dict[str, Any]) -> list[str]:
    """Return the files and folders of `root` that no longer hold what dvc.lock says a stage read or left in Git."""
    told = {
        item["path"]: item.get("md5")
        for stage in stages.values()
        for item in [*stage.get("deps", []), *stage.get("outs", [])]
        if item["path"].startswith(("src/", "plugins/", "conf", "metrics/"))
    }
    return [path for path, before in sorted(told.items()) if before and path_md5(root, path) != before]


def _at(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return params
