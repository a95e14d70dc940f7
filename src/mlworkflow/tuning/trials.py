"""Trials: one set of parameters each, and what the folds say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Parameters = dict[str, Any]
State = Literal["complete", "pruned", "failed", "stopped"]


@dataclass(frozen=True)
class Asked:
    """What is to be tried: parameters of one family of models, on a share of the rows that a fold fits on."""

    number: int
    parameters: Parameters
    family: str
    share: float = 1.0


@dataclass(frozen=True)
class Trial:
    """What was tried, and the score of each fold that it went through; `cause` tells why it has not all of them.

    `said` holds what it says of each fold's other rows, where these are kept: (m, K) probabilities or (m,) values.
    """

    asked: Asked
    scores: tuple[float, ...] = ()
    state: State = "complete"
    cause: str = ""
    seconds: float = field(default=0.0, compare=False)
    said: tuple[np.ndarray, ...] = field(default=(), compare=False)

    @property
    def mean(self) -> float | None:
        """The mean over the folds gone through; None where there is none."""
        return float(np.mean(self.scores)) if self.scores else None

    @property
    def score(self) -> float | None:
        """The mean over all folds; None where some are lacking."""
        return self.mean if self.state == "complete" else None

    @property
    def spread(self) -> float | None:
        """The standard deviation over all folds."""
        return float(np.std(self.scores)) if self.state == "complete" else None

    @property
    def counts(self) -> bool:
        """Whether it went through all folds with all rows, so that it may be taken."""
        return self.state == "complete" and self.asked.share == 1.0


def best_of(trials: Sequence[Trial], maximise: bool) -> Trial | None:
    """Return the best trial that counts, the first of equals."""
    sign = 1 if maximise else -1
    able = [trial for trial in trials if trial.counts]
    return max(able, key=lambda trial: (sign * (trial.score or 0.0), -trial.asked.number), default=None)


def table(trials: Sequence[Trial], taken: Mapping[int, float]) -> pd.DataFrame:
    """Return the trials as a table, a row a trial: what became of it, then its parameters.

    Args:
        trials: all of them.
        taken: number of a trial -> its weight in the model; one trial with 1.0, or the members of an ensemble.
    """
    import pandas as pd

    told = [
        {
            "number": trial.asked.number,
            "family": trial.asked.family,
            "state": trial.state,
            "score": trial.score,
            "spread": trial.spread,
            "rows": trial.asked.share,
            "folds": len(trial.scores),
            "weight": taken.get(trial.asked.number, 0.0),
            "cause": trial.cause,
            **trial.asked.parameters,
        }
        for trial in trials
    ]
    return pd.DataFrame(told)
