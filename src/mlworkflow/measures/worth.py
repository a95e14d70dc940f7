"""Worth: what predictions are worth in the problem's own unit, row by row and against another model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures import bootstrap
from mlworkflow.measures.compare import Difference
from mlworkflow.measures.training import noise_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlworkflow.core.problem import Value
    from mlworkflow.measures.metrics import Scored
    from mlworkflow.measures.training import Refits

LEVEL = 0.95


def outcome_table(value: Value, classes: Sequence[Any]) -> NDArray[Any]:
    """Return the (K, K) worth of a row of the actual class (line) predicted as a class (column); 0 where none is given.

    Labels are matched to classes by how they are written (str).
    """
    codes = {str(label): code for code, label in enumerate(classes)}
    table = np.zeros((len(classes), len(classes)))
    for actual, cells in (value.outcomes or {}).items():
        for predicted, worth in cells.items():
            if str(actual) in codes and str(predicted) in codes:
                table[codes[str(actual)], codes[str(predicted)]] = worth
    return table


def per_row(scored: Scored, value: Value, classes: Sequence[Any]) -> NDArray[Any]:
    """Return (n,) what each prediction is worth, in `value.unit`; `classes` is empty for a regression.

    Classification: the outcome of the actual and the predicted class. Regression: `over` for each unit predicted too
    high, `under` for each unit too low (both as they stand: costs are below zero).
    """
    if len(classes):
        rows: NDArray[Any] = outcome_table(value, classes)[scored.truth.astype(int), scored.labels.astype(int)]
        return rows
    error = scored.labels - scored.truth
    return np.asarray((value.over or 0) * np.maximum(error, 0) + (value.under or 0) * np.maximum(-error, 0))


def total(scored: Scored, value: Value, classes: Sequence[Any]) -> float:
    """Return what all predictions together are worth, in `value.unit`."""
    return float(per_row(scored, value, classes).sum())


def against(
    model: Scored, base: Scored, value: Value, classes: Sequence[Any], *, seed: int, refits: Refits | None = None
) -> Difference:
    """Return the worth of the model minus that of the base on the same rows, in `value.unit`: above zero it wins.

    The 95% interval is the paired BCa bootstrap over rows (Efron 1987); with `refits` it covers the training too.
    """
    won = per_row(model, value, classes) - per_row(base, value, classes)
    if not len(won):
        return Difference(0.0, 0.0, 0.0)
    chunks = bootstrap.resample_counts(len(won), bootstrap.resamples_for(len(won)), seed=seed)
    totals = np.concatenate([np.einsum("rn,n->r", weights, won) for weights in chunks])
    low, high = bootstrap.bca(float(won.sum()), totals, won.sum() - won)
    found = Difference(float(won.sum()), low, high)
    return found if refits is None else found.wider(noise_of(lambda one: total(one, value, classes), refits), LEVEL)
