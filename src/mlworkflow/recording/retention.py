"""What the log forgets: records too old, and the oldest of a log too large. A few at a time, beside the writing."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass

from mlworkflow.recording.tables import turn

STEP = 5_000  # records removed at a time

_OLDEST = "(SELECT seq FROM predictions ORDER BY seq LIMIT ?)"
_OUTCOMES = f"""DELETE FROM outcomes WHERE
  id IN (SELECT id FROM predictions WHERE seq IN {_OLDEST} AND time < ?)
  OR seq IN (SELECT seq FROM outcomes ORDER BY seq LIMIT ?) AND time < ?"""
_PREDICTIONS = f"DELETE FROM predictions WHERE seq IN {_OLDEST} AND time < ?"


@dataclass(frozen=True)
class Keep:
    """How long records stay, and how much room they may take; None: without end."""

    days: float | None = None
    gigabytes: float | None = 10.0  # that a server which runs for months does not fill its disk


def remove(connection: sqlite3.Connection, keep: Keep, now: float) -> int:
    """Remove what is too old or too much, at most STEP records with their outcomes; return how many records.

    What is removed is overwritten in the file (SQLite's secure_delete); the file keeps its size and fills the room
    anew. Age goes by the time of each record, size by the order of writing. Raises sqlite3.Error.
    """
    by_age = -math.inf if keep.days is None else now - 86_400 * keep.days
    before = math.inf if _too_large(connection, keep) else by_age
    if before == -math.inf:
        return 0
    with turn(connection):
        connection.execute(_OUTCOMES, (STEP, before, STEP, by_age))
        connection.execute("DELETE FROM counts WHERE minute < ?", (by_age / 60,))
        return connection.execute(_PREDICTIONS, (STEP, before)).rowcount


def _too_large(connection: sqlite3.Connection, keep: Keep) -> bool:
    """Return whether the pages in use take more room than allowed."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return keep.gigabytes is not None and (pages - free) * size > keep.gigabytes * 1e9
