"""`mlworkflow retrain`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(retrain: ArgumentParser) -> None:
    """Add the options of `mlworkflow retrain`."""
    retrain.add_argument("--because", metavar="ALARM", help="an alarm that lasts, e.g. performance/roc_auc; or words")
    retrain.add_argument("--json", action="store_true", help="print JSON")


def run(told: Namespace, here: Path) -> int:
    """Retrain on a branch."""
    from mlworkflow.retraining.command import retrain

    return retrain(told.because, as_json=told.json)


COMMANDS = {"retrain": (options, run)}
