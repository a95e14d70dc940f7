"""Threshold: from probabilities to a decision, by what the outcomes are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures import worth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mlworkflow.core.problem import Value
    from mlworkflow.measures.metrics import Scored

HALF = 0.5


@dataclass(frozen=True)
class Threshold:
    """The rule that turns probabilities into classes, and the sentence that says why.

    threshold: two classes, the least probability of the positive class that is called positive.
    outcomes: several classes with values, the (K, K) worth of actual (line) and predicted (column).
    """

    threshold: float | None
    words: str
    outcomes: tuple[tuple[float, ...], ...] | None = None

    def labels(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        """Return the (n,) codes decided on from (n, K) probabilities."""
        if self.threshold is not None:
            return (probabilities[:, 1] >= self.threshold).astype(np.int64)
        if self.outcomes is None:
            return np.asarray(probabilities.argmax(axis=1))
        expected = (probabilities[:, :, None] * np.array(self.outcomes)).sum(axis=1)
        best = np.isclose(expected, expected.max(axis=1, keepdims=True), rtol=1e-9, atol=0)
        return np.asarray(np.where(best, probabilities, -1.0).argmax(axis=1))  # of equal worth: the likeliest

    def to_dict(self) -> dict[str, Any]:
        """Return the content of training/threshold.json."""
        outcomes = None if self.outcomes is None else [list(line) for line in self.outcomes]
        return {"threshold": self.threshold, "words": self.words, "outcomes": outcomes}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Threshold:
        """Return the Threshold that `to_dict` wrote."""
        outcomes = stored.get("outcomes")
        lines = None if outcomes is None else tuple(tuple(float(cell) for cell in line) for line in outcomes)
        return cls(stored["threshold"], stored["words"], lines)


def choose(scored_out_of_fold: Scored, value: Value | None, classes: Sequence[Any]) -> Threshold:
    """Return the rule worth most.

    Two classes: the threshold with the largest total on the out-of-fold rows, 0.5 without values. Several: the class
    of the largest expected worth given the probabilities (Elkan 2001), the likeliest without values.
    """
    priced = value is not None and bool(value.outcomes)
    if len(classes) > 2:
        return (
            by_expected_worth(value, classes)
            if value is not None and priced
            else Threshold(
                None, "The class of the highest probability is chosen: the problem gives the outcomes no values."
            )
        )
    if value is None or not priced or scored_out_of_fold.probabilities is None or not len(scored_out_of_fold):
        return Threshold(HALF, f"{classes[1]} is predicted from a probability of 0.5 on: the outcomes have no values.")
    return _for_two(scored_out_of_fold.truth, scored_out_of_fold.probabilities[:, 1], value, classes)


def by_expected_worth(value: Value, classes: Sequence[Any]) -> Threshold:
    """Return the rule of the largest expected worth."""
    table = worth.outcome_table(value, classes)
    words = f"The class of the largest expected worth in {value.unit} is chosen, given the probabilities (Elkan 2001)."
    return Threshold(None, words, tuple(tuple(float(cell) for cell in line) for line in table))


def _for_two(truth: NDArray[Any], probability: NDArray[Any], value: Value, classes: Sequence[Any]) -> Threshold:
    """Return the threshold with the largest total worth, and say what it won."""
    table = worth.outcome_table(value, classes)
    lows, highs, totals = _totals(truth.astype(int), probability, table)
    threshold = _middle_of_best(lows, highs, totals)
    won = float(totals[np.flatnonzero(highs >= threshold)[-1]])
    at_half = float(totals[np.flatnonzero(highs >= HALF)[-1]])
    words = (
        f"{classes[1]} is predicted from a probability of {threshold:.3g} on: of all thresholds it was worth most on "
        f"the {len(truth)} out-of-fold rows, {won:,.6g} {value.unit} (at 0.5: {at_half:,.6g} {value.unit})."
    )
    return Threshold(threshold, words)


def _totals(
    truth: NDArray[Any], probability: NDArray[Any], table: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return (lows, highs, totals): any threshold in (low, high] is worth total; from the strictest to the laxest.

    One sort: rows become positive in the order of their probability, and each adds what the change is worth.
    """
    order = np.argsort(-probability, kind="stable")
    ranked, actual = probability[order].astype(float), truth[order]
    lasts = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    turned = np.cumsum(table[actual, 1] - table[actual, 0])[lasts]
    steps = ranked[lasts]
    above = 1.0 if steps[0] < 1 else float(np.nextafter(steps[0], 2.0))  # stricter than any probability
    totals = table[actual, 0].sum() + np.concatenate([[0.0], turned])
    return np.append(steps, 0.0), np.append(above, steps), totals


def _middle_of_best(lows: NDArray[Any], highs: NDArray[Any], totals: NDArray[Any]) -> float:
    """Return the middle of the widest run of neighbouring thresholds that are all worth most."""
    slack = 1e-9 * max(1.0, float(np.abs(totals).max()))
    best = np.flatnonzero(totals >= totals.max() - slack)
    runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    run = max(runs, key=lambda each: float(highs[each[0]] - lows[each[-1]]))
    low, high = float(lows[run[-1]]), float(highs[run[0]])
    middle = (low + high) / 2
    return middle if middle > low else high
