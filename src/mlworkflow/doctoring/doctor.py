"""`mlworkflow doctor`: every check, a line each: OK, a hint, or what is wrong and what to type.

A map for the next reader: `configured` looks at what is written, `environment` at what is installed, `storage` at data
and where they are kept, `repository` at Git, `leftovers` at what killed processes left. A check yields what it finds.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from mlworkflow.core.errors import ProjectError, first_line
from mlworkflow.doctoring.symptom import Check, Symptom

CHECKS = {  # name: where its function is; a library that is missing stops only the checks that need it
    "Python": "environment.python",
    "packages": "environment.packages",
    "Git": "repository.commit",
    "unfinished in Git": "repository.unfinished",
    "conflict markers": "repository.markers",
    "unknown to Git": "repository.untracked",
    "merge drivers": "repository.drivers",
    "conf/": "configured.conf",
    "params.yaml": "configured.params",
    "dvc.yaml": "configured.pipeline",
    "dvc.lock": "configured.lock",
    "outputs": "storage.outputs",
    "cache": "storage.cache",
    "space": "storage.space",
    "remote": "storage.remote",
    "locks of DVC": "leftovers.locks",
    "sweep": "leftovers.sweep",
}
WIDE = max(map(len, CHECKS))


def doctor(root: Path, say: Callable[[str], None] = print) -> int:
    """Look at everything, and tell it; return 1 where something is wrong, 0 where there are hints at most."""
    code = 0
    for name in CHECKS:
        found = examine(name, root)
        say(line(name, found))
        code |= any(not one.hint for one in found)
    return int(code)


def examine(name: str, root: Path) -> list[Symptom]:
    """Return what a check finds; one that cannot look says why."""
    module, _, function = CHECKS[name].partition(".")
    try:
        check: Check = getattr(importlib.import_module(f"mlworkflow.doctoring.{module}"), function)
        return [*check(root)]
    except ProjectError as error:
        return [Symptom(str(error), "")]
    except Exception as error:  # a damaged clone must not hide the other checks
        return [Symptom(f"this cannot be checked: {type(error).__name__}: {first_line(error)}", "")]


def line(name: str, found: list[Symptom]) -> str:
    """Return the line of a check."""
    if not found:
        return f"OK     {name}"
    word = "hint " if all(one.hint for one in found) else "WRONG"
    told = " ".join(f"{one.told.rstrip('.')}. {one.do}".strip() for one in found)
    return f"{word}  {name:<{WIDE}}  {' '.join(told.split())}"
