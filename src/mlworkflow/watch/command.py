"""`mlworkflow monitor`: a look at the model in use, or one after the other; what it found, and what to do about it."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.core import io, paths
from mlworkflow.core.alone import alone
from mlworkflow.core.errors import ProjectError
from mlworkflow.watch.state import FOLDER, state

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.monitoring.report import Report
    from mlworkflow.watch.alarms import Alarms
    from mlworkflow.watch.follow import Follower

QUIET, ALARM, ERROR = 0, 1, 2
LOOKING, WATCHING = ".looking", ".watching"  # files that are locked
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


def _say(words: str) -> None:
    print(words, file=sys.stderr)


def monitor(wanted: Wanted) -> int:
    """Look once, or on and on; return the exit code: 0 quiet, 1 an alarm lasts, 2 nothing of the log could be read.

    Raises:
        ProjectError: what is asked for cannot be done.
    """
    from mlworkflow.core.processes import stoppable

    _demand(wanted)
    with stoppable():
        return _watch(wanted) if wanted.watch else _look(wanted)


def _demand(wanted: Wanted) -> None:
    found = []
    if wanted.last < 1:
        found.append(f"--last must be at least 1, but is {wanted.last}")
    if wanted.every <= 0:
        found.append(f"--every must be more than 0 seconds, but is {wanted.every:g}")
    if wanted.webhook is not None and not wanted.webhook.startswith(("http://", "https://")):
        found.append(f"--webhook must be an http:// or https:// address, but is {wanted.webhook!r}")
    if found:
        raise MonitorError("\n".join(found))


def _looking() -> AbstractContextManager[None]:
    """Let one look at a time write; others wait."""
    return alone(FOLDER / LOOKING, mode=0o700)


def _watching() -> AbstractContextManager[None]:
    """Let one process watch; entering raises MonitorError where another does."""
    words = "one `mlworkflow monitor --watch` runs in a repository at a time, and another runs here. "
    busy = MonitorError(f"{words}Stop it; or look once, without --watch.")
    return alone(FOLDER / WATCHING, busy, mode=0o700)


# ---- what is watched -------------------------------------------------------------------------------------------------


def settings_of(wanted: Wanted) -> Monitor:
    """Return the settings of params.yaml, with what the command line says otherwise. Raises ConfError."""
    from pydantic import ValidationError

    from mlworkflow.core.params import Monitor, read_params

    told = {**read_params()["monitor"]}
    told |= {name: value for name in ("window", "clock") if (value := getattr(wanted, name)) is not None}
    try:
        return Monitor.model_validate(told)
    except ValidationError as error:
        lines = [
            f"monitor.{'.'.join(map(str, one['loc']))}: {one['msg']}, but is {one['input']!r}" for one in error.errors()
        ]
        raise MonitorError(
            "\n".join(lines) + "\nA window is hour, day, week, month, or several: `6 hours`, `2 days`, `500 rows`."
        ) from error


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


@contextmanager
def follower(wanted: Wanted, say: Callable[[str], None] = _say) -> Iterator[Follower]:
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


# ---- a look ----------------------------------------------------------------------------------------------------------


def _look(wanted: Wanted) -> int:
    from mlworkflow.monitoring import words
    from mlworkflow.watch.alarms import alarms

    with _looking():
        report, damage = looked(wanted, _progress())
        _write(report, wanted)
        with alarms(FOLDER) as told:
            told.settle(report, str(_page(wanted)), _view(wanted), quiet=not _is_usual(wanted))
            list(told.unsaid())  # the report says them
            if wanted.webhook:
                told.send(wanted.webhook)
                _tell_unheard(told, wanted.webhook)
    print(json.dumps(report.to_dict()) if wanted.json else words.words(report))
    return ALARM if report.open else ERROR if damage and not report.windows else QUIET


def _is_usual(wanted: Wanted) -> bool:
    """Return whether alarms of this look are told to others: not those of somebody who tries other windows."""
    plain = Wanted()
    tries = [name for name in ("bundle", "log", "window", "clock") if getattr(wanted, name) != getattr(plain, name)]
    return wanted.watch or wanted.webhook is not None or not tries


def _view(wanted: Wanted) -> str:
    """Return what names alarms beside their problem: the alarms of other windows are others."""
    settings = settings_of(wanted)
    return " ".join(map(str, (wanted.bundle or wanted.stage, wanted.log, settings.window, settings.clock)))


def looked(wanted: Wanted, tell: Callable[[int, int], None], say: Callable[[str], None] = _say) -> tuple[Report, bool]:
    """Return (the report of what is there now, whether the log is damaged)."""
    from mlworkflow.recording.errors import LogDamagedError
    from mlworkflow.recording.reading import read_counts
    from mlworkflow.watch.look import report

    with follower(wanted, say) as following:
        try:
            following.follow(tell)
            return report(replace(following, counts=read_counts(following.folder)), wanted.last), False
        except LogDamagedError as error:
            found = report(following, wanted.last)
            return replace(found, notes=[f"what is said here rests on a part of the log: {error}", *found.notes]), True


def _watch(wanted: Wanted) -> int:
    """Look again and again until told to end; tell what begins and what ends."""
    from mlworkflow.watch.alarms import alarms

    shown: dict[str, str] = {}
    with _watching(), alarms(FOLDER) as told, suppress(KeyboardInterrupt):
        while True:
            with _looking():
                _look_again(wanted, told, shown)
            if wanted.webhook:
                told.send(wanted.webhook)
                _say_new("webhook", _unheard(told, wanted.webhook), shown)
            time.sleep(wanted.every)
    return QUIET


def _look_again(wanted: Wanted, told: Alarms, shown: dict[str, str]) -> None:
    """Look, and print what is new; what is wrong now may be right at the next look."""
    from mlworkflow.watch.alarms import line

    try:
        report, _ = looked(wanted, lambda done, all: None, lambda words: _say_new("bundle", words, shown))
        _write(report, wanted)
        told.settle(report, str(_page(wanted)), _view(wanted))
    except ProjectError as error:
        _say_new("error", f"mlworkflow: {error}", shown)
        return
    _say_new("error", "", shown)
    for body in told.unsaid():
        print(line(body), flush=True)
    _say_new("verdict", _summary(report), shown)


def _summary(report: Report) -> str:
    """Return the state in one line, which changes where something does."""
    last = next((window for window in reversed(report.windows) if window.complete), None)
    where = f"up to {last.label}" if last else "no window is complete yet"
    count = len(report.open)
    verdict = "quiet" if not count else "1 alarm lasts" if count == 1 else f"{count} alarms last"
    return f"{report.problem} {report.version}: {verdict}, {where}"


def _say_new(about: str, words: str, shown: dict[str, str]) -> None:
    """Print words, unless they were the last about this."""
    if words and words != shown.get(about):
        print(words, flush=True)
    shown[about] = words


def _unheard(told: Alarms, address: str) -> str:
    return "" if told.unheard is None else f"{address} does not take messages ({told.unheard}); they are sent later"


def _tell_unheard(told: Alarms, address: str) -> None:
    if words := _unheard(told, address):
        print(f"mlworkflow: {words}: with the next look.", file=sys.stderr)


def _page(wanted: Wanted) -> Path:
    return wanted.html or FOLDER / "monitor.html"


def _write(report: Report, wanted: Wanted) -> None:
    """Write the page, the numbers, and what Prometheus reads; outputs of the workflow are left alone."""
    from mlworkflow.monitoring import page, words
    from mlworkflow.watch.metrics import metrics

    io.write_json(words.drift_json(report), FOLDER / "drift.json")
    io.write_text(page.page(report), _page(wanted))
    io.write_text(metrics(report, time.time()), FOLDER / "metrics.prom")


def _progress() -> Callable[[int, int], None]:
    """Return what shows how far the log was read, on a terminal."""
    from tqdm import tqdm

    bar = tqdm(desc="monitor", unit="row", disable=not sys.stderr.isatty(), leave=False)

    def tell(done: int, all: int) -> None:
        bar.total = all
        bar.update(done - bar.n)

    return tell
