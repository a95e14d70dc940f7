"""`mlworkflow log`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(log: ArgumentParser) -> None:
    """Add the options of `mlworkflow log`."""
    log.add_argument("--last", type=int, default=10, metavar="N", help="how many; 10 by default")
    log.add_argument("--json", action="store_true", help="print a line of JSON each")
    log.add_argument("--folder", type=Path, help="another log than data/predictions")


def run(told: Namespace, here: Path) -> int:
    """Print the newest predictions; the folder is meant from where the user stands."""
    from mlworkflow.recording.show import show

    where = {"folder": here / told.folder} if told.folder else {}
    print(show(last=told.last, as_json=told.json, **where))
    return 0


COMMANDS = {"log": (options, run)}
