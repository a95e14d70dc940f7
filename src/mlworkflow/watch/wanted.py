"""What a monitor is asked for, and what follows the log for it: settings, the version in use, what is known of it."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError
from mlworkflow.watch.state import FOLDER, state

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.watch.follow import Follower

LONGEST = 86_400.0  # seconds between two looks
WINDOWS = "a window is hour, day, week, month, or several: `6 hours`, `2 days` (up to 9999), `500 rows`"
KEPT = 10  # files of versions and windows, those used last


class MonitorError(ProjectError):
    """What was asked of the monitor cannot be done."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line; None: as conf/monitor says."""

    stage: str = "prod"
    problem: str | None = None
    bundle: Path | None = None
    log: Path = Path("data/predictions")
    window: str | None = None
    clock: str | None = None
    last: int = 60
    watch: bool = False
    every: float = 60.0
    webhook: str | None = None
    json: bool = False
    html: Path | None = None


def demand(wanted: Wanted) -> None:
    """Demand options that mean something. Raises MonitorError, with all that do not."""
    found = []
    if wanted.last < 1:
        found.append(f"--last must be at least 1, but is {wanted.last}")
    if not 0 < wanted.every <= LONGEST:
        found.append(f"--every must be more than 0 seconds, at most {LONGEST:g}, but is {wanted.every:g}")
    if wanted.webhook is not None and not wanted.webhook.startswith(("http://", "https://")):
        found.append(f"--webhook must be an http:// or https:// address, but is {wanted.webhook!r}")
    if found:
        raise MonitorError("\n".join(found))


def settings_of(wanted: Wanted) -> Monitor:
    """Return the settings of params.yaml, with what the command line says otherwise. Raises ConfError."""
    from pydantic import ValidationError

    from mlworkflow.core.params import Monitor, read_params

    told = read_params().get("monitor")
    if not isinstance(told, dict):
        raise MonitorError("params.yaml has no section `monitor`: type `mlworkflow compose`, and look again.")
    told |= {name: value for name in ("window", "clock") if (value := getattr(wanted, name)) is not None}
    try:
        return Monitor.model_validate(told)
    except ValidationError as error:
        raise MonitorError("\n".join(map(_mistake, error.errors()))) from error


def _mistake(one: Mapping[str, Any]) -> str:
    where = ".".join(map(str, one["loc"]))
    return f"monitor.{where}: {WINDOWS if where == 'window' else one['msg']}, but this is {one['input']!r}"


def version_in_use(wanted: Wanted, say: Callable[[str], None]) -> tuple[str, Path]:
    """Return (version, bundle): the one named, that of the stage, or models/bundle where there is no release at all.

    `say` is told where the bundle comes from.
    """
    from mlworkflow.api.command import version_of
    from mlworkflow.releasing.bundles import current, fetch
    from mlworkflow.releasing.tags import ReleaseError, problems, read

    if wanted.bundle is not None:
        return version_of(wanted.bundle), wanted.bundle
    try:
        release = current(wanted.stage, wanted.problem)
    except ReleaseError:
        if problems(read(Path())) or not paths.BUNDLE.is_dir():
            raise
        say(f"There is no release, so {paths.BUNDLE} is watched.")
        return version_of(paths.BUNDLE), paths.BUNDLE
    return release.version, fetch(release, say=say)


def to_stderr(words: str) -> None:
    """Say something beside the report."""
    print(words, file=sys.stderr)


@contextmanager
def follower(wanted: Wanted, say: Callable[[str], None] = to_stderr) -> Iterator[Follower]:
    """Yield what follows the log of the version in use."""
    from mlworkflow.monitoring.watched import reference_of
    from mlworkflow.runtime.loading import load
    from mlworkflow.watch.follow import Follower

    settings = settings_of(wanted)
    version, folder = version_in_use(wanted, say)
    model = load(folder, "none")
    if settings.clock == "row" and model.schema.time is None:
        raise MonitorError(
            f"--clock row goes by the time of the rows, but the problem {model.name} names no time. "
            "Take --clock log, or name data.time in the problem."
        )
    with state(_file(model.name, version, folder, settings, wanted.log)) as known:
        yield Follower(wanted.log, model, version, reference_of(folder), settings, known, time.time())


def _file(problem: str, version: str, folder: Path, settings: Monitor, log: Path) -> Path:
    """Return the file of what is known: of this bundle, by these windows, of this log."""
    from mlworkflow.serving.folder import MANIFEST

    about = (io.sha256(folder / MANIFEST), settings.window, settings.clock, str(log.resolve()))
    found = FOLDER / f"{problem}-{version}-{hashlib.sha256(repr(about).encode()).hexdigest()[:8]}.sqlite"
    others = sorted(
        (path for path in FOLDER.glob("*-*.sqlite") if path != found), key=lambda path: -path.stat().st_mtime
    )
    for path in others[KEPT:]:
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
    return found
