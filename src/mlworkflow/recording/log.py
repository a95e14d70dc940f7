"""Takes records off the request path: a bounded queue, and a thread that commits what waits in one go."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlworkflow.core.errors import first_line
from mlworkflow.recording.database import Database
from mlworkflow.recording.errors import LogFullError, LogUnwritableError
from mlworkflow.recording.record import Record, Row, as_json, row_of, time_of
from mlworkflow.recording.retention import Keep
from mlworkflow.recording.tables import OutcomeRow

QUEUE = 20_000  # records that may wait
CHUNK = 2_000  # records a transaction, so that another writer's turn comes soon
RECENT = 60.0  # seconds in which an id may be on its way to the disk, here or in another process
PAUSE = 1.0  # seconds between two tries to write while the disk does not take it
REMOVAL = 60.0  # seconds between two looks for what is too old


@dataclass(frozen=True)
class State:
    """How the log of one process fares."""

    queued: int  # records not yet on disk
    lag: float  # seconds that the oldest of them has waited
    lost: int  # records and outcomes that were taken and never written, since the start
    removed: int  # records removed for their age or the size of the log, since the start
    error: str | None  # why the log cannot be written now


@dataclass
class _Waiting:
    """What came since the thread last looked."""

    records: deque[Record] = field(default_factory=deque)
    outcomes: deque[OutcomeRow] = field(default_factory=deque)
    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    answers: list[asyncio.Future[None]] = field(default_factory=list)  # of `put`, each of its own event loop
    feedback: list[Future[None]] = field(default_factory=list)
    since: float = 0.0  # when the first record came


class Log:
    """The prediction log of one process; several processes may write the same folder.

    Batched, a record is on disk at most `window` seconds after `put` as long as the disk keeps up: a process that is
    killed loses at most these. With `sync` the future that `put` returns is done when its records are on the disk
    itself; what comes while one commit runs goes into the next together. When the disk takes nothing, `sync` fails
    the futures; batched, the newest records are kept, the lost ones counted, and writing goes on by itself.
    """

    def __init__(self, folder: Path, sync: bool = False, window: float = 0.2, keep: Keep | None = None) -> None:
        """Open the log of a folder and start the thread that writes it.

        Raises:
            LogUnwritableError: it cannot be opened.
            LogVersionError: its tables are of another version.
        """
        self.folder, self.sync, self.window = folder, sync, window
        self._keep = keep or Keep()
        self._file = Database(folder)
        self._ids = Database(folder)  # a reader beside the writer never waits for it
        self._looking = threading.Lock()
        self._lock = threading.Lock()
        self._waiting = _Waiting()
        self._rows: list[Row] = []  # taken from the queue, not yet on disk; so are the next three
        self._outcomes: list[OutcomeRow] = []
        self._counts: Counter[tuple[int, str]] = Counter()
        self._rows_since: float | None = None
        self._lost = self._removed = 0
        self._next_removal = 0.0
        self._error: str | None = None
        self._closing = False
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def put(self, records: Sequence[Record]) -> asyncio.Future[None] | None:
        """Take records; with `sync` return the future of their being on disk, to be called in an event loop.

        The future raises LogUnwritableError where the disk does not take them; they are not in the log then.

        Raises:
            LogFullError: too many wait; none of these was taken.
        """
        answer = asyncio.get_running_loop().create_future() if self.sync else None
        with self._lock:
            waiting = self._waiting
            self._demand_room(waiting.records)
            if not waiting.records:
                waiting.since = time.monotonic()
            waiting.records.extend(records)
            if answer is None:
                self._lost += _forget_oldest(waiting.records) if self._error else 0
                return None
            waiting.answers.append(answer)
        self._awake.set()
        return answer

    def feedback(self, id: str, outcome: Any) -> Literal["taken", "unknown"]:
        """Take the outcome of a prediction; each one told of an id is kept, and who reads the log decides.

        An id of the last minute is taken unseen: its record may be on its way to the disk, from another process too.
        With `sync` it waits for the disk, some milliseconds: call it beside the event loop (asyncio.to_thread).

        Raises:
            LogFullError: too many wait; it was not taken.
            LogUnwritableError: with `sync`, the disk does not take it.
        """
        made, now = time_of(id), time.time()
        if made is None or not (abs(now - made) < max(RECENT, self.state.lag) or self._known(id)):
            return "unknown"
        written: Future[None] | None = Future() if self.sync else None
        with self._lock:
            waiting = self._waiting.outcomes
            self._demand_room(waiting)
            waiting.append((id, as_json(outcome), now))
            if written is not None:
                self._waiting.feedback.append(written)
            elif self._error:
                self._lost += _forget_oldest(waiting)
        if written is not None:
            self._awake.set()
            written.result()
        return "taken"

    def count(self, kind: str, number: int = 1) -> None:
        """Count what left no record, by the minute: `rejected` rows, `failed` requests, ..."""
        with self._lock:
            self._waiting.counts[int(time.time() // 60), kind] += number

    @property
    def state(self) -> State:
        """How the log fares now."""
        with self._lock:
            waiting = self._waiting
            queued = len(waiting.records) + len(self._rows)
            lag = time.monotonic() - (self._rows_since or waiting.since) if queued else 0.0
            return State(queued, lag, self._lost, self._removed, self._error)

    def close(self) -> None:
        """Write what waits, and end; what could not be written is told on stderr."""
        with self._lock:
            self._closing = True
        self._awake.set()
        self._thread.join()
        self._file.close()
        self._ids.close()
        if self._rows:
            print(f"mlworkflow: {len(self._rows)} predictions could not be recorded: {self._error}", file=sys.stderr)
            self._rows.clear()

    def _demand_room(self, waiting: deque[Any]) -> None:
        """Demand that the queue takes more: batched, it always does while the disk fails; see the class."""
        if self._closing:
            raise LogUnwritableError(self._file.path, "the server ends")
        if len(waiting) >= QUEUE and (self.sync or not self._error):
            raise LogFullError(len(waiting))

    def _known(self, id: str) -> bool:
        """Return whether an id is on disk; where that cannot be read, as if it were."""
        try:
            with self._looking:
                return self._ids.holds(id)
        except (sqlite3.Error, OSError, LogUnwritableError):
            return True

    def _run(self) -> None:
        """Write whatever waits: at once with `sync`, else four times a window, and rarely while the disk fails."""
        while True:
            patience = PAUSE if self._error or self.sync else self.window / 4
            self._awake.wait(patience)
            self._awake.clear()
            closing = self._closing
            self._turn()
            if closing:
                return

    def _turn(self) -> None:
        """Take what waits and write it; whatever goes wrong is kept as the state."""
        with self._lock:
            taken, self._waiting = self._waiting, _Waiting()
            if taken.records and self._rows_since is None:
                self._rows_since = taken.since
        try:
            self._rows += self._as_rows(taken.records)
            self._outcomes += taken.outcomes
            self._counts += taken.counts
            self._write()
            self._remove_old()
        except Exception as error:  # the thread goes on whatever happens; the state and the futures tell
            self._failed(taken, error)
        else:
            self._done(taken)

    def _as_rows(self, records: Iterable[Record]) -> list[Row]:
        """Return records as rows, pausing now and then: the event loop waits for the interpreter meanwhile."""
        rows = []
        for number, record in enumerate(records):
            rows.append(row_of(record))
            if number % 64 == 63:
                time.sleep(1e-5)
        return rows

    def _write(self) -> None:
        """Write all that was taken, a transaction a chunk, and what is no record with the first."""
        while self._rows or self._outcomes or self._counts:
            chunk = self._rows[:CHUNK]
            counts = [(minute, kind, number) for (minute, kind), number in self._counts.items()]
            self._file.write(chunk, self._outcomes, counts)
            with self._lock:
                del self._rows[:CHUNK]
            self._outcomes.clear()
            self._counts.clear()

    def _remove_old(self) -> None:
        """Remove a few old records; again at the next turn if there were some, else in a minute."""
        if time.monotonic() >= self._next_removal:
            removed = self._file.remove(self._keep, time.time())
            self._removed += removed
            self._next_removal = time.monotonic() + (0.0 if removed else REMOVAL)

    def _done(self, taken: _Waiting) -> None:
        """Tell who waits that all is on disk."""
        with self._lock:
            self._error = self._rows_since = None
        _resolve(taken.answers, lambda future: future.set_result(None))
        for written in taken.feedback:
            written.set_result(None)

    def _failed(self, taken: _Waiting, error: Exception) -> None:
        """Keep the newest for the next try; with `sync` nothing, since who waits is told that it failed."""
        known = isinstance(error, LogUnwritableError)
        cause = error if known else LogUnwritableError(self._file.path, first_line(error))
        with self._lock:
            self._error = first_line(error)
            if self.sync:
                self._rows.clear()
                self._outcomes.clear()
                self._rows_since = None
            self._lost += _forget_oldest(self._rows) + _forget_oldest(self._outcomes)
        _resolve(taken.answers, lambda future: future.set_exception(cause))
        for written in taken.feedback:
            written.set_exception(cause)


def _forget_oldest(waiting: deque[Any] | list[Any]) -> int:
    """Leave the newest that may wait; return how many went."""
    over = max(0, len(waiting) - QUEUE)
    if isinstance(waiting, list):
        del waiting[:over]
    else:
        for _ in range(over):
            waiting.popleft()
    return over


def _resolve(answers: list[asyncio.Future[None]], tell: Callable[[asyncio.Future[None]], None]) -> None:
    """Tell the futures in their own event loops, each loop woken once; one that has ended needs nothing."""

    def all_of(futures: list[asyncio.Future[None]]) -> None:
        for future in futures:
            if not future.done():
                tell(future)

    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for answer in answers:
        loops.setdefault(answer.get_loop(), []).append(answer)
    for loop, futures in loops.items():
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(all_of, futures)
