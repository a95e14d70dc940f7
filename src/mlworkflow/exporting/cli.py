"""`mlworkflow export`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(export: ArgumentParser) -> None:
    """Add the options of `mlworkflow export`."""
    export.add_argument("kind", choices=("docker", "kubernetes", "mlflow", "onnx", "alerts"), metavar="FORM",
                        help="docker, kubernetes, mlflow, onnx; or alerts: rules for Prometheus")  # fmt: skip
    export.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="made, or made anew; of alerts a file")
    which = export.add_mutually_exclusive_group()
    which.add_argument("--stage", default="prod", metavar="STAGE", help="what this stage is at; prod by default")
    which.add_argument("--bundle", type=Path, metavar="DIR", help="this bundle, e.g. models/bundle")
    export.add_argument("--image", metavar="NAME", help="of kubernetes: the image; PROBLEM:VERSION by default")


def run(told: Namespace, here: Path) -> int:
    """Write it; files are meant from where the user stands."""
    from mlworkflow.exporting.command import Wanted, export

    bundle = here / told.bundle if told.bundle else None
    output = here / told.output if told.output else None
    print(export(Wanted(told.kind, output, bundle, told.stage, told.image, here)))
    return 0


COMMANDS = {"export": (options, run)}
