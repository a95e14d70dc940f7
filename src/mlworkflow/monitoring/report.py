"""The report: what each window said, and the alarms that follow. Pure data, of which pages and words are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mlworkflow.monitoring.checks import Check

ORDER = (  # of the parts, what hurts most first
    *("health", "quality", "performance", "concept", "money", "calibration"),
    *("estimated", "outcomes", "predictions", "drift", "joint"),
)


@dataclass(frozen=True)
class Value:
    """A number of one window, and its interval where it has one."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Window:
    """One window.

    Attributes:
        label: as people call it: 2024-07, rows 801 to 1,600, july.csv.
        start: its first moment in ISO 8601; of a window of rows that of its first row; None where that is not known.
        end: the moment after it; None for a window of rows.
        complete: whether no more rows are to come; others are shown, and give no alarm.
        rows: that were predicted.
        labelled: rows whose outcome is known.
        numbers: name -> value over time, such as `drift/charges/psi` or `performance/roc_auc`: part/subject[/measure].
        checks: decided.
        notes: what could not be told, and why.
    """

    label: str
    start: str | None
    end: str | None
    complete: bool
    rows: int
    labelled: int
    numbers: Mapping[str, Value] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Alarm:
    """Something that is not as it was: from the first window that said so to the first that says it is over.

    Attributes:
        part: as of the checks.
        subject: as of the checks.
        since: the label of the first window.
        ended: the label of the window that said it was over; None while it lasts.
        check: the newest that was beyond its limit: the evidence.
        windows: how many windows it has lasted.
    """

    part: str
    subject: str
    since: str
    ended: str | None
    check: Check
    windows: int = 1

    @property
    def key(self) -> str:
        """What names it: part/subject."""
        return f"{self.part}/{self.subject}"


@dataclass(frozen=True)
class Report:
    """All that is known of one version in use.

    Attributes:
        problem: its name.
        version: of the bundle that is watched.
        windows: oldest first.
        alarms: that last or lasted, those that last first, by the ORDER of their parts, then by their weight.
        notes: what holds for the whole: rows of other versions, damage, unknown outcomes, assumptions.
        columns: name -> share of the model's importance, the most important first.
        promise: what the bundle says that the model does (bundling/promise.py); empty where it says nothing.
        challenger: the comparison with another model on the same rows; None where there is none.
        false_alarms: expected in 100 quiet windows.
        log: how the log fares: rows, outcomes, unknown, when the newest row was asked, lag (seconds since then), ...
    """

    problem: str
    version: str
    windows: Sequence[Window]
    alarms: Sequence[Alarm]
    notes: Sequence[str]
    columns: Mapping[str, float]
    promise: Mapping[str, Any]
    challenger: Mapping[str, Any] | None
    false_alarms: float
    log: Mapping[str, Any] = field(default_factory=dict)

    @property
    def open(self) -> list[Alarm]:
        """The alarms that last."""
        return [one for one in self.alarms if one.ended is None]

    def lasting(self) -> list[set[str]]:
        """Return for each window the keys of the alarms that last in it; none in one that still runs."""
        places = {window.label: at for at, window in enumerate(self.windows)}
        told: list[set[str]] = [set() for _ in self.windows]
        for alarm in self.alarms:
            end = len(self.windows) if alarm.ended is None else places.get(alarm.ended, 0)
            for at in range(places.get(alarm.since, 0), end):
                if self.windows[at].complete:
                    told[at].add(alarm.key)
        return told

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def alarms(windows: Sequence[Window]) -> list[Alarm]:
    """Return the alarms of complete windows, oldest window first in, lasting and what hurts most first out.

    One begins with a check that is an alarm, and lasts while that check is beyond its limit, alarm or not, so that it
    does not flicker; a window that could not ask the question does not end it.
    """
    lasting: dict[tuple[str, str], Alarm] = {}
    over: list[Alarm] = []
    for window in (one for one in windows if one.complete):
        for check in window.checks:
            known = lasting.get(check.key)
            if check.alarm and known is None:
                lasting[check.key] = Alarm(*check.key, window.label, None, check)
            elif known is not None and check.beyond:
                lasting[check.key] = Alarm(*check.key, known.since, None, check, known.windows + 1)
            elif known is not None:
                over.append(Alarm(*check.key, known.since, window.label, known.check, known.windows))
                del lasting[check.key]
    heaviest = sorted(lasting.values(), key=lambda one: (ORDER.index(one.part), -one.check.weight))
    return [*heaviest, *reversed(over)]
