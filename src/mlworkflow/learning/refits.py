"""The model fitted again without each part of the training rows: what its training leaves to chance.

See measures/training.py for what is made of it. The parts are those that the folds hold out; of rows in the order of
time, stretches of equal length, as each fold there lacks all that is newer.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.learning.crossval import Fold, Rows, fit, predict, side_by_side

if TYPE_CHECKING:
    from mlworkflow.learning.threshold import Threshold
    from mlworkflow.measures.metrics import Scored


def kept(folds: Sequence[Fold], rows: int, *, by_time: bool) -> list[np.ndarray]:
    """Return for each part the positions of the rows outside it; `rows` in all, in the order of time if `by_time`."""
    everything = np.arange(rows)
    parts = np.array_split(everything, len(folds)) if by_time else [check for _, check in folds]
    return [np.setdiff1d(everything, part, assume_unique=True) for part in parts]


def refits(
    pipe: Any, rows: Rows, parts: Sequence[np.ndarray], asked: Rows, threshold: Threshold | None
) -> list[Scored]:
    """Return what a clone of `pipe`, fitted on each of `parts` of `rows`, says of the rows `asked`."""
    return side_by_side(lambda part: predict(fit(pipe, rows.take(part)), asked, threshold), parts)


def name_of(ids: np.ndarray, parts: Sequence[np.ndarray]) -> str:
    """Return a name of the parts of the rows with (n,) `ids`: the same name, the same rows in each part."""
    told = sha256(ids.tobytes())
    for part in parts:
        told.update(np.asarray(part, dtype="int64").tobytes() + b"|")
    return told.hexdigest()[:24]
