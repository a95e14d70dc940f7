"""The command line: each command is a few lines here and a module of its own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mlworkflow.errors import ProjectError

EPILOG = "Experiments, metrics and plots are DVC's: dvc exp run -S model=xgboost, dvc exp show, dvc metrics diff."


class NoRepositoryError(ProjectError):
    """No dvc.yaml here or above."""

    def __init__(self, where: Path) -> None:
        super().__init__(
            f"mlworkflow works inside its repository, but neither {where} nor a folder above holds dvc.yaml. "
            "Type `cd` to your clone, or `git clone` one."
        )


def enter_repository() -> Path:
    """Change into the repository's root, and return the folder that the user stood in."""
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / "dvc.yaml").is_file()), None)
    if root is None:
        raise NoRepositoryError(here)
    os.chdir(root)
    return here


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    root = argparse.ArgumentParser(prog="mlworkflow", description=__import__("mlworkflow").__doc__, epilog=EPILOG)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, words: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=words, description=words[0].upper() + words[1:])

    compose = command("compose", "write params.yaml from conf/, or say whether it is current")
    compose.add_argument(
        "overrides", nargs="*", metavar="OVERRIDE", help="e.g. problem=wine, model.classification.C=0.1"
    )
    compose.add_argument("--check", action="store_true", help="change nothing; exit code 1 where it is not current")
    command("summary", "print the problem, the baselines, the model and the verdict in at most 40 lines")
    decide = command("decide", "print the verdict and each rule of the problem")
    decide.add_argument("--check", action="store_true", help="exit code 1 where the model is not good enough")
    predict = command("predict", "score rows with models/bundle")
    predict.add_argument("rows", type=Path, metavar="ROWS", help="a file of raw rows: CSV, Parquet, JSON lines, Excel")
    predict.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="a CSV or Parquet file to write"
    )
    predict.add_argument("--bundle", type=Path, help="another bundle than models/bundle")
    verify = command("verify", "run everything again from nothing and compare it bit for bit")
    verify.add_argument("revision", nargs="?", default="HEAD", metavar="REV")
    verify.add_argument(
        "--vary", action="store_true", help="again under another path, clock, locale, umask, threads, ..."
    )
    snapshot = command("snapshot", "take the table of a problem anew from where it came: file, database, API, ...")
    snapshot.add_argument("problem", metavar="NAME", help="the name of a file in conf/problem")
    command("check", "say whether params.yaml, dvc.yaml, the lock and the README's numbers are current")
    command("wire", "write the deps on code into dvc.yaml")
    command("readme", "write the numbers of metrics/ into the README")
    command("lock", "resolve the dependencies of pyproject.toml anew")
    return root


def run(arguments: argparse.Namespace) -> int:
    """Carry out a parsed command from the repository's root; return the exit code."""
    here = enter_repository()
    name = arguments.command
    if name == "compose":
        from mlworkflow.conf import compose_command

        print(compose_command(arguments.overrides, arguments.check))
    elif name == "predict":
        from mlworkflow import paths
        from mlworkflow.predict import predict

        bundle = here / arguments.bundle if arguments.bundle else paths.BUNDLE
        print(predict(here / arguments.rows, here / arguments.output, bundle))
    elif name == "verify":
        from mlworkflow.verify import verify

        return verify(arguments.revision, vary=arguments.vary)
    elif name == "snapshot":
        from mlworkflow.snapshots import refresh

        print(refresh(arguments.problem))
    elif name in ("summary", "decide"):
        from mlworkflow import summary

        print(summary.summary() if name == "summary" else summary.decision())
        return int(bool(getattr(arguments, "check", False)) and not summary.good_enough())
    else:
        from mlworkflow import upkeep

        print(getattr(upkeep, name)())
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is told without a traceback, with exit code 1 (2 from verify)."""
    arguments = parser().parse_args(words)
    try:
        return run(arguments)
    except ProjectError as error:
        print(f"mlworkflow: {error}", file=sys.stderr)
        return 2 if arguments.command == "verify" else 1
    except KeyboardInterrupt:
        print("mlworkflow: stopped; what was finished is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
