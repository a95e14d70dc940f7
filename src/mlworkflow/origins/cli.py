"""`mlworkflow snapshot`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(snapshot: ArgumentParser) -> None:
    """Add the options of `mlworkflow snapshot`."""
    snapshot.add_argument("name", metavar="NAME", help="the problem's file in conf/problem/, without .yaml")


def run(told: Namespace, here: Path) -> int:
    """Take the snapshot anew."""
    from mlworkflow.origins.snapshots import refresh

    print(refresh(told.name))
    return 0


COMMANDS = {"snapshot": (options, run)}
