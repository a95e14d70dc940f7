"""What to do about an alarm. A new model is no answer to a service that is down, nor to a source that is broken."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mlworkflow.monitoring.report import Alarm

SERVICE, SOURCE = "health", "quality"  # parts that no new model answers
LOOK = "mlworkflow log --last 20"


@dataclass(frozen=True)
class Step:
    """A command, and what it is for; no words where it speaks for itself."""

    command: str
    words: str = ""


def answered_by_a_model(part: str) -> bool:
    """Return whether retraining is the first thing to think of when this part of a report has an alarm."""
    return part not in (SERVICE, SOURCE)


def steps(alarm: Alarm, *, logged: bool = True) -> list[Step]:
    """Return what to type about one alarm, in this order.

    Args:
        alarm: that lasts.
        logged: whether the rows come from a server's log; else they are files, which people can look at themselves.
    """
    retrain = shlex.join(["mlworkflow", "retrain", "--because", alarm.key])
    if alarm.part == SERVICE:
        return [Step(LOOK, "No new model mends this. What did the service answer last?")]
    if alarm.part == SOURCE and not logged:
        return [Step(retrain, "If the source of these values is in order:")]
    if alarm.part == SOURCE:
        return [Step(LOOK, "Is the source of these values in order?"), Step(retrain, "If it is:")]
    return [Step(retrain)]


def next_steps(alarms: Sequence[Alarm]) -> list[Step]:
    """Return what to type about several alarms, the heaviest first: those of the source and the service come first."""
    order = sorted(alarms, key=lambda one: answered_by_a_model(one.part))  # stable
    first = [step for alarm in order[:1] for step in steps(alarm)]
    model = next((one for one in alarms if answered_by_a_model(one.part)), None)
    if model is None:
        return first
    return [step for step in first if step.command == LOOK] + steps(model)
