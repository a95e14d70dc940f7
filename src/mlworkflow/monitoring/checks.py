"""Checks: what one window is asked, and which answers are alarms, at a known rate of false ones.

Two things make an alarm: an effect beyond its limit, and, where chance could make it so, a test that chance does not
pass. The tests of one window are corrected together by Holm's method (1979). Between windows nothing is carried over:
`false_alarms` is how many are expected in 100 windows of nothing, all checks together, so that a window's level is a
hundredth of it (Bonferroni over the windows; it bounds the expected number of false alarms, the per-family error rate).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isnan
from typing import Literal

Part = Literal[
    "quality", "drift", "joint", "predictions", "outcomes", "performance", "estimated", "concept", "calibration",
    "money", "health",
]  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One question asked of one window, and its answer.

    Attributes:
        part: what it is about.
        subject: of what in it: a column, a metric, `rows`, ...; with the part it names an alarm.
        value: the effect, in the unit that `words` says; None where it cannot be told.
        usual: what it was in the reference.
        limit: how far it may be.
        beyond: whether the effect is beyond its limit.
        p: the chance of as much by chance; None where chance cannot make it.
        words: one sentence: what was found, in which direction, against what.
        rows: how many it rests on.
        weight: how much it matters beside the others of its part, 0 to 1.
        alarm: whether it is one; `decide` says so.
    """

    part: Part
    subject: str
    value: float | None
    usual: float | None
    limit: float | None
    beyond: bool
    p: float | None
    words: str
    rows: int
    weight: float = 1.0
    alarm: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What names its alarm."""
        return self.part, self.subject


def decide(checks: Iterable[Check], false_alarms: float) -> list[Check]:
    """Return the checks with `alarm` decided: beyond the limit, and rejected by Holm's method or in no need of a test.

    Args:
        checks: all of one window.
        false_alarms: how many are expected in 100 windows of nothing.
    """
    asked = [*checks]
    tested = sorted((place for place, one in enumerate(asked) if one.p is not None), key=lambda place: _p(asked[place]))
    rejected = set[int]()
    for rank, place in enumerate(tested):
        if _p(asked[place]) > false_alarms / 100 / (len(tested) - rank):
            break
        rejected.add(place)
    return [replace(one, alarm=one.beyond and (one.p is None or place in rejected)) for place, one in enumerate(asked)]


def _p(check: Check) -> float:
    return 1.0 if check.p is None or isnan(check.p) else check.p
