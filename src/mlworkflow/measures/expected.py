"""Metrics without outcomes: what they are on average where each row's probabilities are true.

Confidence-based performance estimation: a row of probability p counts as p of a positive and 1 - p of a negative, which
gives the expected confusion matrix, and from it and the order of the rows the metrics (CBPE: Kivimäki, Białek, Kuberski
and Nurminen 2025, "Performance estimation in binary classification using calibrated confidence"). Metrics that are no
sum over rows are taken at the expected counts: the error of that falls as one over the rows.

The rows are not kept, only counts over a grid of log odds and sums, so that sketches of parts add up to that of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.metrics import NAN
from mlworkflow.measures.recalibration import logit, mended

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.measures.metrics import Scored

    Array = NDArray[Any]

BINS, STEP = 561, 0.05  # the log odds from -14 to 14, a twentieth apart: within a bin the odds differ by 5%
ESTIMATED = (
    "roc_auc", "average_precision", "log_loss", "brier_score", "accuracy", "balanced_accuracy", "precision", "recall",
    "f1", "matthews_corrcoef",
)  # fmt: skip


@dataclass(frozen=True)
class Confidence:
    """What is kept of the probabilities of n rows.

    Attributes:
        classes: K.
        counts: two classes: (2, BINS) rows by predicted class and log odds of the positive one; more: (K, BINS) rows by
            the log odds of each class.
        sums: the same, sums of the probabilities.
        said: (K, K) sums of the probability of a class (line) over the rows predicted as a class (column).
        squares: sum of all squared probabilities.
        entropy: sum of -p log p over rows and classes.
        rows: n.
    """

    classes: int
    counts: Array
    sums: Array
    said: Array
    squares: float = 0.0
    entropy: float = 0.0
    rows: int = 0

    @classmethod
    def empty(cls, classes: int) -> Confidence:
        """Return the sketch of no rows."""
        lines = max(2, classes)
        return cls(classes, np.zeros((lines, BINS)), np.zeros((lines, BINS)), np.zeros((classes, classes)))

    @classmethod
    def of(cls, labels: NDArray[Any], probabilities: NDArray[Any]) -> Confidence:
        """Return the sketch of (n,) predicted codes and (n, K) probabilities; rows that are no numbers are left out."""
        fine = np.isfinite(probabilities).all(axis=1)
        labels, said = labels[fine].astype(np.int64), probabilities[fine].astype(float)
        k, rows = said.shape[1], len(said)
        lines = [labels] if k == 2 else [np.full(rows, code) for code in range(k)]
        columns = [said[:, 1]] if k == 2 else [said[:, code] for code in range(k)]
        places = [line * BINS + _bins(column) for line, column in zip(lines, columns, strict=True)]
        size = max(2, k) * BINS
        counts = np.sum([np.bincount(place, minlength=size) for place in places], axis=0, dtype=float)
        pairs = zip(places, columns, strict=True)
        sums = np.sum([np.bincount(place, weights=column, minlength=size) for place, column in pairs], axis=0)
        together = np.stack([np.bincount(labels, weights=said[:, code], minlength=k) for code in range(k)])
        entropy = -float((said * np.log(np.clip(said, 1e-15, 1.0))).sum())
        shape = (max(2, k), BINS)
        return cls(k, counts.reshape(shape), sums.reshape(shape), together, float((said**2).sum()), entropy, rows)

    def __add__(self, other: Confidence) -> Confidence:
        """Return the sketch of both together."""
        return Confidence(
            self.classes,
            self.counts + other.counts,
            self.sums + other.sums,
            self.said + other.said,
            self.squares + other.squares,
            self.entropy + other.entropy,
            self.rows + other.rows,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON: of the grid the bins that hold rows alone."""
        held = np.argwhere(self.counts > 0)
        bins = [[int(i), int(j), int(self.counts[i, j]), float(self.sums[i, j])] for i, j in held]
        told = {"squares": self.squares, "entropy": self.entropy, "rows": self.rows}
        return {"classes": self.classes, "bins": bins, "said": self.said.tolist(), **told}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Confidence:
        """Return the sketch that `to_dict` stored."""
        blank = cls.empty(stored["classes"])
        for i, j, count, total in stored["bins"]:
            blank.counts[i, j], blank.sums[i, j] = count, total
        rest = (stored["squares"], stored["entropy"], stored["rows"])
        return cls(blank.classes, blank.counts, blank.sums, np.array(stored["said"], dtype=float), *rest)


def _bins(said: Array) -> NDArray[np.int64]:
    return np.asarray(np.clip(np.rint(logit(said) / STEP) + BINS // 2, 0, BINS - 1), dtype=np.int64)


def sketch(scored: Scored) -> Confidence:
    """Return what is kept of the predictions of scored rows, whose truth is not looked at."""
    assert scored.probabilities is not None
    return Confidence.of(scored.labels, scored.probabilities)


def expected(confidence: Confidence, names: Iterable[str], calibration: Mapping[str, Any]) -> dict[str, float]:
    """Return the expected value of each of ESTIMATED that is asked for; NaN without rows, or where nothing is expected.

    Args:
        confidence: of the rows.
        names: metrics.
        calibration: `intercept` and `slope` that mend the probabilities of two classes; those of more stay as they are.
    """
    asked = [name for name in names if name in ESTIMATED]
    if not confidence.rows:
        return dict.fromkeys(asked, NAN)
    table = confusion(confidence, calibration)
    with np.errstate(all="ignore"):
        found = {**_of_confusion(table), **_of_probabilities(confidence, calibration)}
    return {name: float(found[name]) for name in asked}


def confusion(confidence: Confidence, calibration: Mapping[str, Any]) -> Array:
    """Return the (K, K) expected rows of a class (line) predicted as a class (column)."""
    if confidence.classes != 2:
        return confidence.said
    true = (confidence.counts * _true(confidence, calibration)).sum(axis=1)
    return np.stack([confidence.counts.sum(axis=1) - true, true])


def worth(confidence: Confidence, calibration: Mapping[str, Any], table: Sequence[Sequence[float]] | Array) -> float:
    """Return what a row is worth on average, given the (K, K) worth of actual (line) and predicted (column)."""
    if not confidence.rows:
        return NAN
    return float((confusion(confidence, calibration) * np.asarray(table)).sum() / confidence.rows)


def _said(confidence: Confidence) -> Array:
    """Return the mean probability in each bin; 0 in empty ones."""
    return np.asarray(confidence.sums / np.maximum(confidence.counts, 1))


def _true(confidence: Confidence, calibration: Mapping[str, Any]) -> Array:
    """Return the mended probability in each bin."""
    return mended(_said(confidence), calibration.get("intercept", 0.0), calibration.get("slope", 1.0))


def _of_confusion(table: Array) -> dict[str, float]:
    actual, said, hit = table.sum(axis=1), table.sum(axis=0), np.diagonal(table)
    unders = {"precision": said, "recall": actual, "f1": (actual + said) / 2}
    each = {name: np.where(under > 0, hit / np.where(under > 0, under, 1), 0.0) for name, under in unders.items()}
    seen, n = actual + said > 0, table.sum()
    means = {name: float(one[1] if len(table) == 2 else one[seen].mean()) for name, one in each.items()}
    alone = (n**2 - (said**2).sum()) * (n**2 - (actual**2).sum())
    together = hit.sum() * n - (actual * said).sum()
    return {
        "accuracy": float(hit.sum() / n),
        "balanced_accuracy": float(each["recall"][actual > 0].mean()),
        "matthews_corrcoef": float(together / np.sqrt(alone)) if alone > 0 else 0.0,
        **means,
    }


def _of_probabilities(confidence: Confidence, calibration: Mapping[str, Any]) -> dict[str, float]:
    n = confidence.rows
    if confidence.classes != 2:
        lines = zip(confidence.counts, confidence.sums, strict=True)
        ranked = np.array([_ranked(line, total) for line, total in lines]).mean(axis=0)
        return {**_named(ranked), "log_loss": confidence.entropy / n, "brier_score": 1 - confidence.squares / n}
    counts, said, true = confidence.counts, _said(confidence), _true(confidence, calibration)
    kept = np.clip(said, 1e-15, 1 - 1e-15)
    log = -(true * np.log(kept) + (1 - true) * np.log1p(-kept))
    square = true * (1 - said) ** 2 + (1 - true) * said**2
    means = {name: float((counts * one).sum() / n) for name, one in (("log_loss", log), ("brier_score", square))}
    return {**_named(_ranked(counts.sum(axis=0), (counts * true).sum(axis=0))), **means}


def _named(ranked: Sequence[float] | Array) -> dict[str, float]:
    return dict(zip(("roc_auc", "average_precision"), map(float, ranked), strict=True))


def _ranked(counts: Array, true: Array) -> tuple[float, float]:
    """Return the expected (roc_auc, average_precision) of rows in ascending bins; rows of one bin are equal."""
    false, total = counts - true, float(true.sum())
    if total <= 0 or false.sum() <= 0:
        return NAN, NAN
    below = np.cumsum(false) - false / 2
    from_here = true[::-1].cumsum()[::-1] / np.maximum(counts[::-1].cumsum()[::-1], 1e-300)
    return float((true * below).sum() / (total * false.sum())), float((true * from_here).sum() / total)
