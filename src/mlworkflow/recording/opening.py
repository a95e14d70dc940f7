"""Opens the log's file to write: made where it is missing, moved aside where it is damaged, never overwritten."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlworkflow.recording.errors import LogUnwritableError
from mlworkflow.recording.tables import FILE, TABLES, demand_schema, turn

PATIENCE = 10.0  # seconds to wait for the turns of other writers
LOOK = 1.0  # seconds to look for damage; a large log is looked through in part


def open_log(folder: Path) -> sqlite3.Connection:
    """Return the log of a folder, opened to write; a damaged one is moved aside, and that is told on stderr.

    Raises:
        LogUnwritableError: the folder or the file cannot be written.
        LogVersionError: the tables are of another version.
    """
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(folder / ".opening"):  # no two move a file aside
            try:
                return _opened(path)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                _move_aside(path, error)
                return _opened(path)
    except (OSError, sqlite3.Error) as error:
        raise LogUnwritableError(path, error) from error


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether SQLite says that the file itself is damaged or is no database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let one process at a time pass, by the lock of an empty file; the lock of a killed one is gone."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _opened(path: Path) -> sqlite3.Connection:
    """Return the file opened and looked through, its tables made where it is empty."""
    if not path.exists():  # never opened beside SQLite: closing it would drop the locks of this process's connections
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))  # what was asked may be about people
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk itself, not in its cache
        connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.executescript(TABLES)
        demand_schema(connection, path)
        with turn(connection):
            pass  # it can be written
        _look_through(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _look_through(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError where damage is found in the time there is."""
    end = time.monotonic() + LOOK
    connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
    try:
        (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return  # the time is over
    finally:
        connection.set_progress_handler(None, 0)
    if told != "ok":
        error = sqlite3.DatabaseError(told)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _move_aside(path: Path, error: sqlite3.Error) -> None:
    """Rename a damaged log, its journal first: a new log must not find the old one's."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    names = (path.with_name(f"log.damaged-{stamp}{number}.sqlite") for number in ("", *(f"-{n}" for n in range(2, 99))))
    aside = next(name for name in names if not name.exists())
    for suffix in ("-shm", "-wal", ""):
        if (there := Path(f"{path}{suffix}")).exists():
            there.rename(f"{aside}{suffix}")
    print(
        f"mlworkflow: the prediction log {path} is damaged ({error}). It was moved to {aside.name} beside it, and "
        f"a new one is begun. `sqlite3 {aside.name} .recover` saves what can be saved.",
        file=sys.stderr,
    )
