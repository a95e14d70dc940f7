"""`mlworkflow doctor` and `why`: their options, and what carries them out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def doctor(told: Namespace, here: Path) -> int:
    """Say what is wrong with this clone."""
    from mlworkflow.doctoring.doctor import doctor

    return doctor(Path.cwd())


def why_options(why: ArgumentParser) -> None:
    """Add the options of `mlworkflow why`."""
    why.add_argument("stage", nargs="?", metavar="STAGE", help="a stage of dvc.yaml; default: all that would run")


def why(told: Namespace, here: Path) -> int:
    """Say why a stage would run again."""
    from mlworkflow.doctoring.why import why

    print(why(Path.cwd(), told.stage))
    return 0


COMMANDS = {"doctor": (None, doctor), "why": (why_options, why)}
