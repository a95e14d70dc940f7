"""Compare: is the candidate better than the base? The paired difference on the same rows, with its interval.

Both are scored on the same resamples of the same rows (BCa bootstrap, Efron 1987), so what makes rows hard
for both cancels out. Differences point in the good direction: above zero the candidate is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.measures import bootstrap
from mlworkflow.measures.metrics import NAN, gain, score
from mlworkflow.measures.rule_of_three import rule_of_three
from mlworkflow.measures.weighted import measure_of

if TYPE_CHECKING:
    from mlworkflow.measures.metrics import Scored


@dataclass(frozen=True)
class Difference:
    """How much better the candidate is (above zero: better), with the ends of its interval."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out, so that noise does not explain the difference."""
        return self.low > 0 or self.high < 0

    def to_dict(self) -> dict[str, float]:
        """Return {"value", "low", "high"}, as evaluation/findings.json has it."""
        return {"value": self.value, "low": self.low, "high": self.high}


def paired(
    name: str, candidate: Scored, base: Scored, *, seed: int, level: float = 0.95, resamples: int | None = None
) -> Difference:
    """Return how much better the candidate is than the base by a metric, on the same rows, with its interval.

    NaN where the metric has no answer for one of them. Resamples that all agree on a difference are not taken at
    their word: the ends are then those after three rows of the one or the other go as wrong as can be.

    Raises:
        ValueError: the two were not scored on the same number of rows.
    """
    if len(candidate) != len(base):
        raise ValueError(f"a paired difference needs the same rows, not {len(candidate)} and {len(base)}")
    ours, theirs = score([name], candidate).get(name, NAN), score([name], base).get(name, NAN)
    value = gain(name, ours, theirs)
    if np.isnan(value):
        return Difference(NAN, NAN, NAN)
    low, high = _ends(name, candidate, base, value, seed=seed, level=level, resamples=resamples)
    if low == high and value != 0:
        return Difference(value, *_three_rows_on(name, candidate, base, ours, theirs))
    return Difference(value, low, high)


def _ends(
    name: str, candidate: Scored, base: Scored, value: float, *, seed: int, level: float, resamples: int | None
) -> tuple[float, float]:
    """Return the (low, high) of the difference over the resamples that both share."""
    sign = gain(name, 1.0, 0.0)
    if candidate.truth.ndim > 1:
        drawn = [bootstrap.replicates([name], each, seed=seed, resamples=resamples)[name] for each in (candidate, base)]
        return bootstrap.percentiles(sign * (drawn[0] - drawn[1]), level)
    ours, theirs = (measure_of([name], each) for each in (candidate, base))
    counts = bootstrap.resample_counts(len(base), resamples or bootstrap.resamples_for(len(base)), seed=seed)
    differences = np.concatenate([ours(weights)[name] - theirs(weights)[name] for weights in counts])
    left_out = bootstrap.left_out([name], candidate)[name] - bootstrap.left_out([name], base)[name]
    return bootstrap.bca(value, sign * differences, sign * left_out, level)


def _three_rows_on(name: str, candidate: Scored, base: Scored, ours: float, theirs: float) -> tuple[float, float]:
    """Return (low, high) of a difference that never varied: after three rows of the one, of the other, change."""
    worst_of_ours = min(gain(name, end, theirs) for end in rule_of_three(name, candidate, ours))
    worst_of_theirs = max(gain(name, ours, end) for end in rule_of_three(name, base, theirs))
    return worst_of_ours, worst_of_theirs
