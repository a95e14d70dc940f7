"""Jobs: one trial on one fold, the smallest piece of work that a worker takes."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import ProjectError, reason

if TYPE_CHECKING:
    from mlworkflow.core.params import Augment, Model
    from mlworkflow.core.problem import Task
    from mlworkflow.measures.metrics import Scored
    from mlworkflow.tuning.encoded import Encoded
    from mlworkflow.tuning.trials import Asked

LATE = "the time was up"


@dataclass(frozen=True)
class Plan:
    """What all jobs of a search share: the families of models, and how they are judged."""

    models: Mapping[str, Model]
    task: Task
    metric: str
    augment: Augment | None = None
    keep: bool = False  # what each trial says of the rows it was not fitted on
    deadline: float | None = None  # seconds since the epoch


@dataclass(frozen=True)
class Job:
    """A trial on one fold."""

    asked: Asked
    fold: int

    @property
    def key(self) -> str:
        """A name for all that the outcome hangs on, beside what the whole search shares."""
        told = [self.asked.family, self.asked.parameters, self.asked.share, self.fold]
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Outcome:
    """What a job found: a score, or the cause why there is none."""

    number: int
    fold: int
    score: float | None
    cause: str = ""
    seconds: float = 0.0
    said: np.ndarray | None = field(default=None, compare=False)


def run(job: Job, part: Encoded, plan: Plan) -> Outcome:
    """Return what the job's trial says of its fold; whatever its model raises is a cause, not an end."""
    from threadpoolctl import threadpool_limits

    if plan.deadline is not None and time.time() >= plan.deadline and job.asked.number > 0:
        return Outcome(job.asked.number, job.fold, None, LATE)
    started = time.perf_counter()
    try:
        with threadpool_limits(1, "blas"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of one trial among many; what a user must know comes up in train
            scored = _fitted_and_asked(job, part, plan)
            score, cause = _score(scored, part, plan)
    except ProjectError:
        raise
    except Exception as error:
        return _outcome(job, None, f"{type(error).__name__}: {reason(error)}", started)
    said = (scored.labels if scored.probabilities is None else scored.probabilities) if plan.keep else None
    return _outcome(job, score, cause, started, said)


def _outcome(job: Job, score: float | None, cause: str, started: float, said: np.ndarray | None = None) -> Outcome:
    return Outcome(job.asked.number, job.fold, score, cause, time.perf_counter() - started, said)


def _fitted_and_asked(job: Job, part: Encoded, plan: Plan) -> Scored:
    from sklearn.pipeline import Pipeline

    from mlworkflow.learning.crossval import predict
    from mlworkflow.learning.models import learner

    model: Any = learner(plan.models[job.asked.family], plan.task, job.asked.parameters, plan.augment)
    fitted = Pipeline([("columns", "passthrough"), ("model", model)]).fit(part.fit.table, part.fit.target)
    return predict(fitted, part.check)


def _score(scored: Scored, part: Encoded, plan: Plan) -> tuple[float | None, str]:
    from dataclasses import replace

    from mlworkflow.measures import metrics

    columns = None if scored.columns is None else part.columns
    score = metrics.score([plan.metric], replace(scored, columns=columns))[plan.metric]
    return (score, "") if np.isfinite(score) else (None, "the score is not a number")
