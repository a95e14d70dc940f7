"""kill -9 of the server under load: with `--log sync` every answered id is in the log: `python -m bench.serve_killed`.

Starts `mlworkflow serve` on 127.0.0.1 with two workers, asks it by eight connections, kills all its processes after a
time drawn with a seed, and looks for each id of a whole answer in the log. All rounds write one log. Beside it, once
the other way: `--log batched`, and how many seconds of answers a kill costs at most.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlworkflow.recording.reading import read
from mlworkflow.recording.record import time_of
from mlworkflow.runtime import load

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "models/bundle"
CONNECTIONS = 8
PATIENCE = 60.0  # seconds for a server to be ready


@dataclass
class Server:
    """A running `mlworkflow serve`, in a process group of its own."""

    process: subprocess.Popen[str]
    port: int

    def kill(self) -> None:
        """Kill all its processes, as a machine that dies would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def serving(root: Path, *options: object) -> Iterator[Server]:
    """Yield a server that answers; it is gone afterwards."""
    command = [sys.executable, "-m", "mlworkflow.cli", "serve", "--port", "0", *map(str, options)]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    server = Server(process, 0)
    try:
        assert process.stdout
        address = next((line for line in process.stdout if "POST http" in line), None)
        if address is None:
            sys.exit("the server did not start; what it said is above")
        server.port = int(address.split(":")[-1].split("/")[0])
        _await_ready(server)
        yield server
    finally:
        server.kill()
        if process.stdout:
            process.stdout.close()


def _await_ready(server: Server) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
            with contextlib.closing(connection):
                connection.request("GET", "/v2/health/ready")
                if connection.getresponse().status == 200:
                    return
        time.sleep(0.05)
    sys.exit(f"the server was not ready within {PATIENCE:g} seconds")


@dataclass
class Load:
    """Connections that ask for one row again and again until they are stopped or the server is gone."""

    port: int
    body: bytes
    ids: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)  # of the answers, as they came
    refused: list[int] = field(default_factory=list)  # other statuses than 200
    broken: list[str] = field(default_factory=list)  # requests without a whole answer
    stopped: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self, connections: int = CONNECTIONS, pause: float = 0.0) -> Iterator[Load]:
        """Ask while the block runs; `pause`: seconds between an answer and the next question."""
        threads = [threading.Thread(target=self._ask, args=(pause,), daemon=True) for _ in range(connections)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()

    def _ask(self, pause: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"content-type": "application/json"}
        try:
            while not self.stopped.is_set():
                connection.request("POST", "/predict", self.body, headers)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status == 200:
                    told = json.loads(content)
                    self.ids += [one["id"] for one in told["predictions"]]
                    self.versions.append(told["version"])
                else:
                    self.refused.append(answer.status)
                time.sleep(pause)
        except (OSError, http.client.HTTPException) as error:
            self.broken.append(repr(error))
        finally:
            connection.close()


def body_of(bundle: Path) -> bytes:
    """Return a request for one row of usual values."""
    return json.dumps({one.name: one.usual for one in load(bundle).fields.all}).encode()


@dataclass(frozen=True)
class Killed:
    """What a round came to."""

    seconds: float
    answered: list[str]
    missing: list[str]

    @property
    def lost(self) -> float:
        """Seconds between the oldest answer that is missing and the last answer."""
        if not self.missing:
            return 0.0
        times = [time_of(id) or 0.0 for id in (*self.missing, *self.answered)]
        return max(times) - min(time_of(id) or 0.0 for id in self.missing)


def killed(bundle: Path, log: Path, mode: str, seconds: float, workers: int = 2) -> Killed:
    """Serve, ask, kill after some seconds of load, and look into the log."""
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "dvc.yaml").write_text("stages: {}\n")
        options = ("--bundle", bundle.resolve(), "--workers", workers, "--log", mode, "--log-folder", log.resolve())
        with serving(Path(root), *options) as server, Load(server.port, body_of(bundle)).running() as asking:
            time.sleep(seconds)
            server.kill()
    there = {one.record.id for one in read(log)}
    return Killed(seconds, asking.ids, [id for id in asking.ids if id not in there])


def main() -> int:
    """Print a line a kill; return 1 where an answered id is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    draw, answered, missing = random.Random(0), 0, 0
    with tempfile.TemporaryDirectory() as log:
        for mode in ("sync", "batched"):
            print(f"--log {mode}\n{'kill':>6} {'after':>8} {'answered':>9} {'missing':>8} {'oldest missing':>15}")
            for number in range(1, arguments.kills + 1):
                found = killed(arguments.bundle, Path(log) / mode, mode, draw.uniform(0.2, 1.5))
                line = f"{number:>6} {found.seconds:>6.2f} s {len(found.answered):>9} {len(found.missing):>8}"
                print(line + (f" {found.lost:>13.2f} s" if found.missing else ""), flush=True)
                answered += len(found.answered) * (mode == "sync")
                missing += len(found.missing) * (mode == "sync")
    print(f"with sync {answered - missing} of {answered} answered ids are in the log")
    return int(missing > 0 or answered == 0)


if __name__ == "__main__":
    sys.exit(main())
