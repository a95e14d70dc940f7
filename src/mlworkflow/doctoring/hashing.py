"""MD5 as DVC 3 records it: of a file, and of a folder as the list of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def md5(content: bytes) -> str:
    """Return the MD5 of some bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def folder_md5(files: Mapping[str, str]) -> str:
    """Return what DVC records of a folder with {path in it: MD5}."""
    listed = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return f"{md5(json.dumps(listed, sort_keys=True).encode())}.dir"


def path_md5(root: Path, name: str) -> str | None:
    """Return the MD5 of a file or folder of the repository; None where it is not there."""
    path = root / name
    if path.is_dir():
        return folder_md5({file: file_md5(path / file) for file in files_of(root, name)})
    return file_md5(path) if path.is_file() else None


def files_of(root: Path, folder: str) -> list[str]:
    """Return the files in a folder that DVC does not ignore, from the folder."""
    there = [path.relative_to(root).as_posix() for path in sorted((root / folder).rglob("*")) if path.is_file()]
    return [name.removeprefix(f"{folder}/") for name in unignored(root, there)]


def unignored(root: Path, names: list[str]) -> list[str]:
    """Return those of the names, from the root, that .dvcignore leaves to DVC."""
    from pathspec import GitIgnoreSpec  # DVC brings it

    ignore = root / ".dvcignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
    return [*GitIgnoreSpec.from_lines(lines).match_files(names, negate=True)] if lines else names
