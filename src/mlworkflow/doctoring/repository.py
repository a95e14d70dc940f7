"""Checks of Git: a commit, a branch, nothing unfinished, nothing that it should know and does not."""

from __future__ import annotations

from pathlib import Path

from mlworkflow.core.processes import git
from mlworkflow.doctoring.symptom import MOST, Found, Symptom, some
from mlworkflow.merging.driver import KINDS
from mlworkflow.sweeping.workspace import TAKEN

UNFINISHED = {
    "MERGE_HEAD": ("a merge", "git commit`, or `git merge --abort"),
    "rebase-merge": ("a rebase", "git rebase --continue`, or `git rebase --abort"),
    "rebase-apply": ("a rebase", "git rebase --continue`, or `git rebase --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --continue`, or `git cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "git revert --continue`, or `git revert --abort"),
    "BISECT_LOG": ("a bisection", "git bisect reset"),
}


def commit(root: Path) -> Found:
    """There is a repository with a commit and a branch, and its history is whole."""
    if git(root, "rev-parse", "--git-dir").returncode:
        yield Symptom("this is no Git repository: nothing is versioned", "Type `git init && git add -A && git commit`.")
    elif git(root, "rev-parse", "--verify", "--quiet", "HEAD").returncode:
        yield Symptom("there is no commit, and `dvc exp run` needs one", "Type `git add -A && git commit`.")
    else:
        if git(root, "symbolic-ref", "--quiet", "HEAD").returncode:
            yield Symptom("HEAD is detached: commits belong to no branch", "Type `git switch -c NAME`.", hint=True)
        if git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true":
            yield Symptom("the clone is shallow: older commits are missing", "Type `git fetch --unshallow`.", hint=True)


def unfinished(root: Path) -> Found:
    """No merge, rebase, ... waits for its end."""
    for name, (what, words) in UNFINISHED.items():
        told = git(root, "rev-parse", "--git-path", name)
        if told.returncode == 0 and (root / told.stdout.strip()).exists():
            yield Symptom(f"{what} is in progress", f"Type `{words}`.")


def markers(root: Path) -> Found:
    """No tracked file holds a conflict."""
    told = git(root, "grep", "-I", "--name-only", "--all-match", "-e", "^<<<<<<< ", "-e", "^>>>>>>> ")
    if files := told.stdout.splitlines():
        made = "`git checkout HEAD -- FILE` for what `dvc repro` makes"
        yield Symptom(f"{some(files)}: conflict markers", f"Edit what is between them away, or type {made}.")


def untracked(root: Path) -> Found:
    """Git knows the files that stages may need: a queued experiment, and everybody else, has only those."""
    told = git(root, "ls-files", "--others", "--exclude-standard", "--", *TAKEN)
    if files := told.stdout.splitlines():
        yield Symptom(
            f"Git does not know {some(files)}",
            f"Type `git add {' '.join(files)}`." if len(files) <= MOST else "`git add` each.",
        )


def drivers(root: Path) -> Found:
    """Git was told how to merge dvc.lock and its kind."""
    if git(root, "rev-parse", "--git-dir").returncode:
        return
    kinds = [kind for kind in KINDS if git(root, "config", f"merge.mlworkflow-{kind}.driver").returncode]
    if kinds:
        yield Symptom("Git merges dvc.lock and its kind line by line, into conflicts", "Type `mlworkflow setup-git`.")
