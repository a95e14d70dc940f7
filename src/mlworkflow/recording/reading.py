"""Reads the log while it is written: a few rows at a time, so that no reader stands in a writer's way.

Each prediction and each outcome has a number, `seq`, that only grows: rows become visible in its order, whichever
process wrote them. Who keeps the last number read and goes on after it reads nothing twice and misses nothing.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from mlworkflow.recording.errors import LogDamagedError, LogUnreadableError
from mlworkflow.recording.opening import PATIENCE, is_damage
from mlworkflow.recording.record import Record
from mlworkflow.recording.tables import FILE, TABLES, demand_schema

CHUNK = 1_000  # rows at a time

_COLUMNS = "id, time, version, role, key, inputs, output, latency_ms"
_PREDICTIONS = f"SELECT seq, {_COLUMNS} FROM predictions WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT {CHUNK}"
_TOGETHER = _PREDICTIONS.replace(" key,", "")
_OUTCOMES = f"SELECT seq, id, outcome, time FROM outcomes WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT {CHUNK}"
_THEIR_OUTCOMES = """SELECT seq, id, outcome, time FROM outcomes
WHERE id IN (SELECT id FROM predictions WHERE predictions.seq BETWEEN ? AND ?) ORDER BY seq"""
_THEIR_PREDICTIONS = f"""SELECT seq, {_COLUMNS} FROM predictions
WHERE id IN (SELECT id FROM outcomes WHERE outcomes.seq BETWEEN ? AND ?) ORDER BY seq"""


class Raw(NamedTuple):
    """A prediction as it lies in the log: the fields of Record, objects as JSON texts."""

    seq: int
    id: str
    time: float
    version: str
    role: str
    key: str | None
    inputs: str
    output: str
    latency_ms: float


class Together(NamedTuple):
    """Predictions as they lie in the log, many at once: each field of Raw but the key, one value a prediction."""

    seqs: tuple[int, ...]
    ids: tuple[str, ...]
    times: tuple[float, ...]
    versions: tuple[str, ...]
    roles: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    latencies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a prediction, as somebody told it at some time."""

    seq: int
    id: str
    outcome: Any
    time: float


@dataclass(frozen=True, slots=True)
class Logged:
    """A record of the log, and each outcome told of it so far, in the order of their coming."""

    seq: int
    record: Record
    outcomes: tuple[Outcome, ...] = ()


def read(folder: Path, after: int = 0, until: int | None = None) -> Iterator[Logged]:
    """Yield the predictions numbered above `after` up to `until` (by default the newest now), with their outcomes.

    A folder without a log yields nothing.

    Raises:
        LogUnreadableError, LogVersionError: it cannot be opened.
        LogDamagedError: it is damaged further on; what was yielded is good.
    """
    with _reading(folder) as connection:
        for rows in _chunks(connection, "predictions", _PREDICTIONS, after, until):
            known: dict[str, list[Outcome]] = {}
            for row in connection.execute(_THEIR_OUTCOMES, (rows[0][0], rows[-1][0])):
                known.setdefault(row[1], []).append(_outcome(row))
            for row in rows:
                yield Logged(row[0], _record(row), tuple(known.get(row[1], ())))


def read_outcomes(
    folder: Path, after: int = 0, until: int | None = None
) -> Iterator[tuple[Outcome, tuple[Record, ...]]]:
    """Yield the outcomes numbered above `after` up to `until`, each with its prediction, and that of a shadow.

    No record: the id is unknown, or its prediction was removed. Raises what `read` does.
    """
    with _reading(folder) as connection:
        for rows in _chunks(connection, "outcomes", _OUTCOMES, after, until):
            known: dict[str, list[Record]] = {}
            for row in connection.execute(_THEIR_PREDICTIONS, (rows[0][0], rows[-1][0])):
                known.setdefault(row[1], []).append(_record(row))
            for row in rows:
                yield _outcome(row), tuple(known.get(row[1], ()))


def read_counts(folder: Path, since: float = 0.0) -> list[tuple[float, str, int]]:
    """Return what was counted since a time: the minute's beginning in seconds since 1970, the kind, the number."""
    with _reading(folder) as connection:
        rows = connection.execute("SELECT * FROM counts WHERE minute >= ? ORDER BY minute, kind", (since // 60,))
        return [(60.0 * minute, kind, number) for minute, kind, number in rows]


def newest(folder: Path) -> int:
    """Return the number of the newest prediction, 0 where there is none."""
    with _reading(folder) as connection:
        return _newest(connection, "predictions")


def _chunks(
    connection: sqlite3.Connection, table: str, query: str, after: int, until: int | None
) -> Iterator[list[Any]]:
    """Yield the rows of a table, some at a time; between two no lock is held."""
    end = _newest(connection, table) if until is None else until
    while rows := connection.execute(query, (after, end)).fetchall():
        yield rows
        after = rows[-1][0]


def _newest(connection: sqlite3.Connection, table: str) -> int:
    (number,) = connection.execute(f"SELECT max(seq) FROM {table}").fetchone()
    return number or 0


def _record(row: Any) -> Record:
    """Return the record of a row of _PREDICTIONS."""
    _, id, when, version, role, key, inputs, output, latency = row
    return Record(id, when, version, role, key, json.loads(inputs), json.loads(output), latency)


def _outcome(row: Any) -> Outcome:
    """Return the outcome of a row of _OUTCOMES."""
    return Outcome(row[0], row[1], _told(row[2]), row[3])


@lru_cache(maxsize=256)  # most outcomes are one of a few classes
def _told(text: Any) -> Any:
    """Return an outcome; None, which is none, where the text is not JSON: one bad outcome stands in no other's way."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """Yield the log opened to read, an empty one where there is none; tell damage in the project's words."""
    path = folder / FILE
    try:
        with closing(_connected(path)) as connection:
            demand_schema(connection, path)
            yield connection
    except (ValueError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise LogUnreadableError(path, error) from error
        raise LogDamagedError(path, error) from error


def _connected(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads; where its journal can neither be found nor made, it reads without."""
    if not path.exists():
        return _empty()
    try:
        return _looked_at(path, "mode=ro")
    except sqlite3.OperationalError:
        return _looked_at(path, "mode=ro&immutable=1")


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES)
    return connection


def _looked_at(path: Path, options: str) -> sqlite3.Connection:
    """Return a connection that has read the file once; an empty log where its tables are yet to be made.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=PATIENCE)
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return connection
    except sqlite3.Error:
        connection.close()
        raise
    connection.close()
    return _empty()


# ---- as they lie there: for who reads all of it ----------------------------------------------------------------------


def raw(folder: Path, after: int = 0, until: int | None = None, rows: int = CHUNK) -> Iterator[Together]:
    """Yield the predictions that `read` does, many at a time. Raises what `read` does."""
    query = _TOGETHER.replace(f"LIMIT {CHUNK}", f"LIMIT {rows}")
    with _reading(folder) as connection:
        for found in _chunks(connection, "predictions", query, after, until):
            yield Together(*(tuple(map(itemgetter(place), found)) for place in range(len(Together._fields))))


def raw_outcomes(folder: Path, after: int = 0, until: int | None = None) -> Iterator[list[tuple[Outcome, list[Raw]]]]:
    """Yield the outcomes as `read_outcomes` does, many at a time, each with its predictions as they lie there."""
    with _reading(folder) as connection:
        for rows in _chunks(connection, "outcomes", _OUTCOMES, after, until):
            yield _with_predictions(connection, rows, connection.execute(_THEIR_PREDICTIONS, (rows[0][0], rows[-1][0])))


def raw_outcomes_of(folder: Path, ids: Sequence[str]) -> list[tuple[Outcome, list[Raw]]]:
    """Return all outcomes that were told of some predictions, with these."""
    with _reading(folder) as connection:
        places = ", ".join("?" * len(ids))
        rows = connection.execute(
            f"SELECT seq, id, outcome, time FROM outcomes WHERE id IN ({places}) ORDER BY seq", ids
        )
        theirs = f"SELECT seq, {_COLUMNS} FROM predictions WHERE id IN ({places}) ORDER BY seq"
        return _with_predictions(connection, rows.fetchall(), connection.execute(theirs, ids))


def given(folder: Path) -> tuple[int, int]:
    """Return the last numbers that an outcome and a prediction were given, removed ones too; 0 where none was.

    The outcomes are asked first: the prediction of each of them is there then, where it was written before.
    """
    with _reading(folder) as connection:
        outcomes, predictions = (_given(connection, table) for table in ("outcomes", "predictions"))
    return outcomes, predictions


def _given(connection: sqlite3.Connection, table: str) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return 0 if row is None else int(row[0])


def id_of(folder: Path, seq: int) -> str | None:
    """Return the id of the prediction with a number, None where it is not there."""
    with _reading(folder) as connection:
        row = connection.execute("SELECT id FROM predictions WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else str(row[0])


def is_sound(row: Any) -> bool:
    """Return whether the fields of a Raw are such as a server writes; SQLite takes any."""
    words = (row.id, row.version, row.role, row.inputs, row.output)
    numbers = (row.time, row.latency_ms)
    return all(isinstance(one, str) for one in words) and all(
        isinstance(one, (int, float)) and math.isfinite(one) for one in numbers
    )


def _with_predictions(
    connection: sqlite3.Connection, rows: Sequence[Any], predictions: sqlite3.Cursor
) -> list[tuple[Outcome, list[Raw]]]:
    known: dict[str, list[Raw]] = {}
    for row in predictions:
        if is_sound(found := Raw._make(row)):
            known.setdefault(row[1], []).append(found)
    return [(_outcome(row), known.get(row[1], [])) for row in rows]
