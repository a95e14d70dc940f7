"""`mlworkflow setup-git`: what carries it out."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path


def run(told: Namespace, here: Path) -> int:
    """Tell Git how to merge what commands make."""
    from mlworkflow.merging.setup import setup_git

    print(setup_git(Path.cwd()))
    return 0


COMMANDS = {"setup-git": (None, run)}
