"""The workspace that experiments start from: its commit, what it adds, how it is put back when queueing was cut.

`dvc exp run --queue` puts uncommitted changes aside (`git stash`), detaches HEAD, and undoes both in the end. Killed in
between, it leaves them so. `guarded` notes beforehand what there was; `recover` puts it back at the next run.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.core.processes import git, without
from mlworkflow.sweeping.plan import SweepError

NOTE = Path(".dvc/tmp/sweep/queueing.json")
SEEN = ("--", ".", ":(exclude)conf/sweep")  # no stage reads a sweep, so an edit there changes no experiment
RESCUED = "refs/mlworkflow/rescued"
TAKEN = ("conf", "src", "plugins", "*.dvc")  # what a stage may need; a file there that Git does not know is missed
IDENTITY = ("-c", "user.name=mlworkflow", "-c", "user.email=mlworkflow@localhost")


@dataclass(frozen=True)
class State:
    """Where experiments start from.

    Attributes:
        commit: HEAD.
        changes: a digest of what the workspace adds to tracked files, empty for nothing.
        changed: the names of those files.
    """

    commit: str
    changes: str
    changed: tuple[str, ...]

    @property
    def key(self) -> list[str]:
        """What tells experiments of one state from those of another."""
        return [self.commit, self.changes]


def state(root: Path) -> State:
    """Return the commit and what the workspace adds.

    Raises:
        SweepError: no repository, no commit, or files that a queued experiment would miss.
    """
    if git(root, "rev-parse", "--git-dir").returncode:
        raise SweepError(f"an experiment is kept in Git, but {root} is in no repository. Type `git init`, and commit.")
    head = git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if head.returncode:
        raise SweepError("an experiment starts from a commit, but there is none. Type `git add -A && git commit`.")
    listed = git(root, "ls-files", "--others", "--exclude-standard", "--", *TAKEN).stdout.splitlines()
    if missed := [name for name in listed if not name.startswith("conf/sweep/")]:
        names = "\n".join(f"  - {name}" for name in missed)
        raise SweepError(
            f"a queued experiment has only the files that Git knows, but not these:\n{names}\n"
            "Type `git add` for each (a commit is not needed), then again."
        )
    changed = git(root, "diff", "--name-only", "HEAD", *SEEN).stdout.splitlines()
    return State(head.stdout.strip(), _digest(root, *SEEN), tuple(changed))


def _digest(root: Path, *where: str) -> str:
    """Return a digest of what the workspace adds to tracked files, empty for nothing."""
    command = ["git", "diff", "--binary", "--no-ext-diff", "--no-color", "--full-index", "HEAD", *where]
    added = subprocess.run(command, cwd=root, env=without("GIT_"), capture_output=True, check=False).stdout
    return hashlib.sha256(added).hexdigest() if added else ""


# ---- a queueing that was cut short -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Before:
    """What there was before DVC began to queue: what HEAD named, the newest stash, what the workspace added."""

    head: str
    commit: str
    stash: str
    changes: str


def _now(root: Path) -> _Before:
    def said(*words: str) -> str:
        return git(root, *words).stdout.strip()

    head, stash = said("symbolic-ref", "-q", "HEAD"), said("rev-parse", "-q", "--verify", "refs/stash")
    return _Before(head, said("rev-parse", "HEAD"), stash, _digest(root))


@contextmanager
def guarded(root: Path) -> Iterator[None]:
    """Note what there is while DVC queues, so that `recover` can put it back if this never ends."""
    note = root / NOTE
    io.write_text(json.dumps(asdict(_now(root))), note)
    yield
    note.unlink(missing_ok=True)


def recover(root: Path, say: Callable[[str], None]) -> None:
    """Put back the branch and the changes that a killed `dvc exp run --queue` left aside; nothing is thrown away."""
    note = root / NOTE
    if not note.is_file():
        return
    before, now = _Before(**io.read_json(note)), _now(root)
    if before != now and now.commit == before.commit:
        say("The last run was killed while it queued an experiment; the workspace is put back as it was:")
        _put_back(root, before, now, say)
    elif before.stash != now.stash:
        say("The last run was killed while it queued; your changes of then may be in the newest of `git stash list`.")
    note.unlink()


def _put_back(root: Path, before: _Before, now: _Before, say: Callable[[str], None]) -> None:
    def tell(*words: str) -> None:
        say("$ " + " ".join(["git", *words]))
        done = git(root, *words)
        if done.returncode:
            raise SweepError(f"the workspace must be put back, but `git {' '.join(words)}` says: {done.stderr.strip()}")

    if before.head != now.head and before.head:
        tell("symbolic-ref", "HEAD", before.head)
    aside = now.stash != before.stash
    if now.changes and (aside or not before.changes):
        kept = git(root, *IDENTITY, "stash", "create").stdout.strip()
        if kept:
            tell("update-ref", RESCUED, kept)
            say(f"  (what DVC had written there is kept as {RESCUED})")
        tell("reset", "-q", "--hard")
    if aside:
        tell("stash", "pop", "-q", "--index")
