"""Which trial is taken, and what its score is worth once the choosing is paid for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures import metrics
from mlworkflow.tuning.ensemble import ensemble
from mlworkflow.tuning.trials import Parameters, Trial, best_of

if TYPE_CHECKING:
    from mlworkflow.tuning.setting import Setting

Scores = tuple[float, ...]  # one a fold


@dataclass(frozen=True)
class Choice:
    """What is taken of the trials.

    Attributes:
        weights: number of a trial -> its weight in the model; a single one has 1.0.
        scores: of each fold, with the choice made on all folds: too good, as it was chosen for them.
        unseen: of each fold, with the choice made on the other folds.
    """

    weights: dict[int, float]
    scores: Scores
    unseen: Scores

    def to_dict(self) -> dict[str, Any]:
        """Return both scores with their spread over the folds."""
        both = {"chosen on all folds": self.scores, "chosen on the other folds": self.unseen}
        return {name: {"score": float(np.mean(each)), "spread": float(np.std(each))} for name, each in both.items()}


def chosen(trials: Sequence[Trial], truth: Sequence[np.ndarray], what: Setting) -> Choice:
    """Return what is taken: one trial, or an ensemble of several that is better than the best by more than its noise.

    Args:
        trials: all of them; at least one counts.
        truth: of the rows that each fold checks.
        what: the families, their spaces and the problem.
    """
    able = [trial for trial in trials if trial.counts]
    own = {
        family: min(trial.asked.number for trial in trials if trial.asked.family == family)
        for family in {trial.asked.family for trial in trials}
    }
    least_gain = what.problem.metrics.least_gain

    def choose(some: Sequence[Trial]) -> Trial:
        family = simplest_family(some, list(what.models), what.maximise)
        theirs = [trial for trial in some if trial.asked.family == family]
        space, simpler = what.spaces[family], what.models[family].simpler
        return taken_of(theirs, what.maximise, space, simpler, least_gain, own[family])

    one = choose(able)
    alone = Choice({one.asked.number: 1.0}, one.scores, without_choosing(able, choose))
    said = [trial for trial in able if trial.said]
    if len(said) < 2:
        return alone
    primary = what.problem.metrics.primary
    together = Choice(*ensemble(said, truth, primary))
    best = without_choosing(able, lambda some: near_the_best(some, what.maximise)[0])
    gains = np.array([metrics.gain(primary, ours, theirs) for ours, theirs in zip(together.unseen, best, strict=True)])
    return together if gains.mean() > _error(gains) else alone


def taken_of(
    trials: Sequence[Trial],
    maximise: bool,
    space: Mapping[str, Any],
    simpler: Mapping[str, str],
    least_gain: float,
    own: int = 0,
) -> Trial:
    """Return the trial that is taken of those of one family that count.

    The model as it stands in conf/, where the best gains less than is worth having; else the simplest of the trials
    against which it gains less than that, or not more than one standard error of their paired difference over the folds
    (the one-standard-error rule: Breiman et al. 1984, Classification and Regression Trees).

    Args:
        trials: those that count.
        maximise: whether a larger score is better.
        space: parameter -> Optuna distribution.
        simpler: parameter -> the end of its distribution at which the model is simpler, `low` or `high`.
        least_gain: the least gain worth having, in the unit of the score.
        own: the number of the model as it stands.
    """
    near = near_the_best(trials, maximise, least_gain)
    stands = next((trial for trial in trials if trial.asked.number == own), near[0])
    if _behind(stands, near[0], maximise).mean() < least_gain:
        return stands

    def rank(trial: Trial) -> tuple[float, float, int]:
        some, others = trial.asked.parameters, stands.asked.parameters
        return _complexity(some, space, simpler), _distance(some, others, space), trial.asked.number

    return min(near, key=rank)


def simplest_family(trials: Sequence[Trial], families: Sequence[str], maximise: bool) -> str:
    """Return the first, simplest, family with a trial within one standard error of the best."""
    return min((trial.asked.family for trial in near_the_best(trials, maximise)), key=families.index)


def near_the_best(trials: Sequence[Trial], maximise: bool, least_gain: float = 0.0) -> list[Trial]:
    """Return the best trial, then those as good: the best gains less than is worth having, or than a standard error."""
    best = best_of(trials, maximise)
    assert best is not None
    others = [trial for trial in trials if trial.counts and trial is not best]

    def as_good(trial: Trial) -> bool:
        behind = _behind(trial, best, maximise)
        return bool(behind.mean() < least_gain or behind.mean() <= _error(behind))

    return [best, *filter(as_good, others)]


def without_choosing(trials: Sequence[Trial], choose: Callable[[Sequence[Trial]], Trial]) -> Scores:
    """Return the score of each fold with the choice made on the others.

    The best score of many trials is too good, as it was chosen for being so. Here the choice is made again for each
    fold from the scores of the others, and scored on that fold: the outer loop of nested cross-validation (Varma and
    Simon 2006) over the trials that were made, without further fits. What is left of the bias: the sampler has seen
    all folds when it asked for the trials.
    """
    scores = []
    for fold in range(len(trials[0].scores)):
        others = [replace(trial, scores=trial.scores[:fold] + trial.scores[fold + 1 :]) for trial in trials]
        number = choose(others).asked.number
        scores.append(next(trial.scores[fold] for trial in trials if trial.asked.number == number))
    return tuple(scores)


def _behind(trial: Trial, best: Trial, maximise: bool) -> np.ndarray:
    """Return (folds,) how far a trial is behind the best."""
    difference = np.asarray(best.scores) - np.asarray(trial.scores)
    return np.asarray(difference if maximise else -difference)


def _error(differences: np.ndarray) -> float:
    """Return the standard error of the mean of (folds,) paired differences."""
    return float(differences.std(ddof=1) / math.sqrt(len(differences))) if len(differences) > 1 else 0.0


def _complexity(parameters: Parameters, space: Mapping[str, Any], simpler: Mapping[str, str]) -> float:
    """Return the mean place of the parameters between their simpler end (0) and the other (1)."""
    places = [
        place if simpler[name] == "low" else 1 - place
        for name, one in space.items()
        if name in simpler and (place := _place(parameters.get(name), one)) >= 0
    ]
    return float(np.mean(places)) if places else 0.0


def _distance(some: Parameters, others: Parameters, space: Mapping[str, Any]) -> float:
    """Return how far two sets of parameters are apart: the sum over the space, each side of which counts as one."""
    return sum(abs(_place(some.get(name), one) - _place(others.get(name), one)) for name, one in space.items())


def _place(value: Any, distribution: Any) -> float:
    """Return where a value lies in its distribution, 0 to 1; a category by its number; -1 where it is none."""
    if hasattr(distribution, "choices"):
        return float(distribution.choices.index(value)) if value in distribution.choices else -1.0
    if not isinstance(value, int | float):
        return -1.0
    scale: Callable[[float], float] = math.log if distribution.log else float
    low, high = scale(distribution.low), scale(distribution.high)
    inside = min(max(value, distribution.low), distribution.high)
    return (scale(inside) - low) / ((high - low) or 1.0)
