"""`mlworkflow release`, `releases` and `rollback`: their options, and what carries them out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path


def release_options(release: ArgumentParser) -> None:
    """Add the options of `mlworkflow release`."""
    release.add_argument("--stage", default="prod", metavar="STAGE", help="prod by default; none: a version alone")
    which = release.add_mutually_exclusive_group()
    which.add_argument("--bump", choices=("major", "minor", "patch"), help="the part that is raised; minor by default")
    which.add_argument("--as", dest="version", metavar="VERSION", help="the version, e.g. v2.0.0")
    release.add_argument("--because", metavar="REASON", help="overrides a verdict and uncommitted files; recorded")
    release.add_argument("--strict", action="store_true", help="--because overrides nothing, and is recorded alone")


def release(told: Namespace, here: Path) -> int:
    """Make HEAD a version."""
    from mlworkflow.releasing import command

    return command.release(told.stage, bump=told.bump, version=told.version, because=told.because, strict=told.strict)


def releases_options(releases: ArgumentParser) -> None:
    """Add the options of `mlworkflow releases`."""
    releases.add_argument("--json", action="store_true", help="print JSON")


def releases(told: Namespace, here: Path) -> int:
    """Print the versions and stages."""
    from mlworkflow.releasing.table import releases

    print(releases(as_json=told.json))
    return 0


def rollback_options(rollback: ArgumentParser) -> None:
    """Add the options of `mlworkflow rollback`."""
    rollback.add_argument("--stage", default="prod", metavar="STAGE", help="prod by default")
    rollback.add_argument("--to", metavar="VERSION", help="another version than the one before")
    rollback.add_argument("--problem", metavar="NAME", help="needed where several have that stage")
    rollback.add_argument("--because", metavar="REASON", help="why; needed, and recorded")


def rollback(told: Namespace, here: Path) -> int:
    """Put a stage back."""
    from mlworkflow.releasing import command

    return command.rollback(told.stage, to=told.to, because=told.because, problem=told.problem)


COMMANDS = {
    "release": (release_options, release),
    "releases": (releases_options, releases),
    "rollback": (rollback_options, rollback),
}
