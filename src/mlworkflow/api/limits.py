"""How much a client may ask for."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a request may cost; the defaults suit rows of a table."""

    body: int = 10_000_000  # bytes
    rows: int = 10_000  # of a request
    head_seconds: float = 5.0  # in which the head of a request must be there
    body_seconds: float = 10.0  # and its body
    seconds: float = 30.0  # that scoring may take
    waiting: int = 64  # requests of a worker that wait for scoring beside the event loop
    active: int = 512  # requests of a worker at a time
    rate: float = 1000.0  # requests a second of a key, over all workers; 0: no limit


class Bucket:
    """A token bucket for each key: `rate` requests a second, and a second's worth at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, key: str) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        most = max(self._rate, 1.0)
        left, then = self._left.get(key, (most, now))
        left = min(most, left + (now - then) * self._rate)
        if left < 1:
            self._left[key] = (left, now)
            return (1 - left) / self._rate
        self._left[key] = (left - 1, now)
        return 0.0
