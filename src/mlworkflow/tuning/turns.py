"""Several families of models under one budget: whose turn it is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlworkflow.tuning.samplers import Sampler
from mlworkflow.tuning.trials import Asked, Trial, best_of

BY_RANK = (0, 0, 1, 0, 1, 2)  # whose turn it is, once each family has shown what it does as it stands


class Turns:
    """Several models under one budget: each as it stands first, then most turns for those that do best.

    Args:
        samplers: name of a model -> its sampler, the order in which they begin.
        maximise: whether a larger score is better.
    """

    def __init__(self, samplers: Mapping[str, Sampler], *, maximise: bool) -> None:
        self._samplers, self._maximise = dict(samplers), maximise
        self.shares = next(iter(samplers.values())).shares
        self._fresh, self._open = list(samplers), list(samplers)
        self._theirs: dict[int, int] = {}
        self._trials: list[Trial] = []
        self._turn = itertools.count()
        self._count = 0

    def ask(self, count: int) -> list[Asked]:
        """Return at most `count` trials of the families whose turn it is."""
        asked: list[Asked] = []
        while not asked and (self._fresh or self._open):
            turns = self._turns(count)
            for family in dict.fromkeys(turns):
                theirs = self._samplers[family].ask(turns.count(family))
                asked += [self._numbered(one) for one in theirs]
                if not theirs:
                    self._open.remove(family)
        return asked

    def _turns(self, count: int) -> list[str]:
        if self._fresh:
            turns, self._fresh = self._fresh[:count], self._fresh[count:]
            return turns
        ranked = self._ranked()
        places = [BY_RANK[next(self._turn) % len(BY_RANK)] for _ in range(count)]
        return [ranked[place % len(ranked)] for place in places]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand each family's trials on to its sampler."""
        self._trials += trials
        for family, sampler in self._samplers.items():
            theirs = [trial for trial in trials if trial.asked.family == family]
            if theirs:
                sampler.tell([_renumbered(trial, self._theirs[trial.asked.number]) for trial in theirs])

    def _numbered(self, asked: Asked) -> Asked:
        number, self._count = self._count, self._count + 1
        self._theirs[number] = asked.number
        return Asked(number, asked.parameters, asked.family, asked.share)

    def _ranked(self) -> list[str]:
        """Return the families by their best trial, best first; without one last."""
        sign = -1 if self._maximise else 1

        def place(family: str) -> tuple[float, int]:
            best = best_of([trial for trial in self._trials if trial.asked.family == family], self._maximise)
            order = list(self._samplers).index(family)
            return (math.inf if best is None else sign * (best.score or 0.0), order)

        return sorted(self._open, key=place)


def _renumbered(trial: Trial, number: int) -> Trial:
    return replace(trial, asked=replace(trial.asked, number=number))
