"""What is known of a version, put together: the report of its windows, from the state alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring import challenger, outcomes
from mlworkflow.monitoring import health as services
from mlworkflow.monitoring.checks import Check, decide
from mlworkflow.monitoring.money import valued
from mlworkflow.monitoring.report import Report, Value, Window, alarms
from mlworkflow.monitoring.watched import Judged, Watched, judged, ranked
from mlworkflow.watch.spans import Span, number_of, rows_of, span, written

if TYPE_CHECKING:
    from mlworkflow.monitoring.health import Health
    from mlworkflow.watch.follow import Follower
    from mlworkflow.watch.state import Labelled

LAST = 60  # windows that are reported
MOST = 3_000  # windows that are looked at, empty ones too
MINUTE = 60.0
HABITS = 28 * 86_400.0  # seconds


@dataclass(frozen=True)
class Seen:
    """One window, half judged."""

    span: Span
    complete: bool
    watched: Watched
    scored: Scored | None
    judged: Judged


def report(follower: Follower, last: int = LAST) -> Report:
    """Return what is known of the version that a follower follows.

    Args:
        follower: whose state is looked at; nothing of the log is read but its counts.
        last: how many windows are reported, the newest.
    """
    older, numbers = _far_back(follower, max(last, LAST))  # what lasts must not depend on how much is shown
    seen = list(_seen(follower, numbers))
    labels = [one.span.label for one in seen]
    stream = outcomes.followed([one.scored for one in seen], labels, follower.reference, follower.settings)
    windows: list[Window] = []
    before = [_watched(follower, number).health for number in older]
    for one, losses in zip(seen, stream, strict=True):
        windows.append(_window(one, before, losses, follower))
        before.append(one.watched.health)
    progress = follower.state.progress
    return Report(
        problem=follower.model.name,
        version=follower.version,
        windows=windows[-last:],
        alarms=alarms(windows),
        notes=_notes(follower),
        columns=ranked(follower.reference.profile),
        promise=follower.reference.promise,
        challenger=challenged(follower),
        false_alarms=follower.settings.false_alarms,
        log={
            "window": follower.settings.window,
            "clock": "log" if rows_of(follower.settings.window) else follower.settings.clock,
            "rows": progress.rows,
            "labelled": sum(window.labelled for window in windows),
            "unknown": follower.state.unknown,
            "newest": progress.newest or None,
            "lag": max(follower.now - progress.newest, 0.0) if progress.newest else None,
            "counts": dict(progress.counts or {}),
        },
    )


def _seen(follower: Follower, numbers: Sequence[int]) -> Iterator[Seen]:
    for number in numbers:
        where, watched = span(follower.settings.window, number), _watched(follower, number)
        labelled = follower.state.labelled("champion", number, follower.version)
        complete = _complete(follower, where, watched, last=number == numbers[-1])
        scored = scored_of(sorted(labelled, key=lambda one: one.told), follower.reference.classes)
        yield Seen(where, complete, watched, scored, _judged(follower, number, watched, labelled))


def _watched(follower: Follower, number: int) -> Watched:
    """Return what is known of a window, with the requests that left no record."""
    content, reference = follower.state.window(number), follower.reference
    made = Watched.empty(reference) if content is None else Watched.from_dict(content, reference)
    made.health.counts = _counts(follower, span(follower.settings.window, number), made.health)
    return made


def _far_back(follower: Follower, last: int) -> tuple[list[int], list[int]]:
    """Return the numbers of (windows of which the service's habits are asked, windows that are judged).

    Judged are the last ones that have rows, and the empty ones after them: an alarm lasts through a silence. The habits
    are those of some weeks, as nights and weekends are quiet too.
    """
    numbers, full = _numbers(follower), [*follower.state.windows()]
    if not numbers:
        return [], []
    begin = max(full[-last:][0] - numbers[0], len(numbers) - MOST, 0)
    one = span(follower.settings.window, numbers[0])
    weeks = 0 if one.start is None or one.end is None else int(HABITS / (one.end - one.start))
    return numbers[max(begin - weeks, 0) : begin], numbers[begin:]


def _numbers(follower: Follower) -> list[int]:
    """Return the numbers of the windows, those without rows between and after them too."""
    known = [*follower.state.windows()]
    if not known or rows_of(follower.settings.window) is not None:
        return known
    end = known[-1]
    if follower.settings.clock == "log":
        end = max(end, number_of(follower.settings.window, follower.now))
    return [*range(max(known[0], end - 10_000), end + 1)]


def _complete(follower: Follower, where: Span, watched: Watched, *, last: bool) -> bool:
    """Return whether no more rows are to come: by the clock, by a later row, or by their number."""
    if (size := rows_of(follower.settings.window)) is not None:
        return watched.sketch.rows >= size
    if follower.settings.clock == "row":
        return not last
    return where.end is not None and follower.now >= where.end


def _counts(follower: Follower, where: Span, health: Health) -> dict[str, int]:
    """Return {kind: requests} of the minutes of a window that left no record."""
    start, end = (where.start, where.end) if follower.settings.clock == "log" else (None, None)
    start, end = (health.first, health.last) if start is None or end is None else (start, end)
    if start is None or end is None:
        return {}
    told: dict[str, int] = {}
    for minute, kind, number in follower.counts:
        if start - MINUTE < minute < end:
            told[kind] = told.get(kind, 0) + number
    return told


# ---- one window ------------------------------------------------------------------------------------------------------


def _judged(follower: Follower, number: int, watched: Watched, labelled: Sequence[Labelled]) -> Judged:
    """Return what a window says by itself; asked again only where rows or outcomes came since."""
    told = [(one.id, one.told) for one in labelled]
    mark = hashlib.sha256(repr((watched.sketch.rows, told, follower.settings)).encode()).hexdigest()
    name = f"judged/{number}"
    kept = json.loads(follower.state.value(name) or "{}")
    if kept.get("mark") != mark:
        found = judged(watched, scored_of(labelled, follower.reference.classes), follower.settings)
        kept = {"mark": mark, **asdict(found)}
        with follower.state.step():
            follower.state.keep(name, json.dumps(kept))
    numbers = {key: Value(**value) for key, value in kept["numbers"].items()}
    return Judged(numbers, [Check(**check) for check in kept["checks"]], kept["notes"])


def scored_of(labelled: Sequence[Labelled], classes: Sequence[str]) -> Scored | None:
    """Return rows whose outcome is known as metrics take them, None where there are none."""
    if not labelled:
        return None
    kind = "int64" if classes else "float64"
    truth, labels = (np.array([getattr(one, name) for one in labelled], kind) for name in ("truth", "label"))
    said = [one.probabilities for one in labelled if one.probabilities is not None]
    whole = len(said) == len(labelled)
    return Scored(truth, labels, np.stack(said) if whole else None, classes=len(classes) or None)


def _window(one: Seen, before: Sequence[Health], losses: outcomes.Told, follower: Follower) -> Window:
    health = one.watched.health
    numbers = {**one.judged.numbers, **services.numbers(health), **losses.numbers}
    checks = [*one.judged.checks, *losses.checks]
    checks += services.checks(health, before, follower.reference.promise, follower.settings)
    start, end = one.span.written
    return Window(
        one.span.label,
        start or written(health.first),
        end,
        one.complete,
        one.watched.sketch.rows,
        len(one.scored) if one.scored is not None else 0,
        numbers,
        decide(checks, follower.settings.false_alarms),
        one.judged.notes,
    )


# ---- all windows -----------------------------------------------------------------------------------------------------


def challenged(follower: Follower) -> Mapping[str, Any] | None:
    """Return the comparison of the champion with the model that was asked beside it, None where there is none."""
    for role in ("shadow", "challenger"):
        theirs = follower.state.labelled(role)
        if theirs:
            version = theirs[-1].version
            return _compared(follower, [one for one in theirs if one.version == version], role == "shadow")
    return None


def _compared(follower: Follower, theirs: Sequence[Labelled], paired: bool) -> Mapping[str, Any]:
    ours = follower.state.labelled("champion", version=follower.version)
    if paired:
        known = {one.id: one for one in ours}
        theirs = [one for one in theirs if one.id in known]
        ours = [known[one.id] for one in theirs]
    classes, promise = follower.reference.classes, follower.reference.promise
    champion, other = scored_of(ours, classes), scored_of(theirs, classes)
    version = theirs[0].version if theirs else "the other model"
    if champion is None or other is None or not promise.get("metrics"):
        words = f"nothing can be said: the outcomes of {len(ours):,} and {len(theirs):,} rows are known"
        return {"version": version, "word": "not comparable", "words": words, "paired": paired}
    found = challenger.compared(
        champion,
        other,
        paired,
        promise["primary"],
        promise["least_gain"],
        [*promise["metrics"]],
        valued(promise) if promise.get("worth") else None,
        classes,
        seed=0,
        look=max(len(follower.state.windows()), 1),
    )
    return {"version": version, **found}


def _notes(follower: Follower) -> list[str]:
    """Return what holds for the whole."""
    state = follower.state
    counts: Mapping[str, int] = state.progress.counts or {}
    found = [f"{number:,} {what}" for what, number in sorted(counts.items()) if number]
    if state.unknown:
        found.append(f"{state.unknown:,} outcomes of predictions that the log does not hold")
    if state.begun_anew:
        found.append("what was known was damaged and is found anew from the log")
    if state.value("replaced"):
        found.append("the log was replaced by another, so everything is counted anew")
    if not follower.reference.promise:
        found.append("the bundle holds no promise of its performance: package it anew to have outcomes judged")
    return found
