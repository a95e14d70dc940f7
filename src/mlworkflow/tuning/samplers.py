"""Which parameters are tried next: the model's own first, then a grid, Optuna's choice, or rounds of halving.

A sampler is asked for a batch and told of all of it before it is asked again, so that workers change no trial.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mlworkflow.tuning.trials import Asked, Parameters, Trial

Space = Mapping[str, Any]  # parameter -> Optuna distribution
THIRD = 3  # of a round of halving, one in three goes on, to three times the rows
ALL = (1.0,)
SHARES = (1 / THIRD**2, 1 / THIRD, 1.0)


class Sampler(Protocol):
    """Who says what is tried next.

    Attributes:
        shares: of the rows, on which its trials are fitted.
    """

    shares: Sequence[float]

    def ask(self, count: int) -> list[Asked]:
        """Return at most `count` trials, numbered from 0 without gaps over all calls; none when all is tried."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hear what became of the trials asked for last."""


class Own:
    """The model as it stands, and nothing else."""

    shares: Sequence[float] = ALL

    def __init__(self, family: str, own: Parameters) -> None:
        self._left = [Asked(0, own, family)]

    def ask(self, count: int) -> list[Asked]:
        """Return the one trial, once."""
        asked, self._left = self._left, []
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn nothing."""


class Listed(Own):
    """The model as it stands, then a list of parameters in its order."""

    def __init__(self, family: str, own: Parameters, others: Sequence[Parameters]) -> None:
        super().__init__(family, own)
        self._left += [Asked(i, {**own, **some}, family) for i, some in enumerate(others, start=1)]

    def ask(self, count: int) -> list[Asked]:
        """Return the next `count`."""
        asked, self._left = self._left[:count], self._left[count:]
        return asked


class Guided:
    """The model as it stands, then what an Optuna sampler learns from the trials.

    Args:
        family: the name of the model.
        own: its parameters before the search.
        space: parameter -> distribution.
        sampler: an `optuna.samplers` object with a seed.
        maximise: whether a larger score is better.
    """

    shares: Sequence[float] = ALL

    def __init__(self, family: str, own: Parameters, space: Space, sampler: Any, *, maximise: bool) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._family, self._own, self._space = family, own, dict(space)
        self._study = optuna.create_study(sampler=sampler, direction="maximize" if maximise else "minimize")
        self._asked: dict[int, Any] = {}
        self._count = 0

    def ask(self, count: int) -> list[Asked]:
        """Return the model's own trial alone, so that the sampler knows it; then `count` of the sampler's."""
        first, self._count = self._count, self._count + (count if self._count else 1)
        if first == 0:
            return [Asked(0, self._own, self._family)]
        self._asked = {number: self._study.ask(self._space) for number in range(first, self._count)}
        return [Asked(number, {**self._own, **ask.params}, self._family) for number, ask in self._asked.items()]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand the scores on; of a pruned trial that of the folds it went through."""
        for trial in trials:
            if trial.asked.number == 0:
                self._tell_own(trial)
            else:
                self._tell(self._asked[trial.asked.number], trial)

    def _tell(self, ask: Any, trial: Trial) -> None:
        from optuna.trial import TrialState

        if trial.state == "complete":
            self._study.tell(ask, trial.score)
        elif trial.state == "pruned":
            ask.report(trial.mean, len(trial.scores))
            self._study.tell(ask, state=TrialState.PRUNED)
        else:
            self._study.tell(ask, state=TrialState.FAIL)

    def _tell_own(self, trial: Trial) -> None:
        from optuna.trial import create_trial

        inside = {name: value for name, value in trial.asked.parameters.items() if name in self._space}
        if trial.score is not None and len(inside) == len(self._space):
            with contextlib.suppress(ValueError):  # the model's own parameters may lie outside its space
                self._study.add_trial(create_trial(params=inside, distributions=self._space, value=trial.score))


class Rounds:
    """Successive halving (Jamieson and Talwalkar 2016): many trials on few rows, the best third of them on more.

    The model as it stands is tried on all rows first, so that it can always be taken.
    """

    shares: Sequence[float] = SHARES

    def __init__(self, family: str, own: Parameters, others: Sequence[Parameters], *, maximise: bool) -> None:
        self._family, self._maximise = family, maximise
        self._waiting = [Asked(0, own, family)]
        self._next = [own, *({**own, **some} for some in others)]
        self._round: list[Trial] = []
        self._shares = list(SHARES)
        self._count = 1

    def ask(self, count: int) -> list[Asked]:
        """Return the next `count` of this round."""
        if not self._waiting and self._shares:
            self._begin_round(self._shares.pop(0))
        asked, self._waiting = self._waiting[:count], self._waiting[count:]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Gather the round."""
        self._round += [trial for trial in trials if trial.asked.share < 1.0]

    def _begin_round(self, share: float) -> None:
        if self._round:
            sign = -1 if self._maximise else 1
            able = [trial for trial in self._round if trial.score is not None]
            able.sort(key=lambda trial: (sign * (trial.score or 0.0), trial.asked.number))
            self._next = [trial.asked.parameters for trial in able[: max(1, len(self._round) // THIRD)]]
            self._round = []
        self._waiting = [Asked(self._count + i, one, self._family, share) for i, one in enumerate(self._next)]
        self._count += len(self._waiting)


@dataclass(frozen=True)
class Grid:
    """Every combination of `points` values of each parameter; where the budget is smaller, that many drawn of them."""

    points: int
    seed: int

    def begin(self, family: str, own: Parameters, space: Space, *, trials: int, maximise: bool) -> Sampler:
        """Return the sampler of a search with `trials` trials."""
        axes = [_values(one, self.points) for one in space.values()]
        size = math.prod(len(axis) for axis in axes)
        places = np.arange(size) if size < trials else _some(size, trials - 1, self.seed)
        shape = [len(axis) for axis in axes]
        cells = (np.unravel_index(int(place), shape) for place in places)
        others = [{name: axis[i] for name, axis, i in zip(space, axes, cell, strict=True)} for cell in cells]
        return Listed(family, own, others)


@dataclass(frozen=True)
class Halving:
    """Points drawn at random, most of them tried on few rows: see `Rounds`."""

    seed: int

    def begin(self, family: str, own: Parameters, space: Space, *, trials: int, maximise: bool) -> Sampler:
        """Return the sampler of a search with `trials` trials over all rounds."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=self.seed))
        first = int((trials - 1) / (1 + 1 / THIRD + 1 / THIRD**2)) - 1
        return Rounds(family, own, [study.ask(dict(space)).params for _ in range(max(0, first))], maximise=maximise)


def begin(sampler: Any, family: str, own: Parameters, space: Space, *, trials: int, maximise: bool) -> Sampler:
    """Return the sampler of a search.

    Args:
        sampler: `Grid`, `Halving` or an `optuna.samplers` object with a seed; None tries the model as it stands.
        family: the name of the model.
        own: its parameters before the search.
        space: parameter -> Optuna distribution; an empty one leaves the model as it stands.
        trials: the budget.
        maximise: whether a larger score is better.
    """
    if sampler is None or not space:
        return Own(family, own)
    if isinstance(sampler, Grid | Halving):
        return sampler.begin(family, own, space, trials=trials, maximise=maximise)
    return Guided(family, own, space, sampler, maximise=maximise)


def _some(size: int, count: int, seed: int) -> np.ndarray:
    """Return `count` of the places 0..size-1, each once, in the order of the grid."""
    import random

    return np.array(sorted(random.Random(seed).sample(range(size), count)), dtype=object)


def _values(distribution: Any, points: int) -> list[Any]:
    """Return at most `points` values of a distribution, evenly spaced on its own scale; every category."""
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    spaced = np.geomspace if distribution.log else np.linspace
    values = spaced(distribution.low, distribution.high, points)
    if isinstance(distribution.low, int):
        step = distribution.step or 1
        whole = distribution.low + np.round((values - distribution.low) / step).astype(int) * step
        return sorted({int(value) for value in whole})
    return [float(min(max(value, distribution.low), distribution.high)) for value in values]
