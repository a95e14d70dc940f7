"""How the service fares: rows, latencies, what was rejected or failed, and silence where there never was any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.report import Value
from mlworkflow.pages.templates import number, percent

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor

EDGES = np.logspace(-3, 6, 181)  # milliseconds: 20 bins a decade, so that a quantile is known to an eighth
QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
KNOWN = 5  # windows with rows, before silence is told from a service that has just begun
WEEK = 6 * 86_400.0  # seconds, from the first to the last row before
HOUR = 3_600.0
FALL = 0.2  # of the fewest rows that a window ever had
REJECTED = 0.05  # how far the share of rejected or failed requests may rise


@dataclass
class Health:
    """What is known of the requests of one window.

    Attributes:
        latencies: counts between EDGES.
        first, last: when the first and the last row were asked, in seconds since 1970; None without rows.
        counts: `rejected`, `failed` requests.
    """

    latencies: np.ndarray = field(default_factory=lambda: np.zeros(len(EDGES) + 1, dtype="int64"))
    first: float | None = None
    last: float | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, milliseconds: np.ndarray, times: np.ndarray) -> None:
        """Count (n,) rows."""
        self.latencies += np.bincount(np.searchsorted(EDGES, milliseconds), minlength=len(EDGES) + 1)
        if len(times):
            self.first = min(float(times.min()), float("inf") if self.first is None else self.first)
            self.last = max(float(times.max()), float("-inf") if self.last is None else self.last)

    @property
    def rows(self) -> int:
        """The rows that were answered."""
        return int(self.latencies.sum())

    @property
    def rate(self) -> float | None:
        """The rows an hour between the first and the last; None where these are one moment."""
        passed = 0.0 if self.first is None or self.last is None else self.last - self.first
        return (self.rows - 1) / passed * HOUR if passed > 0 else None

    def quantile(self, share: float) -> float | None:
        """Return the latency in milliseconds that a share of the rows stays under, None without rows."""
        if not self.rows:
            return None
        place = int(np.searchsorted(np.cumsum(self.latencies), share * self.rows))
        return float(EDGES[min(place, len(EDGES) - 1)])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        full = np.flatnonzero(self.latencies)
        told = {str(place): int(self.latencies[place]) for place in full.tolist()}
        return {"latencies": told, "first": self.first, "last": self.last}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Health:
        """Return what `to_dict` told."""
        made = cls(first=told["first"], last=told["last"])
        for place, count in told["latencies"].items():
            made.latencies[int(place)] = count
        return made


def numbers(health: Health) -> dict[str, Value]:
    """Return what is drawn over time."""
    told = {f"health/{name}": Value(health.quantile(share)) for name, share in QUANTILES.items()}
    counted = {f"health/{kind}": Value(float(health.counts.get(kind, 0))) for kind in ("rejected", "failed")}
    return {"health/rows": Value(float(health.rows)), "health/rate": Value(health.rate), **told, **counted}


def checks(health: Health, before: Sequence[Health], promise: Mapping[str, Any], settings: Monitor) -> list[Check]:
    """Return the checks of one window, given those before it, oldest first."""
    found = [_silence(health, before)]
    limit = (promise.get("limits") or {}).get("milliseconds")
    if limit is not None and health.rows >= settings.fewest_rows:
        found.append(_latency(health, float(limit)))
    found += [_risen(kind, health, before) for kind in ("rejected", "failed")]
    return [check for check in found if check is not None]


def _silence(health: Health, before: Sequence[Health]) -> Check | None:
    """No rows for longer than ever, or far fewer than ever; silence that came before is a habit.

    Nothing is said before a week has passed, since nights and weekends are habits too. The chance is that of a Poisson
    process as slow as in the emptiest window with rows.

    Measured by itself over 10,752 quiet windows of an hour each (8 runs of 8 weeks): no alarm where up to 40 rows an
    hour came by day and fewer by night, where 30 came in office hours alone, or 2 at all hours; 10 where one came in
    the hours around those of an office, 24 where 0.3 came an hour.
    """
    from scipy.special import pdtr  # of scipy.stats, which takes most of a second to import, nothing else is needed

    known = [one.rows for one in before]
    if sum(rows > 0 for rows in known) < KNOWN or _passed(before) < WEEK:
        return None
    fewest = min(rows for rows in known if rows)
    run, longest = _silent(known)
    now = run + 1 if not health.rows else 0
    beyond = now > longest or (0 < health.rows < FALL * fewest)
    p = float(pdtr(health.rows, fewest * max(now, 1)))
    words = (
        f"no rows came in {now} windows, and never before in more than {longest}: is the service down?"
        if not health.rows
        else f"{health.rows:,} rows came; of the windows before, the emptiest had {fewest:,}"
    ).replace("in 1 windows", "in 1 window")
    return Check("health", "rows", float(health.rows), float(fewest), FALL * fewest, beyond, p, words, health.rows)


def _passed(windows: Sequence[Health]) -> float:
    """Return the seconds between the first and the last row of windows."""
    starts = [one.first for one in windows if one.first is not None]
    ends = [one.last for one in windows if one.last is not None]
    return max(ends) - min(starts) if starts and ends else 0.0


def _silent(known: Sequence[int]) -> tuple[int, int]:
    """Return (windows without rows at the end, the most in a row before, between windows with rows)."""
    runs, run = [0], 0
    for rows in known:
        if rows:
            runs.append(run)
            run = 0
        else:
            run += 1
    return run, max(runs)


def _latency(health: Health, limit: float) -> Check:
    p95 = health.quantile(0.95) or 0.0
    words = f"95% of the rows are answered within {number(p95)} ms; the problem allows {number(limit)} ms"
    return Check("health", "latency", p95, None, limit, p95 > limit, None, words, health.rows)


def _risen(kind: str, health: Health, before: Sequence[Health]) -> Check | None:
    """The share of rejected or failed requests, beside that of the windows before."""
    bad, rows = health.counts.get(kind, 0), health.rows
    bad_before, rows_before = sum(one.counts.get(kind, 0) for one in before), sum(one.rows for one in before)
    if not bad + rows or not rows_before:
        return None
    share, usual = bad / (bad + rows), bad_before / (bad_before + rows_before)
    p = _more(bad, bad + rows, bad_before, rows_before) if bad else 1.0
    what = "was rejected" if kind == "rejected" else "failed"
    words = f"{percent(share)} of what was asked {what}; before, {percent(usual)}"
    return Check("health", kind, share, usual, usual + REJECTED, share > usual + REJECTED, p, words, bad + rows)


def _more(bad: int, asked: int, bad_before: int, good_before: int) -> float:
    """Return the chance of so many bad requests or more, given those before: the beta-binomial distribution."""
    from scipy.stats import betabinom

    return float(betabinom.sf(bad - 1, asked, bad_before + 0.5, good_before + 0.5))
