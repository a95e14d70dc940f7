"""Has what the model learnt stopped being true? Change detection on the losses, in the order in which outcomes came.

An e-detector of the Shiryaev-Roberts kind (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for
sequential change detection", 2024). Of each bet b it keeps

    M <- (M + 1) * (1 + b * (loss - mu))

and the evidence is the mean of M over a few bets. The losses (`stream`) are in 0 to 1. mu is more than they usually
are: the mean on the test rows, two standard errors of it, and a tenth of a unit (see measures/losses.py). While the
mean of a loss, given those before, is at most mu, whatever else they are like, c rows or more pass on average until the
evidence reaches c. That is the rate of false alarms, without any assumption on the distribution.

The evidence is therefore no p-value: M grows like the number of rows where nothing happens, and Markov's inequality
bounds the time to an alarm, not the chance in a window. So the check has a threshold of its own and no p: rows of a
window times the windows to a false alarm, for a tenth of the rate that is allowed to all checks together. It comes on
top of what the tests of the window use up, so the whole has at most 1.1 times `false_alarms`.

Measured with two classes of normal scores whose probabilities are true, in windows of 500 rows, with the default of 0.5
false alarms in 100 windows (one by this check in 2,000 windows is allowed), a new reference each time: no alarm in
32,000 quiet windows with references of 1,000 rows, nor with ones of 4,000. Where the odds of all rows were 2.7 times as
high for 400 windows on end, outcomes following them, a reference of 1,000 rows gave an alarm in 2 of 80 runs, one of
4,000 in none: few rows fix the recalibration badly. How many rows it took from a change, after which the outcomes of a
share of the rows have nothing to do with their probabilities, is the median of 40 runs (a reference of 4,000 rows; -:
more than 20,000 rows):

    roc_auc  positive  all    3 in 4  half    3 in 10
    0.75     5%        1,150  2,850   18,400  -
    0.75     20%       300    525     1,475   11,575
    0.75     50%       200    350     725     3,475
    0.95     20%       100    150     350     1,300
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.losses import SURPRISE, losses
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.report import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.core.params import Monitor
    from mlworkflow.measures.metrics import Scored

    Array = NDArray[Any]

ERRORS = 2.0  # standard errors of the reference, by which mu is above its mean
TOLERANCE = 0.1  # units by which it is above that: a tenth of what the probabilities tell may be lost
SHIFTS = (0.05, 0.1, 0.2, 0.4, 0.8)  # rises of the mean, in standard deviations, for which there is a bet each
BOLDEST = 0.9  # of the largest bet, with which a single loss of 0 could lose everything
SHARE = 0.1  # of the false alarms of a window: as many come on top by this check
HIGHEST = 35.0  # evidence is kept below e^35, so that it can fall again when the losses do
SLACK = 25  # rows by which the place of a change is commonly taken too early; it is named by the row after them
CHUNK = 128  # rows after which it is held below that, counted from the start: how rows are handed over does not matter


def stream(scored: Scored, promise: Mapping[str, Any]) -> Array:
    """Return the (n,) losses that a detector takes."""
    return losses(scored, promise["concept"])


@dataclass(frozen=True)
class Detector:
    """What is known of the losses so far; state that fits into JSON.

    Attributes:
        name: of the loss.
        usual: the mean loss on the reference.
        unit: in which a rise of it is told.
        mu: what the mean loss may be.
        bets: b of each bet.
        evidence: log M of each bet.
        rise: how far the log of the product of each bet is above its lowest place since.
        since: where that place was, as `at` says it of the row SLACK rows after; None: of a row to come.
        losses: the sum of the losses after that place.
        after: how many rows came after it.
        rows: how many in all.
    """

    name: str
    usual: float
    unit: float
    mu: float
    bets: tuple[float, ...]
    evidence: tuple[float, ...]
    rise: tuple[float, ...]
    since: tuple[Any, ...]
    losses: tuple[float, ...]
    after: tuple[int, ...]
    rows: int = 0

    @classmethod
    def start(cls, promise: Mapping[str, Any]) -> Detector | None:
        """Return the detector before the first row; None where the bundle promises no loss."""
        loss = promise.get("concept")
        if not loss:
            return None
        rows, mean, unit = promise["rows"], float(loss["mean"]), float(loss["unit"])
        error = max(float(loss["std"]) / float(np.sqrt(rows)), 1 / rows)  # no loss in n rows: up to 3 / n
        mu = min(mean + TOLERANCE * unit + ERRORS * error, 0.99)
        std = max(float(loss["std"]), 0.1 * mu)
        rises = np.array(SHIFTS) * std
        bets = tuple(np.minimum(rises / (std**2 + rises**2), BOLDEST / mu).tolist())
        none, empty = (0.0,) * len(bets), (-np.inf,) * len(bets)
        return cls(loss["name"], mean, unit, mu, bets, empty, none, (None,) * len(bets), none, (0,) * len(bets))

    def add(self, losses: Array, at: Sequence[Any] | Array) -> Detector:
        """Return the detector after more losses.

        Args:
            losses: (n,) in 0 to 1, in the order in which outcomes came.
            at: (n,) where each is, as people call it: a time, a window, a number.
        """
        state, start = self, 0
        values = np.clip(np.asarray(losses, dtype=float), 0.0, 1.0)
        while start < len(values):
            end = start + CHUNK - state.rows % CHUNK
            state = state._chunk(values[start:end], at[start:end])
            start = end
        return state

    def _chunk(self, losses: Array, at: Sequence[Any] | Array) -> Detector:
        """Take in rows of one chunk; after a whole one evidence is held below its highest."""
        steps = np.log1p(np.array(self.bets)[:, None] * (losses - self.mu))
        path = np.concatenate([np.zeros((len(steps), 1)), steps.cumsum(axis=1)], axis=1)
        rows = self.rows + len(losses)
        held = HIGHEST if rows % CHUNK == 0 else np.inf
        terms = np.concatenate([np.array(self.evidence)[:, None], -path[:, :-1]], axis=1)
        evidence = np.minimum(path[:, -1] + _log_sum(terms), held)
        above = path + np.array(self.rise)[:, None]
        rise = np.minimum(above[:, -1] - np.minimum(above.min(axis=1), 0.0), held)
        after = replace(self, evidence=tuple(evidence.tolist()), rise=tuple(rise.tolist()), rows=rows)
        return after._placed(above, losses, at)

    def _placed(self, above: Array, losses: Array, at: Sequence[Any] | Array) -> Detector:
        """Find out after which row each product was at its lowest, from how far it was above the lowest before."""
        sums, count = np.concatenate([[0.0], losses.cumsum()]), len(losses)
        lasts = (count - np.argmin(above[:, ::-1], axis=1)).tolist()  # the last of several that are lowest
        moved = (above.min(axis=1) <= 0).tolist()
        told = []
        for bet, (last, new) in enumerate(zip(lasts, moved, strict=True)):
            first = last if new else -self.after[bet]
            total = float(sums[-1] - sums[max(first, 0)]) + (0.0 if new else self.losses[bet])
            known = None if new else self.since[bet]
            told.append((_at(at, first) if known is None else known, total, count - first))
        since, total_of, after = zip(*told, strict=True)
        return replace(self, since=since, losses=total_of, after=after)

    @property
    def log_evidence(self) -> float:
        """The log of the evidence that the mean loss has risen above `mu`."""
        return float(_log_sum(np.array(self.evidence)[None, :])[0] - np.log(len(self.bets)))

    @property
    def leading(self) -> int:
        """Which bet won most."""
        return int(np.argmax(self.evidence))

    @property
    def changed(self) -> Any:
        """Where the change likely began, if there is one: by maximum likelihood for the bet that won most."""
        return self.since[self.leading]

    @property
    def rise_since(self) -> float | None:
        """How far the mean loss is above the usual from there on, in units; None without rows."""
        after = self.after[self.leading]
        return (self.losses[self.leading] / after - self.usual) / (self.unit or 1.0) if after else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON; evidence of no rows, minus infinity, is None."""
        return {**asdict(self), "evidence": [None if np.isinf(one) else one for one in self.evidence]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Detector:
        """Return the detector that `to_dict` stored."""
        lists = {key: tuple(value) for key, value in stored.items() if isinstance(value, (list, tuple))}
        evidence = tuple(-np.inf if one is None else float(one) for one in stored["evidence"])
        return cls(**{**stored, **lists, "evidence": evidence})


def threshold(rows_in_window: float, settings: Monitor) -> float:
    """Return the log of the evidence that is an alarm: that many rows pass on average until a false one, or more."""
    windows = 100 / (settings.false_alarms * SHARE)
    return float(np.log(max(rows_in_window, 1.0) * windows))


def numbers(detector: Detector, rows_in_window: float, settings: Monitor) -> dict[str, Value]:
    """Return `concept/evidence` as a share of what is needed, on a log scale: 1 is an alarm."""
    if not detector.rows:
        return {}
    return {"concept/evidence": Value(max(detector.log_evidence, 0.0) / threshold(rows_in_window, settings))}


def checks(detector: Detector | None, rows_in_window: float, settings: Monitor) -> list[Check]:
    """Return the check of the losses; none without rows.

    Args:
        detector: after the rows of the window.
        rows_in_window: how many outcomes a window has, usually.
        settings: how many false alarms there may be.
    """
    if detector is None or not detector.rows:
        return []
    found, needed = detector.log_evidence, threshold(rows_in_window, settings)
    limit, beyond = (detector.mu - detector.usual) / (detector.unit or 1.0), found > needed
    against = f"evidence {_power(found)}, an alarm from {_power(needed)} on"
    words = f"{_what(detector)} ({against})" if beyond else f"what the model learnt still holds ({against})"
    return [Check("concept", "loss", detector.rise_since, 0.0, limit, beyond, None, words, detector.rows)]


def _what(detector: Detector) -> str:
    rows, rise = detector.after[detector.leading], detector.rise_since or 0.0
    since = "lately" if detector.changed is None else f"likely from {detector.changed} on"
    start = f"what the model learnt has stopped being true, {since}: on {rows:,} rows since"
    if detector.name == SURPRISE:
        return f"{start}, its probabilities tell {rise:.0%} less of the outcomes than promised"
    return f"{start}, the mean loss ({detector.name}) is {rise:.0%} higher than promised"


def _power(log: float) -> str:
    return f"10^{log / np.log(10):.1f}"


def _at(at: Sequence[Any] | Array, place: int) -> Any:
    """Return where the row SLACK rows after a place is, as plain JSON; None for a row to come."""
    if place + SLACK >= len(at):
        return None
    found = at[place + SLACK]
    return found.item() if isinstance(found, np.generic) else found


def _log_sum(logs: Array) -> Array:
    """Return the log of the sum of e^logs over the last axis."""
    highest = logs.max(axis=-1, keepdims=True)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(logs - highest).sum(axis=-1)) + highest[..., 0])
