"""`mlworkflow new`: its options, and what carries it out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def options(new: ArgumentParser) -> None:
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


def run(told: Namespace, here: Path) -> int:
    """Make the problem; a path is meant from where the user stands."""
    from mlworkflow.core.problem import Api
    from mlworkflow.new import command
    from mlworkflow.new.asked import Asked

    asked = Asked(**{name: getattr(told, name) for name in Asked.__dataclass_fields__})
    paging = {name: getattr(told, name) for name in ("records", "next", "page", "offset", "token")}
    command.new(
        told.data,
        asked,
        query=told.query,
        options=Api(**paging) if any(paging.values()) else None,
        here=here,
        dry_run=told.dry_run,
        force=told.force,
    )
    return 0


COMMANDS = {"new": (options, run)}
