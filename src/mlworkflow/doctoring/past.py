"""What a dependency held when dvc.lock recorded it: looked for among the commits, and proved by its MD5."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

from mlworkflow.core.processes import git, without
from mlworkflow.doctoring.hashing import files_of, folder_md5, md5, unignored

MOST_COMMITS = 20  # that changed the path, newest first
MOST_LINES = 5_000  # of a file that is compared line by line
MOST_PLACES = 6


@cache
def held(root: Path, name: str, digest: str) -> dict[str, bytes] | None:
    """Return {file: content} of a file (as "") or folder with that MD5; None where no commit has it."""
    commits = git(root, "log", f"-{MOST_COMMITS}", "--format=%H", "--", name).stdout.split()
    return next((files for commit in commits if (files := _at(root, commit, name, digest)) is not None), None)


def now(root: Path, name: str) -> dict[str, bytes]:
    """Return {file: content} of a file (as "") or folder as it stands; empty where there is none."""
    path = root / name
    if path.is_dir():
        return {file: (path / file).read_bytes() for file in files_of(root, name)}
    return {"": path.read_bytes()} if path.is_file() else {}


def _at(root: Path, commit: str, name: str, digest: str) -> dict[str, bytes] | None:
    """Return the files of a commit where their MD5 is the one asked for."""
    command = ["git", "archive", "--format=tar", commit, "--", name]
    told = subprocess.run(command, cwd=root, env=without("GIT_"), capture_output=True, check=False)
    if told.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(told.stdout)) as archive:
        files = {one.name: file.read() for one in archive if one.isfile() and (file := archive.extractfile(one))}
    if name in files:
        return {"": files[name]} if md5(files[name]) == digest else None
    inside = {path.removeprefix(f"{name}/"): files[path] for path in unignored(root, [*files])}
    return inside if folder_md5({file: md5(content) for file, content in inside.items()}) == digest else None


def changed(name: str, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    """Return what happened to each file, the lines of a text included."""
    told = []
    for file in sorted({*before, *after}):
        path, old, new = f"{name}/{file}".rstrip("/"), before.get(file), after.get(file)
        if old is None or new is None:
            told.append(f"{path}: {'removed' if new is None else 'added'}")
        elif old != new:
            told.append(f"{path}: {lines(old, new)}")
    return told


def lines(old: bytes, new: bytes) -> str:
    """Return which lines of a text are other ones now, and both MD5; these alone for anything else."""
    digests = f"MD5 {md5(old)[:10]} -> {md5(new)[:10]}"
    try:
        before, after = ([line.rstrip() for line in text.decode().splitlines()] for text in (old, new))
    except UnicodeDecodeError:
        before = after = []
    if before == after or b"\0" in old + new or max(len(before), len(after)) > MOST_LINES:
        return digests
    places = [
        _place(tag, start, end)
        for tag, _, _, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    more = f" and {len(places) - MOST_PLACES} more places" if len(places) > MOST_PLACES else ""
    return f"{', '.join(places[:MOST_PLACES])}{more} ({digests})"


def _place(tag: str, start: int, end: int) -> str:
    """Return the lines of the new text that a difference covers."""
    if tag == "delete":
        return f"lines gone after line {start}"
    words = "new" if tag == "insert" else "changed"
    return f"line {start + 1} {words}" if end == start + 1 else f"lines {start + 1}-{end} {words}"
