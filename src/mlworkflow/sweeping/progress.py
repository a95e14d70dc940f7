"""How far a sweep is: a bar on a terminal, with the best so far and the time left; plain lines without one."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from mlworkflow.measures.metrics import gain
from mlworkflow.summary import number


class Progress:
    """Counts experiments as they end."""

    def __init__(self, sweep: str, metric: str, total: int, done: int, *, live: bool | None = None) -> None:
        from tqdm import tqdm

        self.sweep, self.metric, self.total, self.done = sweep, metric, total, done
        self.live = sys.stderr.isatty() if live is None else live
        self.began, self.first, self.told = time.monotonic(), done, set[str]()
        self.top: tuple[float, str] | None = None
        self.bar = tqdm(
            total=total, initial=done, desc=f"sweep {sweep}", unit="experiment", disable=not self.live, smoothing=0
        )

    def ended(self, label: str, value: float | None, cause: str = "") -> None:
        """Note that an experiment has ended, with the primary metric or the cause of its failure."""
        self.done += 1
        if value is not None and (self.top is None or gain(self.metric, value, self.top[0]) > 0):
            self.top = (value, label)
        said = f"failed: {cause}" if cause else f"{self.metric} {number(value)}"
        self.say(f"sweep {self.sweep}: {self.done} of {self.total}, {label}: {said}; {self._best()}{self._left()}")
        self.bar.set_postfix_str(self._best(), refresh=False)
        self.bar.update()

    def now(self, running: Mapping[str, str]) -> None:
        """Show what runs, {experiment: its stage}; on no terminal, tell what has begun, without the stages."""
        if self.live:
            self.bar.set_postfix_str("; ".join([self._best(), *(f"{label} {running[label]}" for label in running)]))
        for label in [label for label in running if label not in self.told]:
            self.told.add(label)
            if not self.live:
                self.say(f"sweep {self.sweep}: {label} has begun")

    def say(self, line: str) -> None:
        """Print a line, above the bar where there is one."""
        if self.live:
            self.bar.write(line)
        else:
            print(line, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        self.bar.close()

    def _best(self) -> str:
        return f"best so far {self.top[1]} {number(self.top[0])}" if self.top else "none finished so far"

    def _left(self) -> str:
        """Return the time that the rest takes, at the pace of this run."""
        pace = (time.monotonic() - self.began) / max(self.done - self.first, 1)
        seconds = pace * (self.total - self.done)
        return f"; about {max(round(seconds / 60), 1)} min left" if self.total > self.done else ""
