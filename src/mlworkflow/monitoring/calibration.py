"""Do the probabilities still mean what they say? Against what they meant on the test rows, where outcomes are known.

- gap: the mean probability minus the rate of what came, by class; a change of it is tested by its standard error
- shape: the expected calibration error over bins of equally many rows, tested by Spiegelhalter's z (1986) of the
  probabilities as the promise mends them; what so many rows would have by chance is taken off

Both are changes: a model that never was calibrated is no news.

Measured as in performance.py: p < 0.001 for the gap in 0.0001 of the quiet windows on average, in 0.0013 on the worst
line (3,000 windows a line); for the shape in none of 20,000 on each of five lines. With the spread that is expected
alone, and not the observed one where that is larger, it was 0.0006 to 0.0031.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.judging.calibration import BINS, curve, error
from mlworkflow.measures.recalibration import mended, said_and_true
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.report import Value
from mlworkflow.monitoring.tails import SURE, classes_of, deciding, tail, welch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.core.params import Monitor
    from mlworkflow.measures.metrics import Scored


def unanswered(scored: Scored, promise: Mapping[str, Any], settings: Monitor) -> str | None:
    """Return why nothing is said of the calibration, None where something is."""
    if "calibration" not in promise or scored.probabilities is None:
        return None if promise.get("task") in ("regression", "clustering") else "calibration is not judged: no promise."
    if len(scored) < settings.fewest_rows:
        return f"calibration is not judged: outcomes known {len(scored):,}, {settings.fewest_rows} are needed."
    return "calibration is not judged: all outcomes are of one class." if scored.one_class else None


def measured(scored: Scored, promise: Mapping[str, Any]) -> dict[str, Value]:
    """Return `calibration/gap` (of several classes that of the likeliest, and one a class), `/ece` and `/z`."""
    if "calibration" not in promise or scored.probabilities is None or not len(scored):
        return {}
    said, true = said_and_true(scored)
    z = spiegelhalter(_mended(scored, promise), true)
    told = {"calibration/gap": _gap(said - true), "calibration/ece": Value(error(curve(scored))), "calibration/z": z}
    each = list(_off(scored).T) if scored.k > 2 else []
    return told | {f"calibration/gap/{promise['classes'][code]}": _gap(off) for code, off in enumerate(each)}


def checks(scored: Scored, promise: Mapping[str, Any], settings: Monitor) -> list[Check]:
    """Return the checks of the gap (of the class that is farthest off) and of the shape; none where `unanswered`."""
    if "calibration" not in promise or unanswered(scored, promise, settings) is not None:
        return []
    return [_of_gap(scored, promise, settings), _of_shape(scored, promise, settings)]


def spiegelhalter(said: NDArray[Any], true: NDArray[Any]) -> Value:
    """Return Spiegelhalter's z: how far the squared distances are from what they are if the probabilities are true.

    None where all probabilities are 0, 1 or a half, which say nothing of it.

    Args:
        said: (n,) probabilities.
        true: (n,) whether it came so.
    """
    spread = float(((1 - 2 * said) ** 2 * said * (1 - said)).sum())
    return Value(float(((true - said) * (1 - 2 * said)).sum()) / float(np.sqrt(spread)) if spread > 0 else None)


def _off(scored: Scored) -> NDArray[np.float64]:
    """Return (n, K) probability minus outcome."""
    assert scored.probabilities is not None
    return np.asarray(scored.probabilities - (scored.truth[:, None] == np.arange(scored.k)), dtype=float)


def _gap(off: NDArray[np.float64]) -> Value:
    mean, far = float(off.mean()), SURE * float(off.std()) / float(np.sqrt(len(off)))
    return Value(mean, mean - far, mean + far)


def _mended(scored: Scored, promise: Mapping[str, Any]) -> NDArray[np.float64]:
    said, _ = said_and_true(scored)
    return mended(said, promise["calibration"]["intercept"], promise["calibration"]["slope"])


def _of_gap(scored: Scored, promise: Mapping[str, Any], settings: Monitor) -> Check:
    """Return the check of the class whose gap changed most; its p-value is that of the best of K (Bonferroni)."""
    off, counts, rows = _off(scored), classes_of(scored), len(scored)
    codes = [1] if scored.k == 2 else range(scored.k)
    usual = {code: promise["calibration"]["classes"][promise["classes"][code]] for code in codes}
    change = {code: float(off[:, code].mean()) - usual[code]["gap"] for code in codes}
    code = max(codes, key=lambda one: abs(change[one]))
    noise = welch(off[:, code], usual[code]["std"], promise["rows"])
    one_way = tail(abs(change[code]) / noise, deciding([counts[code], rows - counts[code]])) if noise else None
    p = None if one_way is None else min(1.0, 2 * len(codes) * one_way)
    now, then = float(off[:, code].mean()), usual[code]["gap"]
    said, came = float(np.asarray(scored.probabilities)[:, code].mean()), float(counts[code] / rows)
    words = (
        f"{promise['classes'][code]} is said with a mean probability of {said:.3g} and came in {came:.3g} of {rows:,} "
        f"rows: a gap of {now:+.3g}, {then:+.3g} on the test rows"
    )
    limit = then + np.copysign(settings.calibration, change[code])
    beyond = p is not None and abs(change[code]) > settings.calibration
    return Check("calibration", "gap", now, then, float(limit), beyond, p, words, rows)


def _careful(said: NDArray[np.float64], true: NDArray[Any]) -> float | None:
    """Return how far Spiegelhalter's z is from 0, with the larger one of its expected and its observed spread."""
    steps, z = (true - said) * (1 - 2 * said), spiegelhalter(said, true).value
    total = abs(float(steps.sum()))
    return None if z is None else min(abs(z), total / float(np.sqrt((steps**2).sum())) if total else 0.0)


def _of_shape(scored: Scored, promise: Mapping[str, Any], settings: Monitor) -> Check:
    found, usual, rows = error(curve(scored)), promise["calibration"]["ece"], len(scored)
    said, true = said_and_true(scored)
    by_chance = float(np.sqrt(2 / np.pi * (said * (1 - said)).mean() / max(rows / BINS, 1)))
    limit, z = usual + by_chance + settings.calibration, _careful(_mended(scored, promise), true)
    hits = float(true.sum())
    one_way = None if z is None else tail(z / np.sqrt(1 + rows / promise["rows"]), deciding([hits, rows - hits]))
    p = None if one_way is None else min(1.0, 2 * one_way)
    words = f"the probabilities are off by {found:.3g} on average of {rows:,} rows, {usual:.3g} on the test rows"
    return Check("calibration", "shape", found, usual, float(limit), p is not None and found > limit, p, words, rows)
