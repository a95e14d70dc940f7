"""`mlworkflow setup-git`: tell Git the drivers of .gitattributes; it takes no command from a clone by itself."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from mlworkflow.core.errors import ProjectError
from mlworkflow.core.processes import git
from mlworkflow.merging.driver import KINDS

WORDS = {
    "lock": "dvc.lock, stage by stage",
    "params": "params.yaml, key by key",
    "results": "results that dvc repro makes again",
    "readme": "the README, whose numbers mlworkflow readme writes",
}


def command(kind: str, prefix: str = "", python: str = sys.executable) -> str:
    """Return the shell command of a driver, which Git runs from the top of the working tree.

    The code is that of the working tree. The Python is the one of its .venv, else of the .venv of the clone that this
    is a worktree of, else the one that registers; so a clone can be moved. Without one that works, or in an old commit
    without the driver, Git's own merge of lines is done.

    Args:
        kind: one of KINDS.
        prefix: the project's folder below the top, empty or with a slash at its end.
        python: the interpreter that is looked for last.
    """
    own, home = shlex.quote(f"{prefix}.venv/bin/python"), shlex.quote(f"/../{prefix}.venv/bin/python")
    code = shlex.quote(f"{prefix}src")
    by_lines = "git merge-file --marker-size=%L -L ours -L ancestor -L theirs %A %O %B"
    return (
        f'p={own}; [ -x "$p" ] || p="$(git rev-parse --git-common-dir)"{home}; [ -x "$p" ] || p={shlex.quote(python)}; '
        f'if [ -x "$p" ] && [ -f {code}/mlworkflow/merging/__main__.py ]; '
        f'then PYTHONPATH={code} "$p" -P -m mlworkflow.merging {kind} %O %A %B %P %L || '
        f'{{ grep -q "^<<<<<<<" %A || {by_lines}; false; }}; else {by_lines}; fi'
    )


def wanted(root: Path) -> dict[str, str]:
    """Return {key of Git's configuration: value} of every driver.

    Raises:
        ProjectError: the folder is in no Git repository.
    """
    told = git(root, "rev-parse", "--show-prefix")
    if told.returncode:
        raise ProjectError(f"merge drivers are told to Git, but {root} is in no Git repository. Type `git init`.")
    keys: dict[str, str] = {}
    for kind in KINDS:
        keys[f"merge.mlworkflow-{kind}.name"] = WORDS[kind]
        keys[f"merge.mlworkflow-{kind}.driver"] = command(kind, told.stdout.rstrip("\n"))
    return keys


def missing(root: Path) -> dict[str, str]:
    """Return the part of `wanted` that this clone's configuration does not say."""
    listed = git(root, "config", "--local", "--null", "--get-regexp", r"^merge\.mlworkflow-").stdout
    there = dict(pair for entry in listed.split("\0") if len(pair := entry.split("\n", 1)) == 2)
    return {key: value for key, value in wanted(root).items() if there.get(key) != value}


def setup_git(root: Path) -> str:
    """Register the drivers in this clone's configuration, which its worktrees share; return what was done.

    Raises:
        ProjectError: no Git repository, or its configuration cannot be written.
    """
    left = missing(root)
    for key, value in left.items():
        print(f"$ git config --local {key} {shlex.quote(value)}")
        done = git(root, "config", "--local", key, value)
        if done.returncode:
            raise ProjectError(f"Git's configuration must be writable, but git config says: {done.stderr.strip()}")
    names = ", ".join(f"mlworkflow-{kind}" for kind in KINDS)
    return f"Git {'knows' if left else 'knew already'} the merge drivers {names}"
