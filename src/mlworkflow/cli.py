"""The command line: which commands there are; what each takes and does is in cli.py of its package, read late."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import mlworkflow
from mlworkflow.core.errors import ProjectError

EPILOG = "Experiments, metrics and plots are DVC's: dvc exp run -S model=xgboost, dvc exp show, dvc metrics diff."

Options = Callable[[argparse.ArgumentParser], None] | None  # adds the options of a command, if it has any
Run = Callable[[argparse.Namespace, Path], int]  # (told, where the user stands) -> the exit code

COMMANDS = {  # name -> (the package whose cli.py has its options and carries it out, what it does)
    "compose": ("checking", "write params.yaml from conf/, or say whether it is current"),
    "new": ("new", "make a problem of the repository from any table"),
    "snapshot": ("origins", "take the snapshot of a problem anew from where it came from"),
    "summary": ("checking", "print the problem, the baselines, the model and the verdict in at most 40 lines"),
    "decide": ("checking", "print the verdict and each rule of the problem"),
    "predict": ("batch", "score rows of files or a query with models/bundle"),
    "log": ("recording", "print the newest predictions that the server recorded"),
    "verify": ("checking", "run everything again from nothing and compare it bit for bit"),
    "check": ("checking", "say whether rows keep to the contract; without FILE, whether what commands make is current"),
    "sweep": ("sweeping", "run a named set of experiments of conf/sweep/ and set each against the baseline"),
    "review": ("reviewing", "say whether a revision is better than another, how sure that is, and what changed"),
    "promote": ("promoting", "make an experiment what a plain run means: its choices into conf/, its results too"),
    "release": ("releasing", "make HEAD a version, by a tag, and put it into a stage"),
    "releases": ("releasing", "the versions, the stages they are in, who put them there, when and why"),
    "rollback": ("releasing", "put a stage back to the version that served before"),
    "serve": ("api", "serve a model by HTTP: a page, JSON, the Open Inference Protocol"),
    "monitor": ("watch", "say whether the model in use is still well: data, drift, performance, service"),
    "retrain": ("retraining", "try what may take the place of the model in use, on a branch, and review it"),
    "export": ("exporting", "write a model for Docker, Kubernetes, MLflow or onnxruntime, or alerts for Prometheus"),
    "key": ("api", "make an API key for `mlworkflow serve --keys FILE`; shown once, kept as a hash"),
    "history": ("reviewing", "the primary metric at each commit that changed the result, and at each tag"),
    "wire": ("checking", "write the deps on code into dvc.yaml"),
    "readme": ("checking", "write the numbers of metrics/ into the README"),
    "lock": ("checking", "resolve the dependencies of pyproject.toml anew"),
    "doctor": ("doctoring", "say what is wrong with this clone, and what to type"),
    "why": ("doctoring", "say why a stage, or each, would run again"),
    "setup-git": ("merging", "tell Git how to merge dvc.lock, params.yaml and results"),
}


class NoRepositoryError(ProjectError):
    """No dvc.yaml here or above."""

    def __init__(self, where: Path) -> None:
        super().__init__(
            f"mlworkflow works inside its repository, but neither {where} nor a folder above holds dvc.yaml. "
            "Type `cd` to your clone, or `git clone` one."
        )


def enter_repository(*, needed: bool = True) -> Path:
    """Change into the repository's root, if there is one, and return the folder that the user stood in."""
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / "dvc.yaml").is_file()), None)
    if root is None and not needed:
        return here
    if root is None:
        raise NoRepositoryError(here)
    os.chdir(root)
    return here


def parser(name: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of every command; where one is named, of its options alone, so that no other module is read."""
    root = argparse.ArgumentParser(prog="mlworkflow", description=mlworkflow.__doc__, epilog=EPILOG)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for each, (_, words) in COMMANDS.items():
        command = commands.add_parser(each, help=words, description=words[0].upper() + words[1:])
        if name in (None, each) and (options := _of(each)[0]):
            options(command)
    return root


def _of(name: str) -> tuple[Options, Run]:
    package, _ = COMMANDS[name]
    options, run = importlib.import_module(f"mlworkflow.{package}.cli").COMMANDS[name]
    return options, run


def run(told: argparse.Namespace) -> int:
    """Carry out a parsed command from the repository's root; return the exit code."""
    bundle_alone = told.command == "serve" and told.bundle  # in an image there is no repository
    return _of(told.command)[1](told, enter_repository(needed=not bundle_alone))


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is told without a traceback, with exit code 1 (2 where 1 is an answer)."""
    words = sys.argv[1:] if words is None else words
    told = parser(next((word for word in words if not word.startswith("-")), "")).parse_args(words)
    try:
        return run(told)
    except ProjectError as error:
        print(f"mlworkflow: {error}", file=sys.stderr)
        return 2 if told.command in ("verify", "review", "monitor") else 1
    except KeyboardInterrupt:
        print("mlworkflow: stopped; what was finished is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
