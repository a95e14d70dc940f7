"""`mlworkflow sweep`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(sweep: ArgumentParser) -> None:
    """Add the options of `mlworkflow sweep`."""
    sweep.add_argument("name", nargs="?", metavar="NAME", help="conf/sweep/NAME.yaml; without it, which there are")
    sweep.add_argument(
        "-S", "--set", action="append", default=[], metavar="OVERRIDE", help="for each, e.g. -S model=xgboost"
    )
    sweep.add_argument("--jobs", type=int, default=1, metavar="N", help="how many run side by side; 1 by default")
    sweep.add_argument("--dry-run", action="store_true", help="only print the commands that DVC would be given")
    sweep.add_argument("--prune", action="store_true", help="remove the losers, and what only they need of the cache")
    sweep.add_argument("--keep", type=int, default=3, metavar="N", help="of --prune: how many of the best stay; 3")
    sweep.add_argument("--yes", action="store_true", help="of --prune: do not ask")


def run(told: Namespace, here: Path) -> int:
    """Name the sweeps, run one, or remove its losers."""
    from mlworkflow.sweeping import command

    if told.name is None:
        print(command.sweeps())
        return 0
    if told.prune:
        from mlworkflow.sweeping.prune import prune

        return prune(told.name, told.set, keep=told.keep, yes=told.yes)
    return command.sweep(told.name, told.set, jobs=told.jobs, dry_run=told.dry_run)


COMMANDS = {"sweep": (options, run)}
