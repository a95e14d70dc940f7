"""The command line: each command is a few lines here and a module of its own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlworkflow
from mlworkflow.core.errors import ProjectError

EPILOG = "Experiments, metrics and plots are DVC's: dvc exp run -S model=xgboost, dvc exp show, dvc metrics diff."


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


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    root = argparse.ArgumentParser(prog="mlworkflow", description=mlworkflow.__doc__, epilog=EPILOG)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, words: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=words, description=words[0].upper() + words[1:])

    compose = command("compose", "write params.yaml from conf/, or say whether it is current")
    compose.add_argument(
        "overrides", nargs="*", metavar="OVERRIDE", help="e.g. problem=wine, model.classification.C=0.1"
    )
    compose.add_argument("--check", action="store_true", help="change nothing; exit code 1 where it is not current")
    _add_new(command("new", "make a problem of the repository from any table"))
    snapshot = command("snapshot", "take the snapshot of a problem anew from where it came from")
    snapshot.add_argument("name", metavar="NAME", help="the problem's file in conf/problem/, without .yaml")
    command("summary", "print the problem, the baselines, the model and the verdict in at most 40 lines")
    decide = command("decide", "print the verdict and each rule of the problem")
    decide.add_argument("--check", action="store_true", help="exit code 1 where the model is not good enough")
    _add_predict(command("predict", "score rows of files or a query with models/bundle"))
    log = command("log", "print the newest predictions that the server recorded")
    log.add_argument("--last", type=int, default=10, metavar="N", help="how many; 10 by default")
    log.add_argument("--json", action="store_true", help="print a line of JSON each")
    log.add_argument("--folder", type=Path, help="another log than data/predictions")
    verify = command("verify", "run everything again from nothing and compare it bit for bit")
    verify.add_argument("revision", nargs="?", default="HEAD", metavar="REV")
    verify.add_argument(
        "--vary", action="store_true", help="again under another path, clock, locale, umask, threads, ..."
    )
    check = command(
        "check", "say whether rows keep to the contract; without FILE, whether what commands make is current"
    )
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a file of new rows, checked by the contract")
    check.add_argument("--problem", metavar="NAME", help="whose contract; default: that of params.yaml")
    _add_sweep(command("sweep", "run a named set of experiments of conf/sweep/ and set each against the baseline"))
    _add_review(command("review", "say whether a revision is better than another, how sure that is, and what changed"))
    promote = command("promote", "make an experiment what a plain run means: its choices into conf/, its results too")
    promote.add_argument("experiment", metavar="EXPERIMENT", help="its name, its commit, or the beginning of one")
    promote.add_argument("--commit", action="store_true", help="commit the files that it changed, and no others")
    _add_releases(command)
    _add_serve(command("serve", "serve a model by HTTP: a page, JSON, the Open Inference Protocol"))
    _add_monitor(command("monitor", "say whether the model in use is still well: data, drift, performance, service"))
    retrain = command("retrain", "try what may take the place of the model in use, on a branch, and review it")
    retrain.add_argument("--because", metavar="ALARM", help="an alarm that lasts, e.g. performance/roc_auc; or words")
    retrain.add_argument("--json", action="store_true", help="print JSON")
    _add_export(
        command("export", "write a model for Docker, Kubernetes, MLflow or onnxruntime, or alerts for Prometheus")
    )
    key = command("key", "make an API key for `mlworkflow serve --keys FILE`; shown once, kept as a hash")
    key.add_argument("name", metavar="NAME", help="whose key it is")
    key.add_argument("--file", type=Path, default=Path("keys.txt"), metavar="FILE", help="keys.txt by default")
    history = command("history", "the primary metric at each commit that changed the result, and at each tag")
    history.add_argument("--html", type=Path, metavar="FILE", help="reports/history.html by default")
    command("wire", "write the deps on code into dvc.yaml")
    command("readme", "write the numbers of metrics/ into the README")
    command("lock", "resolve the dependencies of pyproject.toml anew")
    command("doctor", "say what is wrong with this clone, and what to type")
    why = command("why", "say why a stage, or each, would run again")
    why.add_argument("stage", nargs="?", metavar="STAGE", help="a stage of dvc.yaml; default: all that would run")
    command("setup-git", "tell Git how to merge dvc.lock, params.yaml and results")
    return root


def _add_predict(predict: argparse.ArgumentParser) -> None:
    """Add the options of `mlworkflow predict`."""
    predict.add_argument(
        "rows", metavar="INPUT", help="a file of raw rows (CSV, Parquet, JSON lines, Excel), a folder, a database"
    )
    predict.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="predictions: .csv, .parquet or .jsonl"
    )
    predict.add_argument("--bundle", type=Path, metavar="DIR", help="another bundle than models/bundle")
    predict.add_argument("--query", metavar="SQL", help="of a database: 'SELECT * FROM customers'")
    predict.add_argument(
        "--reasons", type=int, nargs="?", const=3, default=0, metavar="N", help="the largest contributions; 3"
    )
    predict.add_argument(
        "--backend", choices=("auto", "onnx", "skops"), default="auto", help="auto: ONNX if it is there"
    )
    predict.add_argument("--chunk", type=int, default=50_000, metavar="ROWS", help="that are scored at once; 50000")
    predict.add_argument(
        "--compute", default="local", metavar="WHO", help="local, dask, or the address of a Dask scheduler"
    )


def _predict(arguments: argparse.Namespace, here: Path) -> int:
    """Carry out `mlworkflow predict`; files are meant from where the user stands."""
    from mlworkflow.batch.command import Wanted, predict

    told = {name: getattr(arguments, name) for name in Wanted.__dataclass_fields__}
    told["output"] = here / arguments.output
    told["bundle"] = here / arguments.bundle if arguments.bundle else Wanted.bundle
    return predict(Wanted(**told), here)


def _add_monitor(monitor: argparse.ArgumentParser) -> None:
    """Add the options of `mlworkflow monitor`."""
    which = monitor.add_mutually_exclusive_group()
    which.add_argument("--stage", default="prod", metavar="STAGE", help="watch what this stage is at; prod by default")
    which.add_argument("--bundle", type=Path, metavar="DIR", help="watch this bundle, e.g. models/bundle")
    monitor.add_argument("--problem", metavar="NAME", help="needed where several have that stage")
    monitor.add_argument("--log", type=Path, metavar="DIR", help="of the predictions; data/predictions by default")
    monitor.add_argument(
        "--window", metavar="W", help="hour, day, week, month, '6 hours', '500 rows'; see conf/monitor"
    )
    monitor.add_argument("--clock", choices=("log", "row"), help="when rows were asked, or what their own time says")
    monitor.add_argument("--last", type=int, default=60, metavar="N", help="windows that are reported; 60 by default")
    monitor.add_argument("--watch", action="store_true", help="go on looking, and tell what begins and what ends")
    monitor.add_argument("--every", type=float, default=60.0, metavar="N", help="of --watch: seconds between; 60")
    monitor.add_argument("--webhook", metavar="URL", help="is sent each alarm that begins or ends, as JSON")
    monitor.add_argument("--json", action="store_true", help="print JSON")
    monitor.add_argument("--html", type=Path, metavar="FILE", help="the page; data/monitoring/monitor.html by default")


def _add_serve(serve: argparse.ArgumentParser) -> None:
    """Add the options of `mlworkflow serve`."""
    which = serve.add_mutually_exclusive_group()
    which.add_argument("--stage", default="prod", metavar="STAGE", help="serve what this stage is at; prod by default")
    which.add_argument("--bundle", type=Path, metavar="DIR", help="serve this bundle, e.g. models/bundle")
    serve.add_argument("--host", default="127.0.0.1", help="127.0.0.1 by default; any other needs --keys")
    serve.add_argument("--port", type=int, default=8000, help="8000 by default; 0: a free one")
    serve.add_argument("--workers", type=int, default=1, metavar="N", help="processes; 1 by default")
    serve.add_argument("--keys", type=Path, metavar="FILE", help="the API keys' hashes: see mlworkflow key")
    serve.add_argument(
        "--log", choices=("batched", "sync", "off"), default="batched", help="sync answers when it is on disk"
    )
    serve.add_argument("--log-folder", type=Path, default=Path("data/predictions"), metavar="DIR", help="of the log")
    serve.add_argument("--keep-days", type=float, metavar="N", help="of the log; by default until it has 10 GB")
    serve.add_argument(
        "--challenger", metavar="VERSION", help="a second model: a released version or a bundle's folder"
    )
    serve.add_argument(
        "--share", type=float, metavar="SHARE", help="of the rows that it answers, by a hash of their key"
    )
    serve.add_argument("--shadow", action="store_true", help="it answers none, but is asked and recorded")
    serve.add_argument("--rate", type=float, default=1000.0, metavar="N", help="requests a second of a key; 1000")
    serve.add_argument("--most-rows", type=int, default=10_000, metavar="N", help="of a request; 10000")
    serve.add_argument("--most-bytes", type=int, default=10_000_000, metavar="N", help="of a request; 10 million")
    serve.add_argument("--seconds", type=float, default=30.0, metavar="N", help="that a prediction may take; 30")


def _add_export(export: argparse.ArgumentParser) -> None:
    """Add the options of `mlworkflow export`."""
    export.add_argument("kind", choices=("docker", "kubernetes", "mlflow", "onnx", "alerts"), metavar="FORM",
                        help="docker, kubernetes, mlflow, onnx; or alerts: rules for Prometheus")  # fmt: skip
    export.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="made, or made anew; of alerts a file")
    which = export.add_mutually_exclusive_group()
    which.add_argument("--stage", default="prod", metavar="STAGE", help="what this stage is at; prod by default")
    which.add_argument("--bundle", type=Path, metavar="DIR", help="this bundle, e.g. models/bundle")
    export.add_argument("--image", metavar="NAME", help="of kubernetes: the image; PROBLEM:VERSION by default")


def _add_releases(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add `mlworkflow release`, `releases` and `rollback`."""
    release = command("release", "make HEAD a version, by a tag, and put it into a stage")
    release.add_argument("--stage", default="prod", metavar="STAGE", help="prod by default; none: a version alone")
    which = release.add_mutually_exclusive_group()
    which.add_argument("--bump", choices=("major", "minor", "patch"), help="the part that is raised; minor by default")
    which.add_argument("--as", dest="version", metavar="VERSION", help="the version, e.g. v2.0.0")
    releases = command("releases", "the versions, the stages they are in, who put them there, when and why")
    releases.add_argument("--json", action="store_true", help="print JSON")
    rollback = command("rollback", "put a stage back to the version that served before")
    rollback.add_argument("--stage", default="prod", metavar="STAGE", help="prod by default")
    rollback.add_argument("--to", metavar="VERSION", help="another version than the one before")
    rollback.add_argument("--problem", metavar="NAME", help="needed where several have that stage")
    release.add_argument("--because", metavar="REASON", help="overrides a verdict and uncommitted files; recorded")
    release.add_argument("--strict", action="store_true", help="--because overrides nothing, and is recorded alone")
    rollback.add_argument("--because", metavar="REASON", help="why; needed, and recorded")


def _releases(arguments: argparse.Namespace) -> int:
    """Carry out `mlworkflow release`, `releases` or `rollback`; return the exit code."""
    if arguments.command == "releases":
        from mlworkflow.releasing.table import releases

        print(releases(as_json=arguments.json))
        return 0
    from mlworkflow.releasing import command

    stage, because = arguments.stage, arguments.because
    if arguments.command == "release":
        return command.release(
            stage, bump=arguments.bump, version=arguments.version, because=because, strict=arguments.strict
        )
    return command.rollback(stage, to=arguments.to, because=because, problem=arguments.problem)


def _add_sweep(sweep: argparse.ArgumentParser) -> None:
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


def _sweep(arguments: argparse.Namespace) -> int:
    """Carry out `mlworkflow sweep`; return the exit code."""
    from mlworkflow.sweeping import command

    if arguments.name is None:
        print(command.sweeps())
        return 0
    if arguments.prune:
        from mlworkflow.sweeping.prune import prune

        return prune(arguments.name, arguments.set, keep=arguments.keep, yes=arguments.yes)
    return command.sweep(arguments.name, arguments.set, jobs=arguments.jobs, dry_run=arguments.dry_run)


def _add_review(review: argparse.ArgumentParser) -> None:
    """Add the options of `mlworkflow review`."""
    review.add_argument(
        "base", nargs="?", metavar="BASE", help="commit, branch, tag, experiment; default: the baseline"
    )
    review.add_argument("candidate", nargs="?", metavar="CANDIDATE", help="the same; default: the workspace")
    review.add_argument("--markdown", type=Path, metavar="FILE", help="write a pull request's comment")
    review.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    review.add_argument("--json", action="store_true", help="print JSON")
    review.add_argument(
        "--fail-on", choices=("worse", "not-better", "never"), default="worse", help="when the exit code is 1; worse"
    )
    review.add_argument("--reproduce", action="store_true", help="run a side again whose predictions are nowhere")
    review.add_argument("--time", action="store_true", help="time both models here")


def _review(arguments: argparse.Namespace, here: Path) -> int:
    """Carry out `mlworkflow review`; files are meant from where the user stands."""
    from mlworkflow.reviewing.command import Wanted, command

    told: dict[str, Any] = {name: getattr(arguments, name) for name in Wanted.__dataclass_fields__}
    told |= {name: here / told[name] for name in ("markdown", "html") if told[name]}
    return command(arguments.base, arguments.candidate, Wanted(**told))


def _add_new(new: argparse.ArgumentParser) -> None:
    """Add the options of `mlworkflow new`."""
    new.add_argument("name", metavar="NAME", help="of the problem: conf/problem/NAME.yaml")
    new.add_argument(
        "--data", required=True, metavar="SOURCE",
        help="a file, an http(s):// or s3:// address, a database (with --query), api+https://..., module:function",
    )  # fmt: skip
    new.add_argument("--target", metavar="COLUMN", help="what is predicted")
    new.add_argument("--task", choices=("binary", "multiclass", "regression", "clustering"))
    new.add_argument("--metric", help="the metric that decides, e.g. roc_auc, log_loss, rmse")
    new.add_argument("--positive", metavar="CLASS", help="which of two classes is looked for")
    new.add_argument("--key", nargs="+", default=[], metavar="COLUMN", help="what a row is known by")
    new.add_argument("--group", metavar="COLUMN", help="rows with the same value stay on one side of the split")
    new.add_argument("--time", metavar="COLUMN", help="the newest rows are the test rows")
    new.add_argument("--split-column", metavar="COLUMN", help="a column that marks the test rows by `test`")
    new.add_argument("--drop", nargs="+", default=[], metavar="COLUMN", help="what no model may see")
    new.add_argument("--categorical", nargs="+", default=[], metavar="COLUMN", help="numbers that are names")
    new.add_argument("--test-fraction", type=float, default=0.25, metavar="SHARE", help="0.25 by default")
    new.add_argument("--query", help="the rows of a database, e.g. 'SELECT * FROM customers'")
    new.add_argument("--records", metavar="KEY", help="of an API: where the list of rows is, dotted")
    new.add_argument("--next", metavar="KEY", help="of an API: where the next page's address is, dotted")
    new.add_argument("--page", metavar="PARAMETER", help="of an API: the parameter that counts its pages from 1")
    new.add_argument("--offset", metavar="PARAMETER", help="of an API: the parameter that counts the rows before")
    new.add_argument("--token", metavar="NAME", help="of an API: the environment variable that holds the token")
    new.add_argument("--dry-run", action="store_true", help="only tell what would be decided")
    new.add_argument("--force", action="store_true", help="replace a problem of this name")


def _new(arguments: argparse.Namespace, here: Path) -> None:
    """Carry out `mlworkflow new`; a path is meant from where the user stands."""
    from mlworkflow.core.problem import Api
    from mlworkflow.new import command
    from mlworkflow.new.asked import Asked

    asked = Asked(**{name: getattr(arguments, name) for name in Asked.__dataclass_fields__})
    told = {name: getattr(arguments, name) for name in ("records", "next", "page", "offset", "token")}
    options = Api(**told) if any(told.values()) else None
    command.new(
        arguments.data,
        asked,
        query=arguments.query,
        options=options,
        here=here,
        dry_run=arguments.dry_run,
        force=arguments.force,
    )


def run(arguments: argparse.Namespace) -> int:
    """Carry out a parsed command from the repository's root; return the exit code."""
    name = arguments.command
    here = enter_repository(needed=not (name == "serve" and arguments.bundle))  # in an image there is a bundle alone
    if name == "compose":
        from mlworkflow.config.conf import compose_command

        print(compose_command(arguments.overrides, arguments.check))
    elif name == "predict":
        return _predict(arguments, here)
    elif name == "log":
        from mlworkflow.recording.show import show

        where = {"folder": here / arguments.folder} if arguments.folder else {}
        print(show(last=arguments.last, as_json=arguments.json, **where))
    elif name == "retrain":
        from mlworkflow.retraining.command import retrain

        return retrain(arguments.because, as_json=arguments.json)
    elif name == "monitor":
        from mlworkflow.watch import command as watching

        return watching.monitor(watching.options(arguments, here))
    elif name == "new":
        _new(arguments, here)
    elif name == "check" and arguments.problem and arguments.file is None:
        raise ProjectError("--problem says whose contract a file is checked by, but no file is named. Name FILE.")
    elif name == "check" and arguments.file is not None:
        from mlworkflow.preparing.newrows import check_file

        print(check_file(here / arguments.file, arguments.problem))
    elif name == "verify":
        from mlworkflow.checking.verify import verify

        return verify(arguments.revision, vary=arguments.vary)
    elif name == "sweep":
        return _sweep(arguments)
    elif name == "review":
        return _review(arguments, here)
    elif name == "doctor":
        from mlworkflow.doctoring.doctor import doctor

        return doctor(Path.cwd())
    elif name == "why":
        from mlworkflow.doctoring.why import why

        print(why(Path.cwd(), arguments.stage))
    elif name == "setup-git":
        from mlworkflow.merging.setup import setup_git

        print(setup_git(Path.cwd()))
    elif name == "promote":
        from mlworkflow.promoting.command import promote

        return promote(arguments.experiment, commit=arguments.commit)
    elif name == "serve":
        from mlworkflow.api import command

        return command.serve(command.options(arguments, here))
    elif name == "export":
        from mlworkflow.exporting import command as exporting

        print(exporting.export(exporting.options(arguments, here)))
    elif name == "key":
        from mlworkflow.api import keys

        print(keys.add(arguments.name, here / arguments.file))
    elif name in ("release", "releases", "rollback"):
        return _releases(arguments)
    elif name == "history":
        from mlworkflow.reviewing.history import history

        print(history(here / arguments.html if arguments.html else None))
    elif name == "snapshot":
        from mlworkflow.origins.snapshots import refresh

        print(refresh(arguments.name))
    elif name in ("summary", "decide"):
        from mlworkflow import summary

        print(summary.summary() if name == "summary" else summary.decision())
        return int(bool(getattr(arguments, "check", False)) and not summary.good_enough())
    else:
        from mlworkflow.checking import upkeep

        print(getattr(upkeep, name)())
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is told without a traceback, with exit code 1 (2 where 1 is an answer)."""
    arguments = parser().parse_args(words)
    try:
        return run(arguments)
    except ProjectError as error:
        print(f"mlworkflow: {error}", file=sys.stderr)
        return 2 if arguments.command in ("verify", "review", "monitor") else 1
    except KeyboardInterrupt:
        print("mlworkflow: stopped; what was finished is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
