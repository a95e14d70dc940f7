"""Several candidates against one base: differences whose intervals hold all together.

Of twenty differences that are nothing but noise, one leaves zero out of its 95% interval. So each interval of m is at
the level 1 - 0.05 / m (Bonferroni; Dunn 1961): the chance that any of them misses is at most 5%, however they hang
together.

Where nobody knows how many there will be, as with looks at a log that grows, look k gets 0.05 / (k (k + 1)) of the
error (spending it: Lan and DeMets 1983). The series sums to 0.05, so the union bound holds for looks without end, as in
Howard, Ramdas, McAuliffe and Sekhon (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from mlworkflow.measures.bootstrap import NORMAL
from mlworkflow.measures.compare import Difference, paired
from mlworkflow.measures.metrics import Scored
from mlworkflow.measures.training import Refits, noise

METHOD = "Bonferroni (Dunn 1961)"
LEVEL = 0.95
BEYOND = 5  # resamples beyond an end, so that the end is more than the luck of one of them
MOST_WEIGHTS = 20_000_000  # rows times resamples of one difference: a second or so


def level_of(count: int, level: float = LEVEL) -> float:
    """Return the level of each of `count` intervals that hold together at `level`."""
    return 1 - (1 - level) / max(count, 1)


def level_at(look: int, level: float = LEVEL) -> float:
    """Return the level of the interval of a look, from 1; those of all that ever come hold together at `level`."""
    return 1 - (1 - level) / (look * (look + 1))


def moved_out(found: Difference, level: float, wanted: float) -> Difference:
    """Return a difference of one level with its ends as far out as another asks, were it normally distributed."""
    further = NORMAL.inv_cdf((1 + wanted) / 2) / NORMAL.inv_cdf((1 + level) / 2)
    low, high = (found.value + further * (end - found.value) for end in (found.low, found.high))
    return Difference(found.value, low, high)


def together(
    name: str,
    pairs: Mapping[str, tuple[Scored, Scored]],
    *,
    seed: int,
    level: float = LEVEL,
    refits: Mapping[str, Refits] | None = None,
) -> dict[str, Difference]:
    """Return {label: how much better the candidate of (candidate, base) is}; all intervals hold together at `level`.

    The intervals cover the noise of the training too where there are `refits` of a label.
    """
    each = level_of(len(pairs), level)
    found = {label: _one(name, *pair, seed, level, each) for label, pair in pairs.items()}
    return {
        label: told.wider(noise([name], refits[label])[name], each) if refits and label in refits else told
        for label, told in found.items()
    }


def one_of(
    name: str, candidate: Scored, base: Scored, count: int, *, seed: int, refits: Refits | None, level: float = LEVEL
) -> Difference:
    """Return a difference with the interval that it needs as one of `count` that were looked at."""
    each = level_of(count, level)
    found = _one(name, candidate, base, seed, level, each)
    return found if refits is None else found.wider(noise([name], refits)[name], each)


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
    return moved_out(paired(name, candidate, base, seed=seed, level=level), level, each)
