"""`mlworkflow review` and `history`: their options, and what carries them out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def review_options(review: ArgumentParser) -> None:
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


def review(told: Namespace, here: Path) -> int:
    """Set one revision against another; files are meant from where the user stands."""
    from mlworkflow.reviewing.command import Wanted, command

    wanted = {name: getattr(told, name) for name in Wanted.__dataclass_fields__}
    wanted |= {name: here / wanted[name] for name in ("markdown", "html") if wanted[name]}
    return command(told.base, told.candidate, Wanted(**wanted))


def history_options(history: ArgumentParser) -> None:
    """Add the options of `mlworkflow history`."""
    history.add_argument("--html", type=Path, metavar="FILE", help="reports/history.html by default")


def history(told: Namespace, here: Path) -> int:
    """Print how the result changed; the page is meant from where the user stands."""
    from mlworkflow.reviewing.history import history

    print(history(here / told.html if told.html else None))
    return 0


COMMANDS = {"review": (review_options, review), "history": (history_options, history)}
