"""How unlikely is so much by chance, said carefully: p-values that hold far in the tail with few rows.

An alarm needs a p-value of one in some thousands, where the normal distribution is too sure of itself: the spread is an
estimate, and of a rare class few rows make it. So the tail is that of Student's t, with as many degrees of freedom as
the rows that decide: of two classes about those of the rarer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.measures.metrics import Scored

SURE = 1.959964  # standard errors in half of a 95% interval


def tail(z: float, rows: float) -> float | None:
    """Return the chance of more than `z` standard errors, in one direction; None where the rows cannot tell.

    Args:
        z: how far, in standard errors.
        rows: that decide; see `deciding`.
    """
    from scipy.special import stdtr

    return None if rows <= 1 or not np.isfinite(z) else float(stdtr(rows - 1, -z))


def deciding(counts: Sequence[float] | NDArray[np.float64]) -> float:
    """Return how many rows decide, given those of each class: of two about the rarer ones (their parallel sum).

    Of K classes it is K / 2 times the parallel sum, 1 / (1 / n1 + 1 / n2 + ...). Classes without rows do not count; of
    a single class nothing can be told: 0.
    """
    present = np.asarray([count for count in counts if count > 0], dtype=float)
    return float(len(present) / 2 / (1 / present).sum()) if len(present) > 1 else 0.0


def classes_of(scored: Scored) -> NDArray[np.float64]:
    """Return the rows of each class."""
    return np.bincount(scored.truth.astype(np.int64), minlength=scored.k).astype(float)


def rows_that_decide(scored: Scored, classes: Sequence[str]) -> float:
    """Return how many rows decide: all of a regression, which has no classes."""
    return deciding(classes_of(scored)) if classes else float(len(scored))


def welch(values: NDArray[np.float64], std: float, rows: int) -> float:
    """Return the standard error between the mean of `values` and that of the reference: `rows` of the spread `std`.

    The spread of the values is taken as no smaller than that of the reference.
    """
    spread = max(float(values.std(ddof=1)) if len(values) > 1 else 0.0, std)
    return float(np.hypot(spread / np.sqrt(len(values)), std / np.sqrt(rows)))
