"""A space of parameters, a sampler and a budget: trials in batches, so that workers change no trial."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import ProjectError

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Stopping

Parameters = dict[str, Any]


class SearchFailedError(ProjectError):
    """Every trial failed."""

    def __init__(self, trials: int, cause: str) -> None:
        super().__init__(
            f"a search needs one trial that works, but all {trials} failed; the first: {cause}. "
            "Mend the space or the parameters in conf/model."
        )


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what cross-validation says of it; `cause` tells why it failed."""

    number: int
    parameters: Parameters
    score: float | None = None
    spread: float | None = None
    cause: str = ""


Evaluate = Callable[[Parameters], tuple[float, float]]


def search(
    evaluate: Evaluate,
    space: dict[str, Any],
    defaults: Parameters,
    *,
    sampler: Any,
    stopping: Stopping,
    batch: int,
    maximise: bool,
    tell: Callable[[Trial, Trial | None], None] = lambda trial, best: None,
) -> list[Trial]:
    """Return the trials in the order asked for; the first is `defaults`, the model as it stands in conf/.

    Args:
        evaluate: parameters -> (score, its spread over the folds).
        space: parameter -> Optuna distribution; an empty one ends after the first trial.
        defaults: the parameters of the first trial.
        sampler: an Optuna sampler; None ends after the first trial.
        stopping: the budget; one in seconds is not repeatable.
        batch: how many trials are asked for before the sampler is told of them; they run in parallel.
        maximise: whether a larger score is better.
        tell: called after each batch's trials with the trial and the best so far.

    Raises:
        SearchFailedError: no trial worked.
    """
    from joblib import Parallel, cpu_count, delayed

    started, trials = time.monotonic(), [_run(evaluate, 0, defaults)]
    tell(trials[0], best_of(trials, maximise))
    study = _study(sampler, space, trials[0], maximise) if sampler is not None and space else None
    while study is not None and not _ended(trials, stopping, maximise, time.monotonic() - started):
        asked = [study.ask(space) for _ in range(min(batch, stopping.trials - len(trials)))]
        jobs = [delayed(_run)(evaluate, len(trials) + i, {**defaults, **ask.params}) for i, ask in enumerate(asked)]
        done: list[Trial] = Parallel(n_jobs=min(cpu_count(), batch), prefer="threads")(jobs)
        for ask, trial in zip(asked, done, strict=True):
            _tell(study, ask, trial)
            trials.append(trial)
            tell(trial, best_of(trials, maximise))
    if best_of(trials, maximise) is None:
        raise SearchFailedError(len(trials), trials[0].cause)
    return trials


def best_of(trials: Sequence[Trial], maximise: bool) -> Trial | None:
    """Return the best trial that worked, the first of equals."""
    worked = [trial for trial in trials if trial.score is not None]
    sign = 1 if maximise else -1
    return max(worked, key=lambda trial: (sign * (trial.score or 0.0), -trial.number), default=None)


def taken_of(trials: Sequence[Trial], maximise: bool, space: Mapping[str, Any], least_gain: float) -> Trial | None:
    """Return the trial that departs least from the first, the model of conf/, of those the best does not clearly beat.

    A gain below the problem's least gain is not worth having, over a baseline or over what was reviewed in conf/; and
    the best of many trials is partly luck.

    Args:
        trials: all of them, the model's own parameters first.
        maximise: whether a larger score is better.
        space: parameter -> Optuna distribution.
        least_gain: in the unit of the score; with 0 the best is taken.
    """
    best, sign = best_of(trials, maximise), 1 if maximise else -1
    if best is None or best.score is None:
        return None
    near = [trial for trial in trials if trial.score is not None and sign * (best.score - trial.score) < least_gain]
    own = trials[0].parameters
    return min(near or [best], key=lambda trial: (_distance(trial.parameters, own, space), trial.number))


def _distance(some: Parameters, others: Parameters, space: Mapping[str, Any]) -> float:
    """Return how far two sets of parameters are apart: the sum over the space, each side of which counts as one."""
    return sum(abs(_place(some.get(name), one) - _place(others.get(name), one)) for name, one in space.items())


def _place(value: Any, distribution: Any) -> float:
    """Return where a value lies in its distribution, 0 to 1; a category by its number."""
    if hasattr(distribution, "choices"):
        return float(distribution.choices.index(value)) if value in distribution.choices else -1.0
    if not isinstance(value, int | float):
        return -1.0
    scale: Callable[[float], float] = math.log if distribution.log else float
    low, high = scale(distribution.low), scale(distribution.high)
    inside = min(max(value, distribution.low), distribution.high)
    return (scale(inside) - low) / ((high - low) or 1.0)


def table(trials: Sequence[Trial], taken: Trial | None = None) -> pd.DataFrame:
    """Return the trials as a table, a row a trial: number, state, score, spread, taken, cause, then the parameters."""
    import pandas as pd

    lines = [
        {
            "number": trial.number,
            "state": "failed" if trial.cause else "complete",
            "score": trial.score,
            "spread": trial.spread,
            "taken": trial is taken,
            "cause": trial.cause,
            **trial.parameters,
        }
        for trial in trials
    ]
    return pd.DataFrame(lines)


def _run(evaluate: Evaluate, number: int, parameters: Parameters) -> Trial:
    try:
        score, spread = evaluate(parameters)
    except ProjectError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        return Trial(number, parameters, cause=f"{type(error).__name__}: {reason}")
    if score != score:
        return Trial(number, parameters, cause="the score is not a number")
    return Trial(number, parameters, score, spread)


def _study(sampler: Any, space: dict[str, Any], first: Trial, maximise: bool) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=sampler, direction="maximize" if maximise else "minimize")
    inside = {name: value for name, value in first.parameters.items() if name in space}
    if first.score is not None and len(inside) == len(space):
        with contextlib.suppress(ValueError):  # the model's own parameters may lie outside its space
            study.add_trial(optuna.trial.create_trial(params=inside, distributions=space, value=first.score))
    return study


def _tell(study: Any, ask: Any, trial: Trial) -> None:
    from optuna.trial import TrialState

    if trial.score is None:
        study.tell(ask, state=TrialState.FAIL)
    else:
        study.tell(ask, trial.score)


def _ended(trials: Sequence[Trial], stopping: Stopping, maximise: bool, seconds: float) -> bool:
    if len(trials) >= stopping.trials or (stopping.seconds is not None and seconds >= stopping.seconds):
        return True
    best = best_of(trials, maximise)
    since = len(trials) - 1 - (best.number if best else 0)
    return stopping.no_gain is not None and since >= stopping.no_gain
