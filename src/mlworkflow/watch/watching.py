"""Watching: look after look until told to end; what begins and what ends is told once."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from mlworkflow.core.alone import alone
from mlworkflow.core.errors import ProjectError
from mlworkflow.watch.looking import looked, one_look, settle, unheard, write
from mlworkflow.watch.state import FOLDER
from mlworkflow.watch.wanted import MonitorError, Wanted

if TYPE_CHECKING:
    from mlworkflow.monitoring.report import Report
    from mlworkflow.watch.alarms import Alarms

WATCHING = ".watching"  # a file that is locked


def watch(wanted: Wanted) -> None:
    """Look again and again until told to end; tell what begins and what ends."""
    from mlworkflow.watch.alarms import alarms

    shown: dict[str, str] = {}
    with _one_watcher(), alarms(FOLDER) as told, suppress(KeyboardInterrupt):
        while True:
            with one_look():
                _look_again(wanted, told, shown)
            if wanted.webhook:
                told.send(wanted.webhook)
                _say_new("webhook", unheard(told, wanted.webhook), shown)
            time.sleep(wanted.every)


def _one_watcher() -> AbstractContextManager[None]:
    """Let one process watch; entering raises MonitorError where another does."""
    words = "one `mlworkflow monitor --watch` runs in a repository at a time, and another runs here. "
    busy = MonitorError(f"{words}Stop it; or look once, without --watch.")
    return alone(FOLDER / WATCHING, busy, mode=0o700)


def _look_again(wanted: Wanted, told: Alarms, shown: dict[str, str]) -> None:
    """Look, and print what is new; what is wrong now may be right at the next look."""
    from mlworkflow.watch.alarms import line

    try:
        report, _ = looked(wanted, lambda done, all: None, lambda words: _say_new("bundle", words, shown))
        write(report, wanted)
        settle(told, report, wanted)
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
