"""A look: the log followed to its end, the report of what is known then, the files and the messages of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.core import io
from mlworkflow.core.alone import alone
from mlworkflow.watch.state import FOLDER
from mlworkflow.watch.wanted import Wanted, follower, settings_of, to_stderr

if TYPE_CHECKING:
    from mlworkflow.monitoring.report import Report
    from mlworkflow.watch.alarms import Alarms

LOOKING = ".looking"  # a file that is locked


def one_look() -> AbstractContextManager[None]:
    """Let one look at a time write; others wait."""
    return alone(FOLDER / LOOKING, mode=0o700)


def looked(
    wanted: Wanted, tell: Callable[[int, int], None], say: Callable[[str], None] = to_stderr
) -> tuple[Report, bool]:
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


def settle(told: Alarms, report: Report, wanted: Wanted) -> None:
    """Keep which alarms begin and end by a look."""
    told.settle(report, str(page_of(wanted)), _view(wanted), quiet=not _is_usual(wanted))


def _is_usual(wanted: Wanted) -> bool:
    """Return whether alarms of this look are told to others: not those of somebody who tries other windows."""
    plain = Wanted()
    tries = [name for name in ("bundle", "log", "window", "clock") if getattr(wanted, name) != getattr(plain, name)]
    return wanted.watch or wanted.webhook is not None or not tries


def _view(wanted: Wanted) -> str:
    """Return what names alarms beside their problem: the alarms of other windows are others."""
    settings = settings_of(wanted)
    return " ".join(map(str, (wanted.bundle or wanted.stage, wanted.log, settings.window, settings.clock)))


def page_of(wanted: Wanted) -> Path:
    """Return where the page lies; one of somebody who tries other windows leaves the usual one as it was."""
    return wanted.html or FOLDER / ("monitor.html" if _is_usual(wanted) else "tried.html")


def write(report: Report, wanted: Wanted) -> None:
    """Write the page, the numbers, and what Prometheus reads; outputs of the workflow are left alone."""
    from mlworkflow.monitoring import page, words
    from mlworkflow.watch.metrics import metrics

    io.write_text(page.page(report), page_of(wanted))
    if _is_usual(wanted):
        io.write_json(words.drift_json(report), FOLDER / "drift.json")
        io.write_text(metrics(report, time.time()), FOLDER / "metrics.prom")


def unheard(told: Alarms, address: str) -> str:
    """Return the words on messages that a receiver did not take; none where it took all."""
    return "" if told.unheard is None else f"{address} does not take messages ({told.unheard}); they are sent later"
