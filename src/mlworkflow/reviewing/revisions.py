"""Which commit a word names: a commit, a branch, a tag, an experiment; or the workspace as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlworkflow.core.errors import ProjectError, ended, nearest
from mlworkflow.core.processes import git
from mlworkflow.promoting.experiments import experiments as finished

WORKSPACE = "workspace"
MOST_NAMES = 8


class ReviewError(ProjectError):
    """Two revisions cannot be compared."""

    def __init__(self, found: str, next_step: str) -> None:
        super().__init__(f"a review compares two finished runs of one problem, but {ended(found)} {next_step}")


@dataclass(frozen=True)
class Revision:
    """What is reviewed.

    Attributes:
        name: as it was asked for.
        commit: its hash, None for the workspace.
    """

    name: str
    commit: str | None = None

    @property
    def words(self) -> str:
        """The name, with the commit where the name is not its hash."""
        if self.commit is None or self.commit.startswith(self.name):
            return self.name[:10] if self.commit else self.name
        return f"{self.name} ({self.commit[:7]})"


def revision(root: Path, word: str) -> Revision:
    """Return the revision that `word` names.

    Raises:
        ReviewError: there is none; the nearest names are told.
    """
    if word == WORKSPACE:
        return Revision(WORKSPACE)
    if not word.strip():
        raise ReviewError("a revision has no name: it is empty", "Name one, or leave it away for the baseline.")
    there = experiments(root)
    if word in there:
        return Revision(word, there[word])
    found = git(root, "rev-parse", "--verify", "--quiet", f"{word}^{{commit}}")
    if not found.returncode:
        return Revision(word, found.stdout.strip())
    raise ReviewError(
        f"{word!r} is no commit, branch, tag or experiment here{_offered(root, word, there)}", _next(root)
    )


def base_of(root: Path) -> Revision:
    """Return the recorded baseline: HEAD, on another branch than the main one where it left the main branch.

    Raises:
        ReviewError: the repository has no commit, or too short a history.
    """
    head, branch, main = _hash(root, "HEAD"), _branch(root), main_branch(root)
    if head is None:
        raise ReviewError("the repository has no commit", "Type `git init` if need be, `dvc repro`, then `git commit`.")
    if main is None or branch is None or main.rpartition("/")[2] == branch:
        return Revision("HEAD", head)
    found = git(root, "merge-base", main, "HEAD")
    if found.returncode:
        raise ReviewError(f"this branch and {main} have no commit in common here", _next(root))
    return Revision(f"where it left {main}", found.stdout.strip())


def main_branch(root: Path) -> str | None:
    """Return the main branch: that of the remote `origin`, else `main` or `master`; None without one."""
    said = git(root, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    names = [said.stdout.strip()] if not said.returncode else []
    return next((name for name in [*names, "main", "master"] if _hash(root, name)), None)


def experiments(root: Path) -> dict[str, str]:
    """Return {name: commit} of DVC's finished experiments; of one name the one that is newest."""
    return {one.name: one.commit for one in reversed(finished(root))}


def _hash(root: Path, word: str) -> str | None:
    found = git(root, "rev-parse", "--verify", "--quiet", f"{word}^{{commit}}")
    return None if found.returncode else found.stdout.strip()


def _branch(root: Path) -> str | None:
    found = git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    return None if found.returncode else found.stdout.strip()


def _offered(root: Path, word: str, there: dict[str, str]) -> str:
    refs = git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes").stdout
    if near := nearest(word, [*there, *refs.split(), WORKSPACE]):
        return near
    names = list(there)[-MOST_NAMES:]
    return f"; experiments: {', '.join(names)}" if names else ""


def _next(root: Path) -> str:
    if git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true":
        return "This clone is shallow: type `git fetch --unshallow`, then again."
    return "`git log --oneline`, `git branch --all` and `dvc exp show` list them; one that failed left no experiment."
