"""The windows of a log: which one a moment or a row belongs to, what people call it, when it is over. All in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

SECONDS = {"hour": 3_600, "day": 86_400, "week": 604_800}
MONDAY = 4 * 86_400  # the first Monday after 1970 began, in seconds


@dataclass(frozen=True)
class Span:
    """One window: its number, label, first moment and the moment after it (None: it has none)."""

    number: int
    label: str
    start: float | None
    end: float | None

    @property
    def written(self) -> tuple[str | None, str | None]:
        """The two moments in ISO 8601."""
        return written(self.start), written(self.end)


def rows_of(window: str) -> int | None:
    """Return how many rows a window has, None where it is one of time."""
    found = re.fullmatch(r"(\d+) rows", window)
    return int(found[1]) if found else None


def numbers_of(window: str, moments: np.ndarray) -> np.ndarray:
    """Return the (n,) numbers of the windows of time that (n,) seconds since 1970 belong to; they grow with time."""
    if window == "month":
        months = np.floor(moments).astype("datetime64[s]").astype("datetime64[M]").astype("int64")
        return np.asarray(12 * 1970 + months)
    length = _seconds(window)
    return np.asarray((moments - _offset(length)) // length).astype("int64")


def number_of(window: str, moment: float) -> int:
    """Return the number of the window of time that a moment belongs to."""
    return int(numbers_of(window, np.array([moment]))[0])


def span(window: str, number: int) -> Span:
    """Return a window by its number; of rows, the first one is 0."""
    if (rows := rows_of(window)) is not None:
        return Span(number, f"rows {number * rows + 1:,} to {(number + 1) * rows:,}", None, None)
    if window == "month":
        start, end = (datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC).timestamp() for n in (number, number + 1))
        return Span(number, _label(window, start), start, end)
    length = _seconds(window)
    start = number * length + _offset(length)
    return Span(number, _label(window, start), start, start + length)


def _seconds(window: str) -> int:
    if window in SECONDS:
        return SECONDS[window]
    count, unit = window.split()
    return int(count) * SECONDS[unit.removesuffix("s")]


def _offset(length: int) -> int:
    """Return where windows begin: weeks on Mondays, others at a multiple of their length since 1970."""
    return MONDAY if length % SECONDS["week"] == 0 else 0


def _label(window: str, start: float) -> str:
    date = datetime.fromtimestamp(start, UTC)
    if window == "month":
        return f"{date:%Y-%m}"
    if window == "week":
        return f"week of {date:%Y-%m-%d}"
    return (
        f"{date:%Y-%m-%d}" if date.time() == datetime.min.time() and "hour" not in window else f"{date:%Y-%m-%d %H:%M}"
    )


def written(moment: float | None) -> str | None:
    """Return seconds since 1970 in ISO 8601, with milliseconds where it is no whole second."""
    if moment is None:
        return None
    date = datetime(1970, 1, 1) + timedelta(seconds=moment)
    return f"{date.isoformat(timespec='seconds' if float(moment).is_integer() else 'milliseconds')}Z"
