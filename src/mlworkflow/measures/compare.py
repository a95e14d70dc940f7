"""Compare: is the candidate better than the base? The paired difference on the same rows, with its interval.

Two noises are in a difference:

- that of the rows: both are scored on the same resamples of the same rows (BCa bootstrap, Efron 1987), so what makes
  rows hard for both cancels out;
- that of the training: other training rows, or another seed, would have made other models. What is told of it by models
  fitted without each part of the training rows is in training.py. Where it is given, the interval covers both.

Differences point in the good direction: above zero the candidate is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.measures import bootstrap
from mlworkflow.measures.metrics import NAN, gain
from mlworkflow.measures.rule_of_three import rule_of_three
from mlworkflow.measures.training import Refits, Variance, jackknife, noise, quantile, sum_of, variances
from mlworkflow.measures.weighted import measure_of, values_of

if TYPE_CHECKING:
    from mlworkflow.measures.metrics import Scored

Ends = tuple[float, float]
BETTER, WORSE, UNCLEAR = "better", "worse", "no clear difference"


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

    def word(self, least_gain: float) -> str:
        """Return better or worse where the difference is larger than its noise and worth having."""
        if self.low > 0 and self.value >= least_gain:
            return BETTER
        return WORSE if self.high < 0 and -self.value >= least_gain else UNCLEAR

    def wider(self, noise: Variance, level: float) -> Difference:
        """Return it with an interval that covers a second, independent noise too.

        The distances of both ends from the value are put together by the method of variance estimates recovery (MOVER:
        Zou and Donner 2008). As the variance of the second noise is an estimate itself, both are longer by what
        Student's t is longer than the normal distribution, with the degrees of freedom of the sum (Satterthwaite 1946).

        Args:
            noise: its variance, and the degrees of freedom of that.
            level: of the interval.
        """
        variance, freedom = noise
        if not variance or np.isnan(self.low):
            return self
        z = bootstrap.NORMAL.inv_cdf((1 + level) / 2)
        known = ((self.high - self.low) / (2 * z)) ** 2
        longer = quantile((known + variance) ** 2 / (variance**2 / freedom), level) / z
        low, high = (longer * float(np.hypot(self.value - end, z * np.sqrt(variance))) for end in (self.low, self.high))
        return Difference(self.value, self.value - low, self.value + high)

    def to_dict(self) -> dict[str, float]:
        """Return {"value", "low", "high"}, as evaluation/findings.json has it."""
        return {"value": self.value, "low": self.low, "high": self.high}


def paired(
    name: str, candidate: Scored, base: Scored, *, seed: int, level: float = 0.95, resamples: int | None = None
) -> Difference:
    """Return how much better the candidate is than the base by one metric: see `differences`."""
    return differences([name], candidate, base, seed=seed, level=level, resamples=resamples)[name]


def differences(
    names: Sequence[str],
    candidate: Scored,
    base: Scored,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int | None = None,
    refits: Refits | None = None,
) -> dict[str, Difference]:
    """Return how much better the candidate is than the base by each metric, on the same rows, with its interval.

    NaN where the metric has no answer for one of them. Resamples that all agree on a difference are not taken at
    their word: the ends are then those after three rows of the one or the other go as wrong as can be.

    Args:
        names: metrics.
        candidate: n rows.
        base: the same n rows.
        seed: of the resamples.
        level: of the intervals.
        resamples: how many; by default as many as the rows ask for.
        refits: what says how much the training leaves to chance; without it the intervals are of the rows alone.

    Raises:
        ValueError: the two were not scored on the same number of rows.
    """
    if len(candidate) != len(base):
        raise ValueError(f"a paired difference needs the same rows, not {len(candidate)} and {len(base)}")
    ours, theirs = values_of(names, candidate), values_of(names, base)
    values = {name: gain(name, ours.get(name, NAN), theirs.get(name, NAN)) for name in names}
    told = [name for name in names if not np.isnan(values[name])]
    ends = _ends(told, candidate, base, values, seed=seed, level=level, resamples=resamples) if told else {}
    found = {name: Difference(values[name], NAN, NAN) for name in names}
    for name, (low, high) in ends.items():
        if low == high and values[name] != 0:
            low, high = _three_rows_on(name, candidate, base, ours[name], theirs[name])
        found[name] = Difference(values[name], low, high)
    if refits is None:
        return found
    noises = noise(names, refits)
    return {name: told.wider(noises[name], level) for name, told in found.items()}


def quick(name: str, candidate: Scored, base: Scored, refits: Refits | None, level: float) -> Difference:
    """Return the difference with an interval from the jackknife of 200 groups of rows and of the refits.

    For many slices, where resamples would take too long. The variances add up; the quantile is of Student's t with the
    degrees of freedom of the sum (Satterthwaite 1946).
    """
    theirs, ours = (values_of([name], one)[name] for one in (base, candidate))
    value = gain(name, ours, theirs)
    groups = np.arange(len(base)) % min(len(base), bootstrap.GROUPS)
    weights = (groups != np.arange(groups.max() + 1)[:, None]).astype(float)
    parts = [jackknife(measure_of([name], candidate)(weights)[name] - measure_of([name], base)(weights)[name])]
    if refits:
        sides = ([values_of([name], one)[name] for one in side] for side in (refits.candidate, refits.base))
        parts += variances(*sides, same=refits.same)
    variance, freedom = sum_of(parts)
    half = quantile(freedom, level) * float(np.sqrt(variance))
    return Difference(value, value - half, value + half)


def _ends(
    names: Sequence[str],
    candidate: Scored,
    base: Scored,
    values: dict[str, float],
    *,
    seed: int,
    level: float,
    resamples: int | None,
) -> dict[str, Ends]:
    """Return the (low, high) of each difference over the resamples that both share."""
    signs = {name: gain(name, 1.0, 0.0) for name in names}
    if candidate.truth.ndim > 1:
        drawn = [bootstrap.replicates(names, each, seed=seed, resamples=resamples) for each in (candidate, base)]
        return {
            name: bootstrap.percentiles(signs[name] * (drawn[0][name] - drawn[1][name]), level)
            for name in names
            if name in drawn[0]
        }
    ours, theirs = (measure_of(list(names), each) for each in (candidate, base))
    counts = bootstrap.resample_counts(len(base), resamples or bootstrap.resamples_for(len(base)), seed=seed)
    parts = [(ours(weights), theirs(weights)) for weights in counts]
    without = [bootstrap.left_out(names, each) for each in (candidate, base)]

    def ends(name: str) -> Ends:
        drawn = np.concatenate([one[name] - other[name] for one, other in parts])
        left_out = without[0][name] - without[1][name]
        return bootstrap.bca(values[name], signs[name] * drawn, signs[name] * left_out, level)

    return {name: ends(name) for name in names}


def _three_rows_on(name: str, candidate: Scored, base: Scored, ours: float, theirs: float) -> Ends:
    """Return (low, high) of a difference that never varied: after three rows of the one, of the other, change."""
    worst_of_ours = min(gain(name, end, theirs) for end in rule_of_three(name, candidate, ours))
    worst_of_theirs = max(gain(name, ours, end) for end in rule_of_three(name, base, theirs))
    return worst_of_ours, worst_of_theirs
