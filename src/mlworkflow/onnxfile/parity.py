"""Does the ONNX file say what the pipeline says? The largest difference, on all test rows and on made-up hard rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.runtime.model import Backend

TOLERANCE = 1e-6  # of a probability; of a value, as a share of its size; a cluster must be the same
# xgboost sums in single precision, whose last place is 6e-8 of a value; classes are decided on far coarser thresholds


@dataclass(frozen=True)
class Parity:
    """The largest difference of two backends, in units of TOLERANCE's kind, on how many rows."""

    difference: float
    rows: int


def compared(one: Backend, other: Backend, batches: Iterable[Columns]) -> Parity:
    """Return how far two backends are apart on wide columns in batches; infinite where one gives no number."""
    largest, count = 0.0, 0
    for columns in batches:
        said, told = one(columns), other(columns)
        largest, count = max(largest, difference(said, told)), count + len(said)
    return Parity(largest, count)


def difference(said: Any, told: Any) -> float:
    """Return the largest difference of two answers of one shape: probabilities, (n,) values, or whole clusters."""
    if said.shape != told.shape:
        return float("inf")
    if said.dtype.kind == "i":
        return 0.0 if np.array_equal(said, told) else float("inf")
    if not (np.isfinite(said).all() and np.isfinite(told).all()):
        return float("inf")
    size = np.maximum(1.0, np.abs(said)) if said.ndim == 1 else 1.0
    return float((np.abs(said - told) / size).max(initial=0.0))
