"""`mlworkflow promote`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(promote: ArgumentParser) -> None:
    """Add the options of `mlworkflow promote`."""
    promote.add_argument("experiment", metavar="EXPERIMENT", help="its name, its commit, or the beginning of one")
    promote.add_argument("--commit", action="store_true", help="commit the files that it changed, and no others")


def run(told: Namespace, here: Path) -> int:
    """Make the experiment the default."""
    from mlworkflow.promoting.command import promote

    return promote(told.experiment, commit=told.commit)


COMMANDS = {"promote": (options, run)}
