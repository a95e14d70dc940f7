"""Runs what a sweep wants in DVC's queue and waits for it; begun again after any end, it goes on where it was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from mlworkflow.core.alone import alone as one_at_a_time
from mlworkflow.sweeping.board import Failure
from mlworkflow.sweeping.plan import PREFIX, Experiment, SweepError
from mlworkflow.sweeping.queue import Queue, cause

LOCK = Path(".dvc/tmp/sweep/lock")
TICK, LOOK = 1.0, 10.0  # seconds between looks at Git, and at DVC's queue, which takes a second of a core
MOST_TIMES = 3  # that a task is begun whose worker is killed each time

Ended = Callable[[Experiment, str | None, str], None]  # (what, its commit, why it failed)


def alone(root: Path) -> AbstractContextManager[None]:
    """Hold the repository for one sweep at a time; entering raises SweepError where another runs."""
    words = "one sweep runs in a repository at a time, and another runs here. Wait for its end, or stop it."
    return one_at_a_time(root / LOCK, SweepError(words))


def finished(queue: Queue, commit: str) -> dict[str, tuple[str, str]]:
    """Return {digest: (name, commit)} of the finished experiments of any sweep that started from a commit."""
    found = queue.done(commit)
    return {name.rpartition("-")[2]: (name, sha) for name, sha in found.items() if name.startswith(f"{PREFIX}-")}


class Runner:
    """Brings experiments to their end: finished, or failed with a cause."""

    def __init__(self, queue: Queue, commit: str, jobs: int, ended: Ended) -> None:
        self.queue, self.commit, self.jobs, self.ended = queue, commit, jobs, ended
        self.waiting: dict[str, Experiment] = {}
        self.failed: dict[str, Failure] = {}
        self.lost: Counter[str] = Counter()
        self.suspects: set[str] = set()

    def run(self, wanted: Sequence[Experiment], now: Callable[[Mapping[str, str]], None]) -> dict[str, Failure]:
        """Queue, start and wait; return {name: why it failed}. An interrupt ends what was begun."""
        self.waiting = {one.name: one for one in wanted}
        try:
            self._queue_up()
            self._wait(now)
        except KeyboardInterrupt:
            self._stop()
            raise
        return self.failed

    def _queue_up(self) -> None:
        """Queue what is not in the queue, and anew what failed before or whose worker is gone."""
        before = self.queue.tasks()
        lost = self._abandoned(before) if self.queue.workers() == 0 else set()
        for name, experiment in self.waiting.items():
            if name in lost or before.get(name) in ("Failed", "Success"):
                self._clear(name, before[name])
            if name in lost or before.get(name) not in ("Queued", "Running"):
                self.queue.add(experiment)

    def _abandoned(self, tasks: Mapping[str, str]) -> set[str]:
        """Return those of ours that DVC says are running, though no process does."""
        running = [name for name in self.waiting if tasks.get(name) == "Running"]
        return {name for name in running if (run := self.queue.run_of(name)) is None or not run.alive}

    def _clear(self, name: str, status: str) -> None:
        if status == "Running":
            self.queue.say(f"{name}: its worker was killed; it is queued anew")
            self.queue.clear(name)
        else:
            self.queue.forget([name])

    def _wait(self, now: Callable[[Mapping[str, str]], None]) -> None:
        looked, running = 0.0, dict[str, str]()
        while self._collect():
            before, running = running, self._running()
            silent = {one.label for one in self.waiting.values()} & set(before) - set(running)  # ended, but not in Git
            if silent or time.monotonic() - looked > LOOK:
                self._look()
                looked = time.monotonic()
            now(running)
            time.sleep(TICK)

    def _collect(self) -> bool:
        """Tell what has finished since; return whether something is still to come."""
        done = self.queue.done(self.commit)
        for name in [name for name in self.waiting if name in done]:
            self.ended(self.waiting.pop(name), done[name], "")
        return bool(self.waiting)

    def _look(self) -> None:
        """Ask DVC's queue for what Git does not show: failures, killed workers, a queue that nobody works on."""
        tasks, workers = self.queue.tasks(), self.queue.workers()
        if not self._collect():  # what ended while DVC was asked
            return
        for name in [name for name in self.waiting if tasks.get(name) == "Failed"]:
            self._fail(name, self._cause(name))
        gone = {name for name in self.waiting if tasks.get(name) in (None, "Success")}
        if sum(status == "Running" for status in tasks.values()) > workers:
            gone |= self._abandoned(tasks)
        sure = gone & self.suspects  # twice in a row, as a task is in no list while it changes from one to another
        for name in sorted(sure):
            self._again(name, tasks.get(name))
        self.suspects = gone - sure
        if self.waiting and workers < min(self.jobs, len(self.waiting)) and "Queued" in tasks.values():
            self.queue.start(self.jobs)

    def _again(self, name: str, status: str | None) -> None:
        """Queue a task anew whose worker was killed, or whose result was not kept; give up after a few times."""
        self.lost[name] += 1
        if self.lost[name] >= MOST_TIMES:
            self._fail(name, f"its worker was killed {MOST_TIMES} times")
        elif status is None:
            self._fail(name, "it was taken out of DVC's queue")
        else:
            self._clear(name, status)
            self.queue.add(self.waiting[name])
            self.queue.start(self.jobs)

    def _fail(self, name: str, why: str) -> None:
        self.failed[name] = Failure(why)
        self.ended(self.waiting.pop(name), None, why)

    def _cause(self, name: str) -> str:
        run = self.queue.run_of(name)
        return cause(run.text) if run is not None and run.text else "it ended before its first stage (dvc queue logs)"

    def _running(self) -> dict[str, str]:
        """Return {experiment: the stage that it is in} of what runs."""
        runs = {one.label: run for name, one in self.waiting.items() if (run := self.queue.run_of(name)) is not None}
        return {label: run.stage for label, run in runs.items() if run.alive}

    def _stop(self) -> None:
        """Take what waits out of the queue and end what runs; what has finished stays."""
        tasks = self.queue.tasks()
        ours = {name: tasks[name] for name in self.waiting if name in tasks}
        self.queue.forget([name for name, status in ours.items() if status == "Queued"])
        self.queue.kill([name for name, status in ours.items() if status == "Running"])
