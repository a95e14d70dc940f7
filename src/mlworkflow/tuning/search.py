"""The search: a sampler, a budget, and trials in batches whose folds are done side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.core.errors import ProjectError
from mlworkflow.tuning.jobs import LATE, Job, Outcome
from mlworkflow.tuning.trials import Asked, State, Trial, best_of

if TYPE_CHECKING:
    from mlworkflow.core.problem import Stopping
    from mlworkflow.tuning.journal import Run
    from mlworkflow.tuning.samplers import Sampler

ALIKE = 5  # failures of one cause at the start end a search
PROVEN = 5  # trials through all folds before others are pruned
FIRST = 2  # folds after which a trial may be pruned


class SearchFailedError(ProjectError):
    """No trial worked, or the first ones failed alike."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        super().__init__(
            f"a search needs one trial that works, but all {len(trials)} failed; the first: {trials[0].cause}. "
            "Mend the space or the parameters in conf/model."
        )


@dataclass(frozen=True)
class Rules:
    """How a search is led.

    Attributes:
        stopping: the budget; one in seconds is not repeatable.
        folds: how many a trial goes through.
        maximise: whether a larger score is better.
        batch: how many trials are asked for at once.
        prune: whether a trial ends that is worse after two folds than half of the trials before it were.
    """

    stopping: Stopping
    folds: int
    maximise: bool
    batch: int = 4
    prune: bool = False


def search(
    sampler: Sampler,
    run: Run,
    rules: Rules,
    tell: Callable[[Trial, Trial | None], None] = lambda trial, best: None,
    spent: float = 0.0,
) -> list[Trial]:
    """Return the trials in the order asked for.

    Args:
        sampler: says what is tried.
        run: does jobs, side by side.
        rules: budget and direction.
        tell: called with each trial and the best so far, a batch at a time.
        spent: seconds of the budget that are gone already.

    Raises:
        SearchFailedError: no trial worked, or the first five failed alike.
    """
    trials: list[Trial] = []
    end = time.monotonic() - spent + float(rules.stopping.seconds or np.inf)
    while not trials or (not _ended(trials, rules) and time.monotonic() < end):
        asked = sampler.ask(min(rules.batch, rules.stopping.trials - len(trials)))
        if not asked:
            break
        done = _batch(asked, run, rules, _bar(trials, rules))
        sampler.tell(done)
        for trial in done:
            trials.append(trial)
            tell(trial, best_of(trials, rules.maximise))
        if len(trials) >= ALIKE and len({trial.cause for trial in trials}) == 1 and trials[0].state == "failed":
            break
    if best_of(trials, rules.maximise) is None:
        raise SearchFailedError(trials)
    return trials


def _batch(asked: Sequence[Asked], run: Run, rules: Rules, bar: float | None) -> list[Trial]:
    """Return the trials asked for: their first folds, then the others of those that are worth it."""
    found: dict[int, list[Outcome]] = {one.number: [] for one in asked}
    first = rules.folds if bar is None else FIRST
    for folds in (range(first), range(first, rules.folds)):
        going = [one for one in asked if not _is_over(found[one.number], rules, bar)]
        for outcome in run([Job(one, fold) for one in going for fold in folds]):
            found[outcome.number].append(outcome)
    return [_trial(one, sorted(found[one.number], key=lambda each: each.fold), rules, bar) for one in asked]


def _is_over(found: Sequence[Outcome], rules: Rules, bar: float | None) -> bool:
    scores = [outcome.score for outcome in found]
    return None in scores or _is_hopeless([score for score in scores if score is not None], rules, bar)


def _is_hopeless(scores: Sequence[float], rules: Rules, bar: float | None) -> bool:
    if bar is None or not scores:
        return False
    behind = bar - float(np.mean(scores))
    return behind > 0 if rules.maximise else behind < 0


def _trial(asked: Asked, found: Sequence[Outcome], rules: Rules, bar: float | None) -> Trial:
    scores = tuple(outcome.score for outcome in found if outcome.score is not None)
    cause = next((outcome.cause for outcome in found if outcome.cause), "")
    state: State = "complete"
    if cause:
        state = "stopped" if cause == LATE else "failed"
    elif len(scores) < rules.folds:
        state, cause = "pruned", f"after {len(scores)} folds behind the median of the trials before, {bar:.5g}"
    said = tuple(outcome.said for outcome in found if outcome.said is not None)
    return Trial(asked, scores, state, cause, sum(outcome.seconds for outcome in found), said)


def _bar(trials: Sequence[Trial], rules: Rules) -> float | None:
    """Return what the mean of the first folds must reach: the median of the trials before (Golovin et al. 2017)."""
    proven = [trial for trial in trials if trial.counts]
    if not rules.prune or rules.folds <= FIRST or len(proven) < PROVEN:
        return None
    return float(np.median([np.mean(trial.scores[:FIRST]) for trial in proven]))


def _ended(trials: Sequence[Trial], rules: Rules) -> bool:
    if len(trials) >= rules.stopping.trials:
        return True
    best = best_of(trials, rules.maximise)
    if rules.stopping.no_gain is None or best is None:
        return False
    able = [trial.asked.number for trial in trials if trial.asked.share == 1.0]
    return sum(number > best.asked.number for number in able) >= rules.stopping.no_gain
