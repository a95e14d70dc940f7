"""`mlworkflow monitor`: a look at the model in use, or one after the other; what it found, and what to do about it."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from mlworkflow.core.errors import ProjectError
from mlworkflow.watch.looking import looked, one_look, page_of, settle, unheard, write
from mlworkflow.watch.state import FOLDER
from mlworkflow.watch.wanted import Wanted, demand
from mlworkflow.watch.watching import watch

if TYPE_CHECKING:
    from mlworkflow.watch.alarms import Alarms

QUIET, ALARM, ERROR = 0, 1, 2


def monitor(wanted: Wanted) -> int:
    """Look once, or on and on; return the exit code: 0 quiet, 1 an alarm lasts, 2 an error: Python's own 1 is none.

    Raises:
        ProjectError: what is asked for cannot be done.
    """
    from mlworkflow.core.processes import stoppable

    demand(wanted)
    try:
        with stoppable():
            if not wanted.watch:
                return _look(wanted)
            watch(wanted)
    except ProjectError:
        raise
    except Exception:  # a defect of ours must not be taken for an alarm
        traceback.print_exc()
        return ERROR
    return QUIET


def _look(wanted: Wanted) -> int:
    from mlworkflow.monitoring import words
    from mlworkflow.watch.alarms import alarms

    with one_look():
        report, damage = looked(wanted, _progress())
        write(report, wanted)
        with alarms(FOLDER) as told:
            settle(told, report, wanted)
            list(told.unsaid())  # the report says them
    print(json.dumps(report.to_dict()) if wanted.json else f"{words.words(report)}\nThe page: {page_of(wanted)}")
    if wanted.webhook:
        with alarms(FOLDER) as told:  # others may look while a receiver takes its time
            told.send(wanted.webhook)
            _tell_unheard(told, wanted.webhook)
    return ALARM if report.open else ERROR if damage and not report.windows else QUIET


def _tell_unheard(told: Alarms, address: str) -> None:
    if words := unheard(told, address):
        print(f"mlworkflow: {words}: with the next look.", file=sys.stderr)


def _progress() -> Callable[[int, int], None]:
    """Return what shows how far the log was read, on a terminal."""
    from tqdm import tqdm

    bar = tqdm(desc="monitor", unit="row", disable=not sys.stderr.isatty(), leave=False)

    def tell(done: int, all: int) -> None:
        bar.total = all
        bar.update(done - bar.n)

    return tell
