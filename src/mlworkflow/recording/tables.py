"""The tables of the log, and what is written into them; several processes write one file, in turns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from mlworkflow.recording.errors import LogVersionError
from mlworkflow.recording.record import Row

FOLDER = Path("data/predictions")  # what a server answered: untracked
FILE = "log.sqlite"
SCHEMA = 1

OutcomeRow = tuple[str, str, float]  # id, outcome as JSON, time
CountRow = tuple[int, str, int]  # minute since 1970, kind, number

# AUTOINCREMENT: a number is never given twice, even when all rows were removed, so that a reader's place stays true
TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE predictions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, time REAL, version TEXT, role TEXT, key TEXT,
  inputs TEXT, output TEXT, latency_ms REAL, UNIQUE (id, role)
);
CREATE TABLE outcomes (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, outcome TEXT, time REAL);
CREATE INDEX outcomes_id ON outcomes (id);
CREATE TABLE counts (minute INTEGER, kind TEXT, number INTEGER, PRIMARY KEY (minute, kind)) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
TOGETHER = 64  # rows a statement: after each the thread must wait for the interpreter, which the event loop holds
_COLUMNS = "id, time, version, role, key, inputs, output, latency_ms"
_OUTCOME = "INSERT INTO outcomes (id, outcome, time) VALUES (?, ?, ?)"
_COUNT = """INSERT INTO counts (minute, kind, number) VALUES (?, ?, ?)
ON CONFLICT (minute, kind) DO UPDATE SET number = number + excluded.number"""


def write(
    connection: sqlite3.Connection,
    predictions: Sequence[Row],
    outcomes: Sequence[OutcomeRow],
    counts: Sequence[CountRow],
) -> None:
    """Write all of it in one transaction, on disk when this returns; or nothing. Raises sqlite3.Error."""
    with turn(connection):
        for start in range(0, len(predictions), TOGETHER):
            some = predictions[start : start + TOGETHER]
            connection.execute(_insert(len(some)), [*chain.from_iterable(some)])
        connection.executemany(_OUTCOME, outcomes)
        connection.executemany(_COUNT, counts)


def _insert(rows: int) -> str:
    """Return the statement for so many predictions.

    One that is there stays: a commit whose answer was lost may have been made, and is made again.
    """
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * rows)
    return f"INSERT INTO predictions ({_COLUMNS}) VALUES {places} ON CONFLICT (id, role) DO NOTHING"


@contextmanager
def turn(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock, which one process has at a time; commit at the end, and nothing on failure."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def demand_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Demand that the tables are those of this version. Raises LogVersionError."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found != SCHEMA:
        raise LogVersionError(path, found, SCHEMA)
