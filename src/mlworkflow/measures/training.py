"""The noise of the training: how much a difference hangs on which rows, and which seed, the models were fitted with.

Each model is fitted again without each of g parts of its training rows, and scored on the same rows. The spread of
these g scores, (g - 1) / g times the sum of their squared distances from their mean, is the jackknife estimate of the
variance that the choice of the training rows makes (delete-a-group jackknife: Shao and Wu 1989). On average it is not
too small (Efron and Stein 1981). Where fits are chaotic, so that leaving out rows is like drawing another seed, it is
too large.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.measures.metrics import NAN
from mlworkflow.measures.weighted import values_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.measures.metrics import Scored

Measure = Callable[["Scored"], float]
Variance = tuple[float, float]  # with its degrees of freedom


@dataclass(frozen=True)
class Refits:
    """What two models say of the same rows when they are fitted without each part of their training rows.

    Attributes:
        candidate: one a part.
        base: one a part.
        same: whether both are without the same training rows each time, so that their differences are paired.
    """

    candidate: Sequence[Scored]
    base: Sequence[Scored]
    same: bool

    def take(self, rows: NDArray[np.bool_]) -> Refits:
        """Return what they say of some of the rows."""
        candidate, base = ([one.take(rows) for one in side] for side in (self.candidate, self.base))
        return Refits(candidate, base, self.same)


def noise(names: Sequence[str], refits: Refits) -> dict[str, Variance]:
    """Return the variance of the difference of each metric that the training makes; 0 where refits have no value."""
    sides = [[values_of(names, one) for one in side] for side in (refits.candidate, refits.base)]
    told = {name: [[one.get(name, NAN) for one in side] for side in sides] for name in names}
    return {name: sum_of(variances(*values, same=refits.same)) for name, values in told.items()}


def noise_of(measure: Measure, refits: Refits) -> Variance:
    """Return the variance of the difference, between the sides, of what `measure` says that the training makes."""
    values = ([measure(one) for one in side] for side in (refits.candidate, refits.base))
    return sum_of(variances(*values, same=refits.same))


def variances(candidate: Sequence[float], base: Sequence[float], *, same: bool) -> list[Variance]:
    """Return the variance of the difference that the training makes: one, or where they are not paired two, to add."""
    ours, theirs = np.array(candidate), np.array(base)
    return [jackknife(ours - theirs)] if same else [jackknife(ours), jackknife(theirs)]


def quantile(freedom: float, level: float) -> float:
    """Return what a standardised noise stays within, at `level`, by Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def jackknife(values: NDArray[np.float64]) -> Variance:
    """Return (variance, its degrees of freedom) of a statistic from its values without each group."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return 0.0, 1.0
    return float((len(known) - 1) / len(known) * ((known - known.mean()) ** 2).sum()), len(known) - 1.0


def sum_of(parts: Sequence[Variance]) -> Variance:
    """Return the sum of variances with its degrees of freedom (Satterthwaite 1946)."""
    total = sum(variance for variance, _ in parts)
    if not total:
        return 0.0, 1.0
    return total, total**2 / sum(variance**2 / freedom for variance, freedom in parts)
