"""The files of a revision: from Git, from DVC's cache or remote, or from the workspace as it stands."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from hashlib import md5
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from mlworkflow.checking.recorded import stages_of
from mlworkflow.core import io, paths
from mlworkflow.core.processes import DVC, git, shown, without
from mlworkflow.reviewing.revisions import ReviewError, Revision

Say = Callable[[str], None]


class Files:
    """What a revision's files hold.

    Args:
        root: of the repository.
        revision: which.
        say: told each command that fetches something.
        workspace: whether its files are those in `root`, as they stand.
    """

    def __init__(
        self, root: Path, revision: Revision, say: Say = lambda _: None, *, workspace: bool | None = None
    ) -> None:
        self.root, self.revision, self._say = root, revision, say
        self.workspace = revision.commit is None if workspace is None else workspace

    def tracked(self, path: Path) -> bytes | None:
        """Return a file that Git keeps; None where there is none."""
        if self.workspace:
            return io.read_bytes(self.root / path) if (self.root / path).is_file() else None
        command = ["git", "show", f"{self.revision.commit}:./{path.as_posix()}"]
        done = subprocess.run(command, cwd=self.root, env=without("GIT_"), capture_output=True, check=False)
        return None if done.returncode else done.stdout

    def output(self, path: Path) -> bytes:
        """Return an output that DVC keeps.

        Raises:
            ReviewError: it is in no cache and no remote, or what is in the workspace is not what the last run left.
        """
        if self.digest(path) is None:
            raise ReviewError(f"{self.revision.words} has no {path} in its dvc.lock", "Type `dvc repro` there.")
        found = self._here(path)
        return self._fetched(path) if found is None else found

    def complete(self) -> bool:
        """Return whether the predictions are to be had, from a remote if need be."""
        try:
            return bool(self.output(paths.PREDICTIONS))
        except ReviewError:
            return False

    def _here(self, path: Path) -> bytes | None:
        """Return an output from the workspace or a cache, where its content is the one of dvc.lock."""
        digest = self.digest(path)
        for place in self._places(path, str(digest)):
            if place.is_file() and md5(content := io.read_bytes(place), usedforsecurity=False).hexdigest() == digest:
                return content
        return None

    def has(self, path: Path) -> bool:
        """Return whether the revision's dvc.lock names the output."""
        return self.digest(path) is not None

    def digest(self, path: Path) -> str | None:
        """Return the MD5 of an output, as dvc.lock has it."""
        return self.outputs.get(path.as_posix(), {}).get("md5")

    def size(self, path: Path) -> int | None:
        """Return the bytes of an output, as dvc.lock has it."""
        return self.outputs.get(path.as_posix(), {}).get("size")

    @cached_property
    def stages(self) -> dict[str, Any]:
        """The stages of dvc.lock.

        Raises:
            ReviewError: there are none.
        """
        content = self.tracked(paths.LOCK)
        try:
            stages = stages_of(io.lock_of(content)) if content else {}
        except YAMLError:
            stages = {}
        if not stages or not all(isinstance(stage, dict) for stage in stages.values()):
            mend = "`git restore dvc.lock`, else `dvc repro`" if self.workspace else "`dvc repro` there, and commit"
            raise ReviewError(f"{self.revision.words} has no readable dvc.lock", f"Type {mend}.")
        return stages

    @cached_property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """The outputs of dvc.lock by their path."""
        return {out["path"]: out for stage in self.stages.values() for out in stage.get("outs", [])}

    def _places(self, path: Path, digest: str) -> Iterator[Path]:
        yield self.root / path
        for cache in self.caches:
            yield cache / "files/md5" / digest[:2] / digest[2:]

    @property
    def cache(self) -> Path:
        """The folder of the repository's cache."""
        return self.caches[0].resolve()

    @cached_property
    def caches(self) -> list[Path]:
        """The repository's cache; of a worktree of Git also that of its main one."""
        common = git(self.root, "rev-parse", "--path-format=absolute", "--git-common-dir").stdout.strip()
        prefix = git(self.root, "rev-parse", "--show-prefix").stdout.strip()
        roots = dict.fromkeys([self.root, Path(common).parent / prefix])
        return [place for root in roots for place in (*_named_caches(root), root / ".dvc/cache")]

    def _fetched(self, path: Path) -> bytes:
        """Return an output from the remote.

        Raises:
            ReviewError: it is not there either.
        """
        name = self.revision.words
        lost = f"{path} of {name} is neither in the cache nor in a remote"
        if self.workspace:
            raise ReviewError(
                f"{path} of the workspace is not what its last run left", "Type `dvc checkout`, or `dvc repro`."
            )
        if not any(_config(self.root, "core.remote")):
            raise ReviewError(lost, "Add --reproduce: it runs that revision again in a worktree of its own.")
        with tempfile.TemporaryDirectory() as there:
            to = Path(there) / path.name
            command = [*DVC, "get", "--quiet", ".", path.as_posix(), "--rev", str(self.revision.commit), "-o", str(to)]
            self._say(f"$ {shown(command)}")
            subprocess.run(command, cwd=self.root, env=without("GIT_"), capture_output=True, check=False)
            if to.is_file():
                return io.read_bytes(to)
        raise ReviewError(lost, "Add --reproduce: it runs that revision again in a worktree of its own.")


def _named_caches(root: Path) -> list[Path]:
    return [root / ".dvc" / line for line in _config(root, "cache.dir") if line]


def _config(root: Path, key: str) -> list[str]:
    """Return a key of DVC's configuration, own before shared, without starting DVC, which takes a second.

    Git cannot read it: DVC puts quotation marks around the name of a remote's section.
    """
    from configobj import ConfigObj

    section, name = key.split(".")
    files = [root / file for file in (".dvc/config.local", ".dvc/config") if (root / file).is_file()]
    return [str(ConfigObj(str(file)).get(section, {}).get(name, "")) for file in files]
