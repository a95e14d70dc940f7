"""The hands of whoever is on duty: commands typed in the clone, and the server that runs beside."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mlworkflow.core.errors import ProjectError
from mlworkflow.core.processes import started, without

PATIENCE = 60.0  # seconds until a server is ready, or has taken up another version
IDLE = 2.0  # seconds after which a server may have closed a connection
AT_ONCE = 200  # rows a request
PERSON = {
    f"GIT_{role}_{what}": said
    for role in ("AUTHOR", "COMMITTER")
    for what, said in (("NAME", "On Duty"), ("EMAIL", "duty@example.com"))
}


class TourError(ProjectError):
    """A step of the tour ended as it must not."""


class Hands:
    """Types commands in a clone, and keeps what was typed."""

    def __init__(self, folder: Path, transcript: Path) -> None:
        self.folder, self.transcript = folder, transcript
        own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        self.env = {**without("GIT_", "DVC_"), **PERSON, "PATH": own, "PYTHONPATH": str(folder / "src")}

    def type(self, line: str, *more: str, allow: Sequence[int] = (0,)) -> tuple[int, str]:
        """Return (exit code, what it printed) of a command; `more` words are passed as they are.

        Raises:
            TourError: it ended with another exit code than those allowed.
        """
        words = [*shlex.split(line), *more]
        done = subprocess.run(
            words, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", check=False,
        )  # fmt: skip
        with self.transcript.open("a", encoding="utf-8") as file:
            file.write(f"$ {shlex.join(words)}\n{done.stdout}\n")
        if done.returncode not in allow:
            raise TourError(
                f"`{shlex.join(words)}` must end with exit code {' or '.join(map(str, allow))}, but ended with "
                f"{done.returncode}:\n{done.stdout[-2000:]}\nAll that was typed is in {self.transcript}."
            )
        return done.returncode, done.stdout

    def commit(self, message: str) -> None:
        """Commit all that changed, if anything did."""
        self.type("git add -A")
        self.type("git commit -q -m", message, allow=(0, 1))


class Server:
    """A running `mlworkflow serve`, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._asked = time.monotonic()

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the id of each row's prediction."""
        ids: list[str] = []
        for start in range(0, len(rows), AT_ONCE):
            said = self._ask("/predict", rows[start : start + AT_ONCE])
            ids += [one["id"] for one in said["predictions"]]
        return ids

    def feedback(self, ids: Sequence[str], outcomes: Sequence[str | None]) -> int:
        """Tell the outcomes that are known; return how many."""
        known = [(id, word) for id, word in zip(ids, outcomes, strict=True) if word is not None]
        for id, word in known:
            self._ask("/feedback", {"id": id, "outcome": word})
        return len(known)

    def wait_for(self, version: str) -> None:
        """Wait until it answers with a version. Raises TourError where it does not."""
        end = time.monotonic() + PATIENCE
        while self._ask("/model").get("version") != version:
            if time.monotonic() > end:
                raise TourError(f"the server must take up {version} within {PATIENCE:g} seconds, but did not.")
            time.sleep(0.2)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, path: str, body: Any = None) -> Any:
        if time.monotonic() - self._asked > IDLE:
            self._connection.close()  # the next request opens it anew
        self._asked = time.monotonic()
        headers = {"Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        self._connection.request("GET" if body is None else "POST", path, content, headers)
        answer = self._connection.getresponse()
        told = answer.read()
        if answer.status >= 400:
            raise TourError(f"the server answered {path} with {answer.status}: {told[:500].decode()}")
        return json.loads(told)


@contextmanager
def serving(hands: Hands) -> Iterator[Server]:
    """Yield a server of the stage prod on a free port of this machine; it ends with the block."""
    words = [sys.executable, "-m", "mlworkflow.cli", "serve", "--port", "0"]
    with started(words, hands.folder, hands.env, -1) as process:
        assert process.stdout is not None
        printed: list[str] = []
        for line in process.stdout:
            printed.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                threading.Thread(target=_drained, args=(process.stdout,), daemon=True).start()
                with closing(Server(int(found[1]))) as server:
                    yield server
                return
        raise TourError(f"`mlworkflow serve` must start, but ended:\n{''.join(printed)}")


def _drained(printed: IO[str]) -> None:
    """Read what a server prints until it ends, that its pipe never fills."""
    with suppress(OSError, ValueError):
        while printed.readline():
            pass
