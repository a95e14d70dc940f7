"""Several candidates against one base: differences whose intervals hold all together.

Of twenty differences that are nothing but noise, one leaves zero out of its 95% interval. So each interval of m is at
the level 1 - 0.05 / m (Bonferroni; Dunn 1961): the chance that any of them misses is at most 5%, however they hang
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from statistics import NormalDist

from mlworkflow.measures.compare import Difference, paired
from mlworkflow.measures.metrics import Scored

METHOD = "Bonferroni (Dunn 1961)"
LEVEL = 0.95
BEYOND = 5  # resamples beyond an end, so that the end is more than the luck of one of them
MOST_WEIGHTS = 20_000_000  # rows times resamples of one difference: a second or so


def level_of(count: int, level: float = LEVEL) -> float:
    """Return the level of each of `count` intervals that hold together at `level`."""
    return 1 - (1 - level) / max(count, 1)


def together(
    name: str, pairs: Mapping[str, tuple[Scored, Scored]], *, seed: int, level: float = LEVEL
) -> dict[str, Difference]:
    """Return {label: how much better the candidate of (candidate, base) is}; all intervals hold together at `level`."""
    return {label: _one(name, *pair, seed, level, level_of(len(pairs), level)) for label, pair in pairs.items()}


def _one(name: str, candidate: Scored, base: Scored, seed: int, level: float, each: float) -> Difference:
    """Return one difference at the level `each`.

    Where so thin a tail would take too many resamples (clusters, very many rows), the ends of `level` are moved out as
    far as they would be for a normal distribution.
    """
    resamples = ceil(2 * BEYOND / (1 - each))
    if each == level:
        return paired(name, candidate, base, seed=seed, level=level)
    if candidate.truth.ndim == 1 and resamples * len(base) <= MOST_WEIGHTS:
        return paired(name, candidate, base, seed=seed, level=each, resamples=resamples)
    found = paired(name, candidate, base, seed=seed, level=level)
    further = NormalDist().inv_cdf((1 + each) / 2) / NormalDist().inv_cdf((1 + level) / 2)
    low, high = (found.value + further * (end - found.value) for end in (found.low, found.high))
    return Difference(found.value, low, high)
