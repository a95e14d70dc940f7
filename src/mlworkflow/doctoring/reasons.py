"""Why one stage would run: its record in dvc.lock set against the workspace, old -> new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlworkflow.core import paths
from mlworkflow.doctoring import past
from mlworkflow.doctoring.environment import LOCK, pins
from mlworkflow.doctoring.hashing import path_md5
from mlworkflow.doctoring.symptom import some

NONE = "(not there)"
MOST = 12  # keys of params


def of(
    root: Path, spec: Mapping[str, Any], record: Mapping[str, Any] | None, status: list[Any], params: Any
) -> list[str]:
    """Return each reason of a stage.

    Args:
        root: the repository.
        spec: the stage in dvc.yaml.
        record: the stage in dvc.lock, None where it has none.
        status: what `dvc status --json` says of it.
        params: params.yaml.
    """
    if record is None:
        return [f"{paths.LOCK} has no record of it: it never ran, or a merge left it out"]
    said: dict[str, dict[str, Any]] = {}
    for one in status:
        said |= one if isinstance(one, dict) else {}
    found = [*_command(spec, record, params)] if "changed command" in status else []
    for path, what in said.get("changed deps", {}).items():
        found += _params(spec, record, what, path, params) if isinstance(what, dict) else _dep(root, path, what, record)
    for path, what in said.get("changed outs", {}).items():
        found += _out(root, path, what, record)
    return found or [f"DVC says: {one}" for one in status]


def _command(spec: Mapping[str, Any], record: Mapping[str, Any], params: Any) -> Iterator[str]:
    yield f"its command: {record.get('cmd')} -> {resolved(str(spec.get('cmd')), params)}"


def _params(
    spec: Mapping[str, Any], record: Mapping[str, Any], what: Mapping[str, Any], file: str, params: Any
) -> list[str]:
    """Return a line for each value that is another one now."""
    old = flat(record.get("params", {}).get(file, {}))
    declared = [key for key in spec.get("params", []) if isinstance(key, str)]
    if file != paths.PARAMS.as_posix():
        return [f"{file}: {key} {told}" for key, told in what.items()]
    new = flat({key: value for key in declared if (value := pick(params, key)) is not NONE} if declared else params)
    lines = [
        f"{file}: {key}: {old.get(key, NONE)} -> {new.get(key, NONE)}"
        for key in [*old, *(key for key in new if key not in old)]
        if repr(old.get(key, NONE)) != repr(new.get(key, NONE))
    ]
    told = lines or [f"{file}: {key} {word}" for key, word in what.items()]
    return told[:MOST] + ([f"{file}: {len(told) - MOST} more keys"] if len(told) > MOST else [])


def pick(params: Any, key: str) -> Any:
    """Return the value under a dotted key; NONE where there is none."""
    for name in key.split("."):
        if not isinstance(params, Mapping) or name not in params:
            return NONE
        params = params[name]
    return params


def resolved(text: str, params: Any) -> str:
    """Return a text of dvc.yaml with the values in place of `${key}`."""
    return re.sub(r"\$\{([^}]+)\}", lambda found: str(pick(params, found[1].strip())), text)


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return {dotted key: value}, an empty section as it stands."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: value} if prefix else {}
    return {name: leaf for key in value for name, leaf in flat(value[key], f"{prefix}.{key}".strip(".")).items()}


def _dep(root: Path, path: str, what: str, record: Mapping[str, Any]) -> list[str]:
    """Return what is new about a file or folder that the stage reads."""
    old, new = _md5(record.get("deps", []), path), path_md5(root, path)
    if old is None:
        return [f"{path}: it reads this since"]
    if new is None:
        return [f"{path}: it is missing (MD5 {old[:10]} before)"]
    before, digests = past.held(root, path, old), f"MD5 {old[:10]} -> {new[:10]}"
    if before is None:
        return [f"{path}: {what}, {digests}"]
    after = past.now(root, path)
    if path == LOCK.as_posix():
        return [f"{path}: {some(_pins(before[''], after['']), MOST)}"]
    told = past.changed(path, before, after)
    return told[:MOST] + ([f"{path}: {len(told) - MOST} more files"] if len(told) > MOST else [])


def _pins(before: bytes, after: bytes) -> list[str]:
    """Return each package whose version is another one now."""
    old, new = pins(before.decode()), pins(after.decode())
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    changed = [f"{name} {old.get(name, NONE)} -> {new.get(name, NONE)}" for name in names]
    return changed or ["the same versions, but other hashes or words"]


def _out(root: Path, path: str, what: str, record: Mapping[str, Any]) -> list[str]:
    """Return what happened to an output."""
    old, new = _md5(record.get("outs", []), path), path_md5(root, path)
    if new is None:
        return [f"{path}: the output is missing (dvc repro takes it from the cache where that has it)"]
    if old is None:
        return [f"{path}: the output is not in {paths.LOCK}"]
    if old == new:
        return [f"{path}: the output is as recorded, but {what}"]
    return [f"{path}: the output was changed, MD5 {old[:10]} -> {new[:10]}"]


def _md5(items: Iterable[Mapping[str, Any]], path: str) -> str | None:
    return next((item.get("md5") for item in items if item["path"] == path), None)
