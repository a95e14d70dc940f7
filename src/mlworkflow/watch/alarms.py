"""What was told of alarms: each begins once and ends once, whoever is killed in between.

That an alarm began or ended is noted together with the message about it, in one transaction; the message is sent after
that, and marked when it was taken. So a killed watcher may send a message again, under the same id, but loses none.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

from mlworkflow.core.errors import first_line
from mlworkflow.monitoring.report import Alarm, Report
from mlworkflow.monitoring.steps import steps
from mlworkflow.watch.state import FOLDER, StateError

FILE = "alarms.sqlite"
TABLES = """
CREATE TABLE IF NOT EXISTS lasting (view TEXT, name TEXT, body TEXT, PRIMARY KEY (view, name));
CREATE TABLE IF NOT EXISTS messages (
  number INTEGER PRIMARY KEY, id TEXT UNIQUE, news TEXT, body TEXT, said INTEGER DEFAULT 0, sent INTEGER DEFAULT 0
);
"""
NEWS = ("event", "problem", "version", "alarm", "since")  # what makes a message another one
PATIENCE = 10.0  # seconds for a receiver to take a message
PAUSES = (1.0, 600.0)  # seconds after the first failure, and at most; each time twice as long

Message = dict[str, Any]


class Alarms:
    """The file of what was told."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._next, self._pause = 0.0, PAUSES[0]
        self.unheard: str | None = None  # why the receiver does not take messages

    def settle(self, report: Report, page: str, view: str = "", *, quiet: bool = False) -> None:
        """Note which alarms began and which ended, with the messages about them.

        Args:
            report: what is there now.
            page: where to read more.
            view: by which windows, of which stage; those of another have alarms of their own.
            quiet: whether nobody is told: somebody tries other windows. It leaves what others are told as it was.
        """
        usual = f"{report.problem} {view}"
        view = f"{usual} (tried)" if quiet else usual
        now = {f"{report.version} {alarm.key}": message("begins", report, alarm, page) for alarm in report.open}
        with self._step():
            rows = self._connection.execute("SELECT name, body FROM lasting WHERE view = ?", (view,))
            before = {name: json.loads(body) for name, body in rows.fetchall()}
            begun, over = [name for name in now if name not in before], [name for name in before if name not in now]
            for name in begun:
                self._connection.execute("INSERT INTO lasting VALUES (?, ?, ?)", (view, name, json.dumps(now[name])))
            for name in over:
                self._connection.execute("DELETE FROM lasting WHERE view = ? AND name = ?", (view, name))
            if not quiet:
                self._connection.execute("DELETE FROM lasting WHERE view = ?", (f"{usual} (tried)",))
                for body in [*(now[name] for name in begun), *(ended(before[name], report) for name in over)]:
                    self._put(body)

    def unsaid(self) -> Iterator[Message]:
        """Yield the messages that were not said yet; each is marked when the next is asked for."""
        yield from self._left("said")

    def send(self, address: str, now: Callable[[], float] = time.monotonic) -> int:
        """Send what was not sent yet, in order, and return how many; after a failure wait, longer each time."""
        if now() < self._next:
            return 0
        sent = 0
        try:
            for body in self._left("sent"):
                post(address, body)
                sent += 1
        except (OSError, HTTPException, ValueError) as error:
            self.unheard, self._next = first_line(error), now() + self._pause
            self._pause = min(2 * self._pause, PAUSES[1])
        else:
            self.unheard, self._pause = None, PAUSES[0]
        return sent

    def _left(self, how: str) -> Iterator[Message]:
        rows = self._connection.execute(f"SELECT number, body FROM messages WHERE NOT {how} ORDER BY number").fetchall()
        for number, body in rows:
            yield json.loads(body)
            self._connection.execute(f"UPDATE messages SET {how} = 1 WHERE number = ?", (number,))

    def _put(self, body: Message) -> None:
        """Put a message into the outbox; its id is that of news told for the n-th time."""
        news = json.dumps([body[name] for name in NEWS])
        told = self._connection.execute("SELECT count(*) FROM messages WHERE news = ?", (news,)).fetchone()[0]
        id = hashlib.sha256(f"{news} {told}".encode()).hexdigest()[:32]
        values = (id, news, json.dumps({"id": id, **body}))
        self._connection.execute("INSERT INTO messages (id, news, body) VALUES (?, ?, ?)", values)

    @contextmanager
    def _step(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


@contextmanager
def alarms(folder: Path) -> Iterator[Alarms]:
    """Yield what was told, of a folder; a damaged file is put aside. Raises StateError where it cannot be used."""
    path = folder / FILE
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            connection = _opened(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            print(f"{path} was damaged, and is begun anew: alarms that last are told again.", file=sys.stderr)
            path.replace(path.with_suffix(".damaged"))
            connection = _opened(path)
        with closing(connection):
            yield Alarms(connection)
    except (OSError, sqlite3.Error) as error:
        raise StateError(path, first_line(error)) from error


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


def lasting(problem: str, folder: Path = FOLDER) -> list[Message]:
    """Return what was told of the alarms of a problem that last, the first one first. Raises StateError."""
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = [json.loads(body) for (body,) in connection.execute("SELECT body FROM lasting ORDER BY rowid")]
    except (sqlite3.Error, ValueError) as error:
        raise StateError(path, first_line(error)) from error
    return [told for told in found if told["problem"] == problem]


def message(event: str, report: Report, alarm: Alarm, page: str) -> Message:
    """Return what is told of an alarm that begins."""
    check = alarm.check
    evidence = {name: getattr(check, name) for name in ("value", "usual", "limit", "p", "rows")}
    return {
        "event": event,
        "problem": report.problem,
        "version": report.version,
        "alarm": alarm.key,
        "since": alarm.since,
        "begun": _begun(report, alarm),
        "clock": report.log.get("clock"),
        "words": check.words,
        "evidence": evidence,
        "command": steps(alarm)[0].command,
        "page": page,
    }


def _begun(report: Report, alarm: Alarm) -> float | None:
    """Return when the first window of an alarm began, in seconds since 1970; None where windows have no time."""
    start = next((window.start for window in report.windows if window.label == alarm.since), None)
    return None if start is None else datetime.fromisoformat(start).timestamp()


def ended(begun: Message, report: Report) -> Message:
    """Return what is told of an alarm that is over, given what was told when it began."""
    over = next((one for one in report.alarms if one.key == begun["alarm"] and one.ended), None)
    if begun["version"] != report.version:
        over, how = None, f"{report.version} has taken the place of {begun['version']}"
    elif over is not None:
        how = "it is as it should be again"
    else:
        how = "what came since, or is no longer known, makes it none"
    return {**begun, "event": "ends", "until": None if over is None else over.ended, "words": how}


def post(address: str, body: Message) -> None:
    """Send a message as JSON; its id is the Idempotency-Key.

    Raises:
        OSError, HTTPException, ValueError: it is not taken; nor is it where another address is named instead.
    """
    failed: list[Exception] = []

    def send() -> None:
        try:
            _post(address, body)
        except (OSError, HTTPException, ValueError) as error:
            failed.append(error)

    sending = threading.Thread(target=send, daemon=True)  # a receiver may dribble its answer for ever
    sending.start()
    sending.join(PATIENCE)
    if sending.is_alive():
        raise TimeoutError(f"no whole answer came within {PATIENCE:g} s")
    if failed:
        raise failed[0]


def _post(address: str, body: Message) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": body["id"], "User-Agent": "mlworkflow"}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers, method="POST")
    try:
        urllib.request.build_opener(_NoOtherAddress).open(request, timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        with error:
            raise urllib.error.URLError(f"it answered with {error.code}") from None


class _NoOtherAddress(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without the message."""

    def redirect_request(self, *_: Any) -> None:
        return None


def line(body: Message) -> str:
    """Return a message as one line for people."""
    if body["event"] == "begins":
        return f"alarm: {body['words']} (since {body['since']}). Type `{body['command']}`."
    return f"over: {body['alarm']}, since {body['since']}: {body['words']}."


def lines(bodies: Iterable[Message]) -> Iterator[str]:
    """Yield the lines of messages."""
    return (line(body) for body in bodies)
