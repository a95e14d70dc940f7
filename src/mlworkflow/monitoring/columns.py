"""What a window's columns are asked: are they spread as in training, whole, and made of what training knew?

A fault gives one alarm: where values are missing or of a kind that training never saw, that is told, and not that the
column drifts as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.distances import chance, jensen_shannon, noise, psi, wasserstein
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.report import Value
from mlworkflow.monitoring.sketch import Numbers, Sketch, Words
from mlworkflow.pages.templates import number, percent

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.monitoring.checks import Part

Spread = Mapping[str, Any]
PREDICTIONS = "predictions"
FEW_SEASONS = 20  # columns with seasons, of which one window may have an alarm as often as by all other checks
LONGEST = 40  # characters of a category that are shown
ONCE = 50  # categories with a count of their own in the profile; the others are taken for seen once


def checks(profile: Mapping[str, Any], sketch: Sketch, settings: Monitor) -> list[Check]:
    """Return the checks of parts quality, drift and predictions. Empty windows give none."""
    if not sketch.rows:
        return []
    weights = profile.get("weights") or {}
    found = [
        check
        for name, held in sketch.columns.items()
        for check in _of_column(name, profile["columns"][name], held, sketch, settings, weights.get(name, 0.0))
    ]
    if sketch.said is not None and sketch.said.known:
        found.append(_moved("predictions", PREDICTIONS, profile["predictions"], sketch.said, settings, 1.0))
    return found


def _of_column(
    name: str, spread: Spread, held: Numbers | Words, sketch: Sketch, settings: Monitor, weight: float
) -> Iterator[Check]:
    gone = _missing(name, spread, held, settings, weight)
    cannot = _impossible(name, sketch.impossible.get(name, 0), gone, settings)
    yield replace(gone, beyond=gone.beyond and not cannot.beyond)
    yield cannot
    if not held.known:
        return
    yield (strange := _strange(name, spread, held, settings, weight))
    if not gone.beyond and not strange.beyond:
        yield _moved("drift", name, spread, held, settings, weight)


# ---- quality ---------------------------------------------------------------------------------------------------------


def _missing(name: str, spread: Spread, held: Numbers | Words, settings: Monitor, weight: float) -> Check:
    """Missing values: the share now against the share of training."""
    rows = held.known + held.missing
    now, then = held.missing / rows, spread["missing"] / max(spread["rows"], 1)
    limit = max(settings.missing, _seen(spread, "missing"))
    if not held.known and spread["missing"] < spread["rows"]:
        words = f"{name} is missing in all {rows:,} rows; in training in {percent(then)}: did its source fail?"
        return Check("quality", f"{name}: missing", now, then, limit, True, None, words, rows, weight)
    up = now > then
    p = _tail(held.missing, rows, spread["missing"], spread["rows"], up=up)
    words = (
        f"{name} is missing in {percent(now)} of the rows, {'more' if up else 'less'} than in training: {percent(then)}"
    )
    return Check("quality", f"{name}: missing", now, then, limit, abs(now - then) > limit, p, words, rows, weight)


def _strange(name: str, spread: Spread, held: Numbers | Words, settings: Monitor, weight: float) -> Check:
    """Categories that training never saw, or numbers outside its range."""
    known = max(spread["rows"] - spread["missing"], 0)
    if isinstance(held, Words):
        count, rare = held.unseen_rows, _rarities(spread)
        listed = ", ".join(_shown(word) for word in sorted(held.unseen, key=lambda one: (-held.unseen[one], one))[:5])
        what = (
            f"{name} holds categories that training never saw in {percent(count / held.known)} of its values: {listed}"
        )
        subject = f"{name}: unseen"
    else:
        count, rare = _outside(held, spread), 2  # the ends of training were themselves the furthest of its values
        span = f"{number(spread['low'])} to {number(spread['high'])}, the range of training"
        what = f"{name} lies outside {span}, in {percent(count / held.known)} of its values"
        subject = f"{name}: outside"
    if not count:
        what = f"{name} holds nothing that training did not know"
    share = count / held.known
    p = _tail(count, held.known, rare, known, up=True)
    return Check("quality", subject, share, 0.0, settings.unseen, share > settings.unseen, p, what, held.known, weight)


def _rarities(spread: Spread) -> int:
    """Return how many categories training saw once: about as likely is one that it never saw (Good 1953)."""
    once = [name for name, count in spread["counts"].items() if count == 1]
    return len(once) + max(0, int(spread["distinct"]) - ONCE)


def _outside(held: Numbers, spread: Spread) -> int:
    """Return how many values lie below the lowest or above the highest of training."""
    if not len(held.edges):
        return held.known
    return int(held.counts[0] + held.counts[-1])


def _impossible(name: str, bad: int, gone: Check, settings: Monitor) -> Check:
    """Numbers that cannot be. They are missing values, so they are beyond what is usual where these are."""
    share = bad / gone.rows
    beyond = gone.beyond and share > settings.missing
    words = f"{name} holds numbers that cannot be in {percent(share)} of the rows; the model takes them for missing"
    subject = f"{name}: impossible"
    return replace(gone, subject=subject, value=share, usual=None, limit=settings.missing, beyond=beyond, words=words)


def _tail(count: int, rows: int, before: int, rows_before: int, *, up: bool) -> float:
    """Return the chance of a count at least as far as this one, given the counts of training.

    The beta-binomial distribution: the share is not known, but told by the training rows (prior of Jeffreys).
    """
    from scipy.stats import betabinom

    a, b = before + 0.5, max(rows_before - before, 0) + 0.5
    tail = betabinom.sf(count - 1, rows, a, b) if up else betabinom.cdf(count, rows, a, b)
    return float(min(2 * tail, 1.0))


# ---- drift -----------------------------------------------------------------------------------------------------------


def _moved(part: Part, name: str, spread: Spread, held: Numbers | Words, settings: Monitor, weight: float) -> Check:
    """The population stability index of the known values against its limit, and a test."""
    before, now = counts(spread, held)
    value, p = psi(before, now), chance(before, now)
    limit = _limit(spread, before, now, settings)
    words = f"{name} {_direction(spread, held)} (PSI {number(round(value, 3))})"
    return Check(part, name, value, 0.0, limit, value > limit, 1.0 if p is None else p, words, held.known, weight)


def _limit(spread: Spread, before: np.ndarray, now: np.ndarray, settings: Monitor) -> float:
    """Return how large the index may be: the setting, or what parts of training were apart from the whole.

    What was seen there is widened by the noise of this window: the square root of the index is nearly a distance, and
    distances add up at most. The noise is that of the level of the window, shared among FEW_SEASONS columns: the test
    says nothing here, as a part is not spread like the whole.
    """
    seen = _seen(spread, "psi")
    if not seen:
        return settings.psi
    far = noise(before, now, settings.false_alarms / 100 / FEW_SEASONS)
    return max(settings.psi, float((seen**0.5 + far**0.5) ** 2))


def _seen(spread: Spread, what: str) -> float:
    return float((spread.get("seen") or {}).get(what, 0.0))


def counts(spread: Spread, held: Numbers | Words) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts of training and of the window in the same (bins,): of numbers, or of categories by name."""
    if isinstance(held, Numbers):
        return np.array(spread["counts"]), held.between(spread["edges"])
    shown = [held.counts.get(word, 0) for word in spread["counts"]]
    return np.array([*spread["counts"].values(), spread["other"]]), np.array([*shown, held.other + held.unseen_rows])


def _direction(spread: Spread, held: Numbers | Words) -> str:
    """Return in words where a column went."""
    if isinstance(held, Numbers):
        now, then = float(held.sums.sum()) / held.known, spread["mean"]
        if then is None:
            return f"has values now, mean {number(now)}, and had none in training"
        apart = (
            "" if not spread["std"] else f", {number(round(abs(now - then) / spread['std'], 2))} standard deviations"
        )
        return f"moved {'up' if now > then else 'down'}: mean {number(now)}, in training {number(then)}{apart}"
    before, after = counts(spread, held)
    if not before.sum():
        return "has values now, and had none in training"
    change = after / after.sum() - before / before.sum()
    place = int(np.argmax(np.abs(change)))
    word = [*spread["counts"], "other categories"][place]
    shares = percent(float(after[place] / after.sum())), percent(float(before[place] / before.sum()))
    return f"moved: {_shown(word)} makes up {shares[0]} of its values, in training {shares[1]}"


def _shown(word: str) -> str:
    """Return a category in quotes, a long one cut."""
    return repr(word if len(word) <= LONGEST else f"{word[:LONGEST]}…")


# ---- numbers ---------------------------------------------------------------------------------------------------------


def numbers(profile: Mapping[str, Any], sketch: Sketch) -> dict[str, Value]:
    """Return what is drawn over time of each column and of the predictions."""
    told: dict[str, Value] = {}
    if not sketch.rows:
        return told
    for name, held in sketch.columns.items():
        spread = profile["columns"][name]
        told |= {f"drift/{name}/{what}": Value(value) for what, value in _measured(spread, held).items()}
        told[f"drift/{name}/missing"] = Value(held.missing / sketch.rows)
    if sketch.said is not None and sketch.said.known:
        measured = _measured(profile["predictions"], sketch.said)
        told |= {f"predictions/{what}": Value(value) for what, value in measured.items()}
        if isinstance(sketch.said, Numbers):
            told["predictions/mean"] = Value(float(sketch.said.sums.sum()) / sketch.said.known)
    return told


def _measured(spread: Spread, held: Numbers | Words) -> dict[str, float | None]:
    """Return the distances of one column; those that it cannot have are None."""
    if not held.known:
        return {"psi": None, "js": None, "wasserstein": None, "unseen": None}
    before, now = counts(spread, held)
    told: dict[str, float | None] = {"psi": psi(before, now), "js": jensen_shannon(before, now)}
    if isinstance(held, Words):
        return told | {"unseen": held.unseen_rows / held.known}
    fine = spread.get("fine")
    apart = wasserstein((fine["counts"], fine["sums"]), (held.counts, held.sums), spread["std"]) if fine else None
    return told | {"wasserstein": apart, "outside": _outside(held, spread) / held.known}


def outcome_check(spread: Spread, shares: Mapping[str, int], settings: Monitor) -> Check | None:
    """Return whether the classes that came are those of training; None where none came.

    Args:
        spread: `target` of the profile.
        shares: class -> how often it came.
        settings: how far is too far.
    """
    held = Words.empty(spread)
    for word, count in shares.items():
        held.counts[word] += count
    return _moved("outcomes", "classes", spread, held, settings, 1.0) if held.known else None
