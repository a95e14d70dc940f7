"""What came of a window's rows, and what is to be expected where nothing came yet: all that outcomes are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.monitoring import calibration, concept, confidence, money, performance
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.columns import outcome_check
from mlworkflow.monitoring.report import Value

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.measures.expected import Confidence
    from mlworkflow.measures.metrics import Scored
    from mlworkflow.monitoring.watched import Reference


@dataclass(frozen=True)
class Told:
    """Numbers, checks that are not decided yet, and what could not be told."""

    numbers: dict[str, Value]
    checks: list[Check]
    notes: list[str]


def judged(reference: Reference, said: Confidence | None, scored: Scored | None, settings: Monitor) -> Told:
    """Return what outcomes say of one window, and what its probabilities alone let expect."""
    if reference.task == "clustering" or not reference.promise.get("metrics"):
        return Told({}, [], [])
    told = Told({}, [], [])
    _add_estimates(told, reference, said, settings)
    if scored is not None and len(scored):
        _add_measured(told, reference, scored, settings)
    return told


def _add_estimates(told: Told, reference: Reference, said: Confidence | None, settings: Monitor) -> None:
    promise = reference.promise
    if said is not None and not said.rows:
        return  # an empty window is told by its rows
    if why := confidence.unanswered(said, promise, settings):
        told.notes.append(why)
    elif said is not None:
        told.numbers.update(confidence.estimates(said, promise))
        told.checks.extend(confidence.checks(said, promise, settings))


def _add_measured(told: Told, reference: Reference, scored: Scored, settings: Monitor) -> None:
    promise = reference.promise
    measured = performance.measured(scored, promise)
    told.numbers.update({**measured, **calibration.measured(scored, promise), **money.measured(scored, promise)})
    told.checks.extend(performance.checks(scored, promise, settings, measured))
    told.checks.extend([*calibration.checks(scored, promise, settings), *money.checks(scored, promise, settings)])
    for part in (performance, calibration, money):
        if (why := part.unanswered(scored, promise, settings)) and why not in told.notes:
            told.notes.append(why)
    if len(scored) < settings.fewest_rows:
        return
    if reference.classes and reference.profile.get("target"):
        counts = np.bincount(scored.truth, minlength=len(reference.classes)).tolist()
        shares = dict(zip(reference.classes, counts, strict=True))
        told.numbers.update({f"outcomes/{name}": Value(count / len(scored)) for name, count in shares.items()})
        if (check := outcome_check(reference.profile["target"], shares, settings)) is not None:
            told.checks.append(check)


def followed(
    scored: Sequence[Scored | None], labels: Sequence[str], reference: Reference, settings: Monitor
) -> list[Told]:
    """Return what the stream of losses says at the end of each window.

    Args:
        scored: of each window, in order, the rows whose outcome is known.
        labels: of the windows.
        reference: of the bundle.
        settings: how many false alarms there may be.
    """
    detector = concept.Detector.start(reference.promise)
    counts = [len(one) for one in scored if one is not None]
    usual = float(np.median(counts)) if counts else 1.0
    told = []
    for one, label in zip(scored, labels, strict=True):
        if detector is not None and one is not None:
            detector = detector.add(concept.stream(one, reference.promise), [label] * len(one))
        numbers = concept.numbers(detector, usual, settings) if detector is not None else {}
        told.append(Told(numbers, concept.checks(detector, usual, settings) if one is not None else [], []))
    return told
