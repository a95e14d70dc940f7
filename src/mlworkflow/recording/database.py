"""A connection to the log that mends itself: opened anew when the file was moved, was removed or failed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlworkflow.recording import tables
from mlworkflow.recording.opening import alone, open_log
from mlworkflow.recording.record import Row
from mlworkflow.recording.retention import Keep, remove


class Database:
    """The log of a folder, for one thread at a time. Its methods raise sqlite3.Error and what `open_log` raises."""

    def __init__(self, folder: Path) -> None:
        """Open the log."""
        self.folder, self.path = folder, folder / tables.FILE
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._opened()

    def write(
        self, predictions: Sequence[Row], outcomes: Sequence[tables.OutcomeRow], counts: Sequence[tables.CountRow]
    ) -> None:
        """Write all of it, on disk when this returns; or nothing."""
        with self._turn() as connection:
            tables.write(connection, predictions, outcomes, counts)

    def holds(self, id: str) -> bool:
        """Return whether a prediction has this id."""
        with self._using() as connection:
            return bool(connection.execute("SELECT 1 FROM predictions WHERE id = ?", (id,)).fetchall())

    def remove(self, keep: Keep, now: float) -> int:
        """Remove a few records that are not to be kept; return how many."""
        with self._turn() as connection:
            return remove(connection, keep, now)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @contextmanager
    def _turn(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection when no other process writes.

        SQLite alone waits by sleeping, up to a tenth of a second at a time: of two writers some commits took 0.6 s.
        The lock of a file wakes the next one at once: 0.02 s.
        """
        with self._using() as connection, alone(self.folder / ".turn"):
            yield connection

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection, and close it where it failed: what is wrong may be wrong with it."""
        try:
            yield self._opened()
        except sqlite3.Error:
            self.close()
            raise

    def _opened(self) -> sqlite3.Connection:
        """Return a connection to the file that is at the path now."""
        if self._connection is None or self._file != _identity(self.path):
            self.close()
            self._connection = open_log(self.folder)
            self._file = _identity(self.path)
        return self._connection


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file is at a path, None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
