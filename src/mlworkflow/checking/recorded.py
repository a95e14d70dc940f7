"""What a commit's dvc.lock records, and what the outputs held when it was written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import md5
from pathlib import Path
from typing import Any

from mlworkflow.checking.differences import difference
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, ended, nearest
from mlworkflow.core.processes import DVC, git, without

MOST_FILES = 5  # of a folder, named with their place


class RevisionError(ProjectError):
    """The revision cannot be verified."""

    def __init__(self, revision: str, reason: str, next_step: str) -> None:
        super().__init__(f"verify needs a commit with its dvc.lock, but {revision!r} {ended(reason)} {next_step}")


class Recorded:
    """The stages of a commit's dvc.lock; finds their outputs in Git, in the cache, or in the workspace.

    Raises:
        RevisionError: no such commit, or it has no dvc.lock.
    """

    def __init__(self, root: Path, revision: str) -> None:
        self.root, self.commit = root, _commit(root, revision)
        shown = git(root, "show", f"{self.commit}:./{paths.LOCK}")
        self.stages = {} if shown.returncode else stages_of(io.lock_of(shown.stdout))
        if not self.stages:
            raise RevisionError(revision, "has none with a stage", "Type `dvc repro`, and commit dvc.lock.")
        self.outputs = [out["path"] for stage in self.stages.values() for out in stage.get("outs", [])]

    @cached_property
    def cache(self) -> Path:
        """The folder of the repository's DVC cache."""
        return cache_of(self.root)

    def kept(self, path: Path, stages: Mapping[str, Any] | None = None) -> Path | None:
        """Return the file in the cache with an output as the commit (or `stages`) records it, None without one."""
        told = self.stages if stages is None else stages
        outs = {out["path"]: out.get("md5") for stage in told.values() for out in stage.get("outs", [])}
        digest = outs.get(path.as_posix())
        return file if digest and (file := self._cached(digest)).is_file() else None

    def where(self, clone: Path, path: str, old: str | None, new: str | None) -> str:
        """Return where the new content of an output in the clone parts from the recorded one, given both MD5."""
        if old is None or new is None:
            return "it is not in dvc.lock" if old is None else "it was not written"
        if old.endswith(".dir") and new.endswith(".dir"):
            return self._where_in_folder(clone, path, old)
        before = self._content(path, old)
        if before is None or not (clone / path).is_file():
            return f"MD5 {old[:10]} before, {new[:10]} now (the old content is not here; `dvc pull` fetches it)"
        return difference(before, io.read_bytes(clone / path), path)

    def _where_in_folder(self, clone: Path, path: str, digest: str) -> str:
        if not self._cached(digest).is_file():
            return f"MD5 {digest[:10]} before (the old folder is not here; `dvc pull` fetches it)"
        before = {item["relpath"]: item["md5"] for item in json.loads(io.read_bytes(self._cached(digest)))}
        folder = clone / path
        now = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
        found = [f"{name} is missing" for name in before if name not in now]
        found += [f"{name} is new" for name in now if name not in before]
        for name in [name for name in now if name in before]:
            content = io.read_bytes(now[name])
            if _md5(content) != before[name]:
                old = self._content(f"{path}/{name}", before[name])
                found.append(f"{name}: {difference(old, content, name) if old is not None else 'differs'}")
        more = [f"and {len(found) - MOST_FILES} more"] if len(found) > MOST_FILES else []
        return "; ".join([*found[:MOST_FILES], *more])

    def _content(self, path: str, digest: str) -> bytes | None:
        """Return the content with the MD5 `digest`, or None where it is not to be found."""
        command, env = ["git", "show", f"{self.commit}:./{path}"], without("GIT_")
        shown = subprocess.run(command, cwd=self.root, env=env, capture_output=True, check=False)
        if shown.returncode == 0 and _md5(shown.stdout) == digest:
            return shown.stdout
        for place in (self._cached(digest), self.root / path):
            if place.is_file() and _md5(content := io.read_bytes(place)) == digest.removesuffix(".dir"):
                return content
        return None

    def _cached(self, digest: str) -> Path:
        return cached(self.cache, digest)


def cache_of(root: Path) -> Path:
    """Return the folder of a repository's DVC cache, as `dvc cache dir` says; it takes a second."""
    said = subprocess.run(
        [*DVC, "cache", "dir"], cwd=root, env=without("GIT_"), capture_output=True, text=True, check=False
    ).stdout.strip()
    return Path(said.splitlines()[-1]) if said else root / ".dvc/cache"


def cached(cache: Path, digest: str) -> Path:
    """Return where the cache has what the MD5 `digest` names."""
    return cache / "files/md5" / digest[:2] / digest[2:]


def stages_of(lock: Any) -> dict[str, Any]:
    """Return the stages of a dvc.lock; none where it is damaged."""
    stages = lock.get("stages") if isinstance(lock, dict) else None
    return stages if isinstance(stages, dict) else {}


def changed(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return {path: (MD5 before, MD5 after)} of the items of dvc.lock that differ; None where one is not there."""
    old, new = ({item["path"]: item.get("md5") for item in items} for items in (before, after))
    both = {path: (old.get(path), new.get(path)) for path in [*old, *new]}
    return {path: (was, now) for path, (was, now) in both.items() if was != now}


def _commit(root: Path, revision: str) -> str:
    """Return the hash of the commit that `revision` names."""
    if git(root, "rev-parse", "--git-dir").returncode:
        raise RevisionError(revision, f"cannot be looked up: {root} is in no Git repository", "Type `git init`.")
    found = git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        if git(root, "rev-parse", "--verify", "--quiet", "HEAD").returncode:
            raise RevisionError(revision, "is not there: the repository has no commit", "Type `git commit`.")
        names = git(root, "for-each-ref", "--format=%(refname:short)").stdout.split()
        raise RevisionError(revision, f"is no commit here{nearest(revision, names)}", "Type `git log --oneline`.")
    return found.stdout.strip()


def _md5(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()
