"""What is known of a version in use: sketches of its windows, rows whose outcome came, how far the log was read.

One SQLite file for each version and kind of window. Whatever is learnt of a chunk of the log is written in one
transaction together with how far that goes, so that a watcher that is killed has lost nothing and counts nothing twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mlworkflow.core.errors import ProjectError, first_line

FOLDER = Path("data/monitoring")
SCHEMA = 1
TABLES = f"""
BEGIN;
CREATE TABLE known (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE windows (number INTEGER PRIMARY KEY, first_seq INTEGER, content TEXT);
CREATE TABLE labelled (
  id TEXT, role TEXT, version TEXT, number INTEGER, seq INTEGER, told INTEGER,
  truth REAL, label REAL, probabilities BLOB, PRIMARY KEY (id, role)
) WITHOUT ROWID;
CREATE INDEX labelled_number ON labelled (number, role);
CREATE TABLE pending (id TEXT PRIMARY KEY) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
NO_OBJECT = "CASE WHEN json_valid({0}) THEN json_type({0}, '{1}') IS NOT 'object' ELSE 1 END"
DAMAGED = f"""
SELECT 'known' FROM known WHERE name <> 'replaced' AND {NO_OBJECT.format("value", "$")}
UNION SELECT 'windows' FROM windows
WHERE {NO_OBJECT.format("content", "$.sketch")} OR {NO_OBJECT.format("content", "$.health")}
UNION SELECT 'labelled' FROM labelled
WHERE typeof(truth) <> 'real' OR typeof(probabilities) NOT IN ('blob', 'null') OR length(probabilities) % 8
"""  # tables in which something is not as it was written; of 500,000 outcomes this takes 0.05 s

TOGETHER = 1_000  # ids that one statement asks about
COLUMNS = ("id", "role", "version", "number", "seq", "told", "truth", "label", "probabilities")  # of labelled


class StateError(ProjectError):
    """What is known of the version in use cannot be read or written."""

    def __init__(self, path: Path, cause: object) -> None:
        super().__init__(
            f"{path} must be readable and writable, but it is not: {cause}. "
            "Allow it; or remove the file: `mlworkflow monitor` finds again from the log what is in it."
        )


@dataclass(frozen=True)
class Labelled:
    """A prediction whose outcome is known.

    seq: of the prediction. told: the number of its newest outcome in the log. truth, label: codes or values.
    """

    id: str
    role: str
    version: str
    number: int
    seq: int
    told: int
    truth: float
    label: float
    probabilities: np.ndarray | None


@dataclass
class Progress:
    """How far the log was read, and what was counted on the way."""

    predictions: int = 0  # the number of the last prediction that was read
    last_id: str = ""  # its id
    outcomes: int = 0
    rows: int = 0  # of the version that is watched
    newest: float = 0.0  # when the newest of them was asked
    counts: Counter[str] | None = None


class State:
    """The file of one version and kind of window."""

    def __init__(self, path: Path) -> None:
        """Open it, made where it is missing, and begun anew where it is damaged. Raises StateError."""
        self.path, self.begun_anew = path, False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._connection = _opened(path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                path.replace(path.with_suffix(".damaged"))
                self._connection, self.begun_anew = _opened(path), True
        except (OSError, sqlite3.Error) as error:
            raise StateError(path, first_line(error)) from error

    @contextmanager
    def step(self) -> Iterator[None]:
        """Make all that is written in the block one transaction: on disk when it ends, or nothing of it."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StateError(self.path, first_line(error)) from error
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # ---- how far -----------------------------------------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """How far the log was read."""
        told = json.loads(self.value("progress") or "{}")
        return Progress(**{**told, "counts": Counter(told.get("counts") or {})})

    @progress.setter
    def progress(self, progress: Progress) -> None:
        self.keep("progress", json.dumps({**vars(progress), "counts": dict(progress.counts or {})}))

    def value(self, name: str) -> str | None:
        """Return what was kept under a name."""
        row = self._connection.execute("SELECT value FROM known WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, name: str, value: str) -> None:
        """Keep a text under a name."""
        self._connection.execute("INSERT OR REPLACE INTO known VALUES (?, ?)", (name, value))

    def forget(self) -> None:
        """Forget everything, as the log was replaced by another."""
        for table in ("known", "windows", "labelled", "pending"):
            self._connection.execute(f"DELETE FROM {table}")

    # ---- windows -----------------------------------------------------------------------------------------------------

    def windows(self) -> dict[int, int]:
        """Return {number of a window: the number of its first prediction in the log}, in order."""
        return dict(self._connection.execute("SELECT number, first_seq FROM windows ORDER BY number").fetchall())

    def window(self, number: int) -> dict[str, Any] | None:
        """Return what is known of a window."""
        row = self._connection.execute("SELECT content FROM windows WHERE number = ?", (number,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def keep_window(self, number: int, first_seq: int, content: Mapping[str, Any]) -> None:
        """Keep what is known of a window."""
        self._connection.execute(
            "INSERT INTO windows VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET content = excluded.content",
            (number, first_seq, msgspec.json.encode(content).decode()),
        )

    # ---- outcomes ----------------------------------------------------------------------------------------------------

    def told(self, ids: Sequence[str]) -> dict[tuple[str, str], tuple[int, float]]:
        """Return {(id, role): (number of the newest outcome that was taken, truth)} of those that have one."""
        found: dict[tuple[str, str], tuple[int, float]] = {}
        for start in range(0, len(ids), TOGETHER):
            some = ids[start : start + TOGETHER]
            query = f"SELECT id, role, told, truth FROM labelled WHERE id IN ({', '.join('?' * len(some))})"
            found |= {(id, role): (told, truth) for id, role, told, truth in self._connection.execute(query, some)}
        return found

    def label(self, some: Iterable[Labelled]) -> None:
        """Keep predictions whose outcomes came; a later outcome takes the place of an earlier one."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO labelled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (one.id, one.role, one.version, one.number, one.seq, one.told, one.truth, one.label, _bytes(one))
                for one in some
            ),
        )

    def labelled(self, role: str, number: int | None = None, version: str | None = None) -> list[Labelled]:
        """Return the predictions with an outcome, in the order of the log."""
        query = "SELECT * FROM labelled WHERE role = ?"
        given: list[Any] = [role]
        for name, value in (("number", number), ("version", version)):
            if value is not None:
                query += f" AND {name} = ?"
                given.append(value)
        rows: list[Any] = self._connection.execute(f"{query} ORDER BY seq", given).fetchall()
        return [Labelled(**{**dict(zip(COLUMNS, row, strict=True)), "probabilities": _array(row[-1])}) for row in rows]

    def wait_for(self, id: str) -> None:
        """Note an outcome whose prediction is not known yet."""
        self._connection.execute("INSERT OR IGNORE INTO pending VALUES (?)", (id,))

    def come(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids that were waited for, and wait for them no longer."""
        found: list[str] = []
        for id in ids if self.unknown else []:
            if self._connection.execute("DELETE FROM pending WHERE id = ?", (id,)).rowcount:
                found.append(id)
        return found

    @property
    def unknown(self) -> int:
        """How many outcomes are of predictions that are not known."""
        return int(self._connection.execute("SELECT count(*) FROM pending").fetchone()[0])


def _bytes(one: Labelled) -> bytes | None:
    return None if one.probabilities is None else np.asarray(one.probabilities, "float64").tobytes()


def _array(content: bytes | None) -> np.ndarray | None:
    return None if content is None else np.frombuffer(content)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may undo the last steps: they are made again
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.executescript(TABLES)
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found != SCHEMA:
            raise sqlite3.DatabaseError(f"its tables are of version {found}, not {SCHEMA}")
        _demand_whole(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _demand_whole(connection: sqlite3.Connection) -> None:
    """Demand that what is known can be read. Raises sqlite3.DatabaseError."""
    damaged = [table for (table,) in connection.execute(DAMAGED)]
    told = connection.execute("SELECT value FROM known WHERE name = 'progress'").fetchone()
    if not damaged and told is not None and json.loads(told[0]).keys() != vars(Progress()).keys():
        damaged = ["known"]
    if damaged:
        raise sqlite3.DatabaseError(f"it is damaged in {', '.join(damaged)}")


@contextmanager
def state(path: Path) -> Iterator[State]:
    """Yield the state of a file, closed at the end."""
    with closing(State(path)) as opened:
        yield opened
