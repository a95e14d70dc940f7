"""What the model earns in the problem's unit, against one decision for all rows, and the threshold known afterwards.

All are means of a row. The one decision is the best on the test rows: always the same class, or the same number. The
threshold that would have been best is chosen on the very rows that it is worth something on, so it flatters: it says
what could have been won at most, not what another threshold will win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures import worth
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.report import Value
from mlworkflow.monitoring.tails import SURE, rows_that_decide, tail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.core.params import Monitor
    from mlworkflow.core.problem import Value as Worth

FLATTERING = (
    "The best threshold is chosen on the rows that it is measured on, so it flatters: another window has another one."
)


def unanswered(scored: Scored, promise: Mapping[str, Any], settings: Monitor) -> str | None:
    """Return why nothing is said of the money, None where something is."""
    if not promise.get("worth"):
        return None if promise.get("metrics") or promise.get("task") else "money is not judged: no promise."
    if len(scored) < settings.fewest_rows:
        return f"money is not judged: outcomes known {len(scored):,}, {settings.fewest_rows} are needed."
    return "money is not judged: all outcomes are of one class." if promise["classes"] and scored.one_class else None


def measured(scored: Scored, promise: Mapping[str, Any]) -> dict[str, Value]:
    """Return `money/model`, `/baseline` (one decision for all); of two classes `/best_threshold` and `/threshold`."""
    if not promise.get("worth") or not len(scored):
        return {}
    value, classes = valued(promise), promise["classes"]
    won, alone = earned(scored, promise)
    told = {"money/model": _mean(won), "money/baseline": _mean(alone)}
    if len(classes) != 2 or scored.probabilities is None or not np.isfinite(scored.probabilities).all():
        return told
    from mlworkflow.learning.threshold import choose

    best = choose(scored, value, classes)
    at_best = worth.per_row(replace(scored, labels=best.labels(scored.probabilities)), value, classes)
    return told | {"money/best_threshold": Value(float(at_best.mean())), "money/threshold": Value(best.threshold)}


def checks(scored: Scored, promise: Mapping[str, Any], settings: Monitor) -> list[Check]:
    """Return the check whether the model earns less than one decision for all rows; none where `unanswered`.

    The rows are paired (t-test), and the spread is never below that of the test rows.
    """
    if not promise.get("worth") or unanswered(scored, promise, settings) is not None:
        return []
    told, rows = promise["worth"], len(scored)
    won, alone = earned(scored, promise)
    more = won - alone
    noise = max(float(more.std(ddof=1)), float(told["std"])) / float(np.sqrt(rows))
    mean, usual = float(more.mean()), told["per_row"] - told["constant_per_row"]
    p = tail(-mean / noise, rows_that_decide(scored, promise["classes"])) if noise else None
    always = f"always {told['constant']}" if promise["classes"] else f"always {told['constant']:.4g}"
    unit = told["unit"]
    words = (
        f"the model earns {float(won.mean()):,.4g} {unit} a row on {rows:,} rows, {always} earns "
        f"{float(alone.mean()):,.4g}: {abs(mean):,.3g} {unit} a row {'less' if mean < 0 else 'more'}, promised were "
        f"{usual:,.3g} more"
    )
    return [Check("money", "baseline", mean, usual, 0.0, p is not None and mean < 0, p, words, rows)]


def earned(scored: Scored, promise: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (n,) what each row is worth: as the model decided, and as the one decision of the promise would have."""
    value, classes, constant = valued(promise), promise["classes"], promise["worth"]["constant"]
    label = classes.index(constant) if classes else float(constant)
    alone = Scored(scored.truth, np.full(len(scored), label), classes=len(classes) or None)
    return worth.per_row(scored, value, classes), worth.per_row(alone, value, classes)


def valued(promise: Mapping[str, Any]) -> Worth:
    """Return what outcomes are worth, as the promise says it."""
    from mlworkflow.core.problem import Value as Worth

    told = promise["worth"]
    return Worth(unit=told["unit"], outcomes=told["outcomes"], over=told["over"], under=told["under"])


def _mean(values: NDArray[Any]) -> Value:
    mean = float(values.mean())
    far = SURE * float(values.std(ddof=min(1, len(values) - 1))) / float(np.sqrt(len(values)))
    return Value(mean, mean - far, mean + far)
