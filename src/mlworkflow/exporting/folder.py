"""The folder of an export: written whole or not at all, never over what somebody else put or changed there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.exporting.subject import LEFT, ExportError
from mlworkflow.serving.folder import replacing_folder

MARK = ".mlworkflow-export"  # no suffix: kubectl applies every .json and .yaml of a folder
OTHER = "Name another folder with -o, or remove that one."


def write(folder: Path, kind: str, files: Mapping[str, bytes]) -> None:
    """Write the files and the mark that tells them, in place of an earlier export.

    Raises:
        ExportError: the folder is not free.
        UnwritableError: it cannot be written; what was there is as it was.
    """
    demand_free(folder, kind)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    with replacing_folder(folder.resolve()) as beside:
        for name, content in {**files, MARK: io.as_json({"kind": kind, "files": hashes})}.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(content)


def demand_free(folder: Path, kind: str) -> None:
    """Demand that nothing is lost by writing there: nothing is, or an export of this kind as it was written.

    Raises:
        ExportError: something else is; all that is.
    """
    if folder.exists() and not folder.is_dir():
        raise ExportError([f"{folder} is a file"], "Name a folder with -o.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MARK).is_file():
        raise ExportError([f"{folder} is not empty, and no `mlworkflow export {kind}` made it"], OTHER)
    hashes = _hashes(folder, kind)
    there = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if _counts(path)}
    found = [f"{folder / name} was put there by somebody else" for name in there if name not in hashes]
    found += [
        f"{path} was changed" for name, path in there.items() if name in hashes and io.sha256(path) != hashes[name]
    ]
    if found:
        raise ExportError(found, OTHER)


def _counts(path: Path) -> bool:
    return path.is_file() and path.name != MARK and not {*path.parts} & {*LEFT}


def _hashes(folder: Path, kind: str) -> dict[str, str]:
    """Return the SHA-256 of each file of an export by its mark. Raises ExportError where it is of another kind."""
    try:
        mark = json.loads(io.read_bytes(folder / MARK))
        found, hashes = str(mark["kind"]), dict(mark["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError([f"{folder / MARK} cannot be read ({error!r})"], OTHER) from error
    if found != kind:
        raise ExportError([f"{folder} is an export for {found}, not for {kind}"], OTHER)
    return hashes


def shown(folder: Path, here: Path) -> str:
    """Return the path of the folder from `here`."""
    resolved, base = folder.resolve(), here.resolve()
    return str(resolved.relative_to(base) if resolved.is_relative_to(base) else resolved)
