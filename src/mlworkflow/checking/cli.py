"""The commands on what stands in the repository, their options and what carries them out.

What is written from something else (compose, wire, readme, lock), whether that and new rows are as they must be
(check), the recorded result (summary, decide), and whether it comes again from nothing (verify).
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from mlworkflow.core.errors import ProjectError


def compose_options(compose: ArgumentParser) -> None:
    """Add the options of `mlworkflow compose`."""
    compose.add_argument(
        "overrides", nargs="*", metavar="OVERRIDE", help="e.g. problem=wine, model.classification.C=0.1"
    )
    compose.add_argument("--check", action="store_true", help="change nothing; exit code 1 where it is not current")


def compose(told: Namespace, here: Path) -> int:
    """Write params.yaml."""
    from mlworkflow.config.conf import compose_command

    print(compose_command(told.overrides, told.check))
    return 0


def written(told: Namespace, here: Path) -> int:
    """Write the wiring, the README's numbers or the lock, each by a function of the command's name."""
    from mlworkflow.checking import upkeep

    print(getattr(upkeep, told.command)())
    return 0


def check_options(check: ArgumentParser) -> None:
    """Add the options of `mlworkflow check`."""
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a file of new rows, checked by the contract")
    check.add_argument("--problem", metavar="NAME", help="whose contract; default: that of params.yaml")


def check(told: Namespace, here: Path) -> int:
    """Check a file, which is meant from where the user stands, or what commands make."""
    if told.file is None and told.problem:
        raise ProjectError("--problem says whose contract a file is checked by, but no file is named. Name FILE.")
    if told.file is None:
        return written(told, here)
    from mlworkflow.preparing.newrows import check_file

    print(check_file(here / told.file, told.problem))
    return 0


def summary(told: Namespace, here: Path) -> int:
    """Print the result of the last run."""
    from mlworkflow.summary import summary

    print(summary())
    return 0


def decide_options(decide: ArgumentParser) -> None:
    """Add the options of `mlworkflow decide`."""
    decide.add_argument("--check", action="store_true", help="exit code 1 where the model is not good enough")


def decide(told: Namespace, here: Path) -> int:
    """Print the verdict."""
    from mlworkflow.summary import decision, good_enough

    print(decision())
    return int(told.check and not good_enough())


def verify_options(verify: ArgumentParser) -> None:
    """Add the options of `mlworkflow verify`."""
    verify.add_argument("revision", nargs="?", default="HEAD", metavar="REV")
    verify.add_argument(
        "--vary", action="store_true", help="again under another path, clock, locale, umask, threads, ..."
    )


def verify(told: Namespace, here: Path) -> int:
    """Run everything again and compare."""
    from mlworkflow.checking.verify import verify

    return verify(told.revision, vary=told.vary)


COMMANDS = {
    "compose": (compose_options, compose),
    "wire": (None, written),
    "readme": (None, written),
    "lock": (None, written),
    "check": (check_options, check),
    "summary": (None, summary),
    "decide": (decide_options, decide),
    "verify": (verify_options, verify),
}
