"""The bundle of a released version as a folder: from DVC's cache, or from its remote; checked before it is used.

It lies in .mlworkflow/bundles/ by the MD5 that dvc.lock has of it, so that two versions with one bundle share a folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mlworkflow.core import io, paths
from mlworkflow.core.errors import UnwritableError
from mlworkflow.core.processes import DVC, git, shown, without
from mlworkflow.doctoring.hashing import folder_md5, md5
from mlworkflow.releasing.tags import Release, ReleaseError, current, named
from mlworkflow.reviewing.files import Files
from mlworkflow.reviewing.revisions import ReviewError, Revision
from mlworkflow.serving import folder

__all__ = ["BUNDLES", "KEPT", "Release", "current", "fetch", "named", "recorded"]

BUNDLES = Path(".mlworkflow/bundles")
KEPT = 5  # folders, those used last
ABANDONED = 3600.0  # seconds after which an unfinished folder belongs to a process that was killed
Contents = dict[str, bytes]


def fetch(release: Release, root: Path = Path(), say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder with a version's bundle, each file as dvc.lock and the manifest have it.

    Args:
        release: the version.
        root: of the repository.
        say: told the command that fetches, where one is needed.

    Raises:
        ReleaseError: dvc.lock of its commit has no bundle; it is in no cache and no remote, or that cannot be reached.
        DamagedBundleError: what dvc.lock names is no whole bundle, or one of another format.
        UnwritableError: there is no room for it.
    """
    files = Files(root, Revision(release.tag, release.commit))
    digest = recorded(files)
    target = root / BUNDLES / digest.removesuffix(".dir")
    if _digest(_contents(target)) != digest:
        found = _here(files, digest)
        _write(_fetched(root, release, digest, say) if found is None else found, target)
    folder.read(target)
    os.utime(target)
    _prune(target)
    return target.resolve()


def recorded(files: Files) -> str:
    """Return the MD5 that a revision's dvc.lock has of its bundle. Raises ReleaseError where it has none."""
    try:
        digest = files.digest(paths.BUNDLE)
    except ReviewError:
        digest = None
    if digest is None:
        raise ReleaseError(f"dvc.lock of {files.revision.words} has no {paths.BUNDLE}", "Type `dvc repro`, and commit.")
    return digest


def _contents(place: Path) -> Contents:
    """Return the files of a folder, none where there is no folder."""
    if not place.is_dir():
        return {}
    return {
        path.relative_to(place).as_posix(): io.read_bytes(path) for path in sorted(place.rglob("*")) if path.is_file()
    }


def _digest(contents: Contents) -> str:
    return folder_md5({name: md5(content) for name, content in contents.items()})


def _here(files: Files, digest: str) -> Contents | None:
    """Return the bundle from a cache of this machine or from the workspace, None where it is in neither."""
    for cache in files.caches:
        if (found := _cached(cache, digest)) is not None:
            return found
    found = _contents(files.root / paths.BUNDLE)
    return found if _digest(found) == digest else None


def _cached(cache: Path, digest: str) -> Contents | None:
    """Return a folder from the cache, None where a part of it is missing or damaged."""
    listing = _object(cache, digest)
    if listing is None:
        return None
    parts = {item["relpath"]: _object(cache, item["md5"]) for item in json.loads(listing)}
    found = {name: content for name, content in parts.items() if content is not None and Path(name).name == name}
    return found if len(found) == len(parts) else None


def _object(cache: Path, digest: str) -> bytes | None:
    place = cache / "files/md5" / digest[:2] / digest[2:]
    content = io.read_bytes(place) if place.is_file() else b""
    return content if md5(content) == digest.removesuffix(".dir") else None


def _fetched(root: Path, release: Release, digest: str, say: Callable[[str], None]) -> Contents:
    """Return the bundle from DVC's remote. Raises ReleaseError where it is not to be had."""
    said = ""
    for remote in _remotes(root, release):
        with tempfile.TemporaryDirectory() as there:
            to = Path(there) / paths.BUNDLE.name
            command = [*DVC, "get", "--quiet", ".", paths.BUNDLE.as_posix(), "--rev", release.commit, *remote]
            said = _run(root, [*command, "-o", str(to)], say)
            found = _contents(to)
        if _digest(found) == digest:
            return found
    raise _lost(root, release, said)


def _run(root: Path, command: Sequence[str], say: Callable[[str], None]) -> str:
    """Return what a command said of errors."""
    say(f"$ {shown(command)}")
    done = subprocess.run(
        command, cwd=root, env=without("GIT_"), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    return done.stderr


def _remotes(root: Path, release: Release) -> list[list[str]]:
    """Return the options to try: today's default remote, where the commit names another or none; then its own."""
    from dvc.config import Config

    now = Config(str(root / ".dvc"))["core"].get("remote")
    own = git(root, "show", f"{release.commit}:./.dvc/config").stdout
    named = now is None or re.search(rf"^\s*remote\s*=\s*{re.escape(now)}\s*$", own, re.MULTILINE)
    return [[]] if named else [["--remote", now], []]


def _lost(root: Path, release: Release, said: str) -> ReleaseError:
    """Return why a bundle is not to be had."""
    from mlworkflow.doctoring import storage

    lost = f"the bundle of {release.tag} is not in DVC's cache"
    wrong = next(iter(storage.remote(root)), None)
    if wrong is not None:
        found = "there is no remote" if wrong.hint else f"the remote {wrong.told}"
        return ReleaseError(f"{lost}, and {found}", f"{wrong.do} Or run that commit again: `dvc repro`.")
    told = next((line.strip() for line in reversed(said.splitlines()) if line.startswith("ERROR")), "")
    return ReleaseError(
        f"{lost}, and the remote does not have it whole{f' ({told})' if told else ''}",
        f"Type `git checkout {release.tag} && dvc push {paths.BUNDLE}` in the clone that released it.",
    )


def _write(contents: Contents, target: Path) -> None:
    """Write a folder beside its place, then rename it; another process may do the same at the same time."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _ignore(target.parent.parent)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=target.parent) as name:
            made, old = Path(name) / "made", Path(name) / "old"
            made.mkdir()
            for file, content in contents.items():
                (made / file).write_bytes(content)
            if _digest(_contents(target)) == _digest(contents):  # another process was faster
                return
            if target.exists():  # damaged
                target.rename(old)
            made.rename(target)
    except OSError as error:
        raise UnwritableError(target, error) from error


def _ignore(place: Path) -> None:
    """Let Git look past a folder, whatever .gitignore the commit that is checked out has."""
    if not (place / ".gitignore").is_file():
        io.write_text("*\n", place / ".gitignore")


def _prune(used: Path) -> None:
    """Remove the folders that were used longest ago, never `used`, and what killed processes left."""
    there = [path for path in used.parent.iterdir() if path.is_dir()]
    kept = sorted((path for path in there if not path.name.startswith(".")), key=_age)
    left = [path for path in there if path.name.startswith(".") and _age(path) > ABANDONED]
    for path in [*[one for one in kept if one.name != used.name][KEPT - 1 :], *left]:
        shutil.rmtree(path, ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:  # another process removed it
        return 0.0
