"""kill -9 of `mlworkflow monitor --watch` while a log is written: is an outcome lost, an alarm told under two ids?

Run `python -m bench.monitor_killed`. A writer adds predictions and outcomes of a bundle to a log, of which later weeks
have drifted in one column. The watcher is killed after a time drawn with a seed, and started again. In the end each
outcome must be known, as it was told, each row counted once, and each alarm sent under one id for each event.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from mlworkflow.api.command import version_of
from mlworkflow.recording.database import Database
from mlworkflow.recording.record import new_id
from mlworkflow.runtime import load
from mlworkflow.watch.state import State

ROOT = Path(__file__).parents[1]
WEEK = 7 * 86_400.0
WEEKS = 6
ROWS = 20  # rows at a time


class Receiver:
    """A webhook that now and then does not answer; what it took, by event."""

    def __init__(self) -> None:
        self.ids: dict[tuple[Any, ...], set[str]] = defaultdict(set)
        self.tries = 0

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Yield its address."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.tries += 1
                taken = receiver.tries % 3 != 0
                if taken:
                    receiver.ids[told["event"], told["alarm"], told["since"]].add(told["id"])
                self.send_response(204 if taken else 500)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            server.server_close()


class Writer:
    """Writes predictions and, later, their outcomes, until it is stopped."""

    def __init__(self, log: Path, bundle: Path) -> None:
        self.model, self.version, self.file = load(bundle), version_of(bundle), Database(log)
        self.told: dict[str, str] = {}
        self.rows, self.number = 0, 0
        self._draw = random.Random(0)
        self._late: list[str] = []

    def write(self, start: float) -> None:
        """Write some rows of the next week, and outcomes of rows before; the column that counts drifts in the end."""
        week = self.number % WEEKS
        usual = {one.name: one.usual for one in self.model.fields.all}
        high = {one.name: one.high for one in self.model.fields.all if one.kind == "number" and one.high is not None}
        row = {**usual, **({name: 3 * value + 1 for name, value in [*high.items()][:1]} if week >= WEEKS // 2 else {})}
        answer = json.dumps(self.model.predict([row])[0])
        ids = [new_id() for _ in range(ROWS)]
        when, text = start + WEEK * week, json.dumps(row)
        rows = [(id, when, self.version, "champion", None, text, answer, 1.0) for id in ids]
        classes = [str(name) for name in self.model.classes] or ["1"]
        outcomes = {id: self._draw.choice(classes) for id in self._late}
        self.file.write(rows, [(id, json.dumps(told), when) for id, told in outcomes.items()], [])
        self.told |= outcomes
        self._late, self.rows, self.number = ids, self.rows + ROWS, self.number + 1


def watcher(root: Path, address: str) -> subprocess.Popen[bytes]:
    """Return a running watcher."""
    command = [sys.executable, "-m", "mlworkflow.cli", "monitor", "--watch", "--every", "0.05", "--webhook", address]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen([*command, "--bundle", "models/bundle"], cwd=root, env=env, stdout=subprocess.DEVNULL)


def project(root: Path, bundle: Path) -> None:
    """Make what a watcher needs of a clone."""
    shutil.copytree(bundle, root / "models/bundle")
    shutil.copy(ROOT / "params.yaml", root)
    (root / "dvc.yaml").write_text("stages: {}\n")


def run(root: Path, kills: int) -> tuple[Writer, Receiver]:
    """Kill the watcher so many times while the log grows; let it look once more in peace."""
    receiver, draw = Receiver(), random.Random(1)
    writer = Writer(root / "data/predictions", root / "models/bundle")
    start = (time.time() // WEEK - WEEKS - 1) * WEEK
    with receiver.listening() as address:
        for number in range(1, kills + 1):
            process, seconds = watcher(root, address), draw.uniform(0.5, 4.0)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                writer.write(start)
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
            print(f"kill {number:>3} after {seconds:.2f} s: {writer.rows:,} rows, {len(writer.told):,} outcomes told")
        last = [sys.executable, "-m", "mlworkflow.cli", "monitor", "--bundle", "models/bundle", "--webhook", address]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        for _ in range(3):
            subprocess.run(last, cwd=root, env=env, stdout=subprocess.DEVNULL, check=False)
    writer.file.close()
    return writer, receiver


def main() -> int:
    """Return 1 where an outcome is lost, a row counted twice, or an event has two ids."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=ROOT / "models/bundle")
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        project(root, arguments.bundle)
        writer, receiver = run(root, arguments.kills)
        (path,) = (root / "data/monitoring").glob("*-*.sqlite")
        state = State(path)
        known = {one.id: one.truth for one in state.labelled("champion")}
        codes = {str(name): float(code) for code, name in enumerate(writer.model.classes)}
        wrong = [id for id, told in writer.told.items() if known.get(id) != codes.get(told, 1.0)]
        counted = state.progress.rows
        state.close()
    twice = {event: ids for event, ids in receiver.ids.items() if len(ids) > 1}
    print(f"{len(writer.told) - len(wrong):,} of {len(writer.told):,} outcomes are known as they were told")
    print(f"{counted:,} rows are counted, {writer.rows:,} were written")
    print(f"{len(receiver.ids)} events of alarms were sent, {len(twice)} of them under two ids")
    return int(bool(wrong or twice or counted != writer.rows or not receiver.ids))


if __name__ == "__main__":
    sys.exit(main())
