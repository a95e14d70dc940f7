"""What may take a champion's place, in the order of its cost: each an experiment of DVC, told by its overrides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlworkflow.core.params import family
from mlworkflow.core.problem import Task
from mlworkflow.retraining.origin import CHAMPION, NO_SEARCH, Origin


@dataclass(frozen=True)
class Candidate:
    """One experiment.

    Attributes:
        name: champion, recalibrated, threshold, refit, refit-recent, search.
        words: what is done.
        overrides: what `dvc exp run -S` is given.
    """

    name: str
    words: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """What candidates are made of.

    Attributes:
        task: of the problem.
        origin: what the champion was fitted as; None: it does not say, and nothing is fitted anew.
        tries: of conf/retrain.
        kept_from: the number of the first row that the champion was not fitted on.
        recent_from: the number of the first row since the alarm, None where it is not known.
        folds: of the problem.
        points: how many times the rows from `kept_from` and from `recent_from` on have; None: time does not matter.
    """

    task: Task
    origin: Origin | None
    tries: Sequence[str]
    kept_from: int
    recent_from: int | None
    folds: int
    points: tuple[int, int] | None


def candidates(setting: Setting) -> list[Candidate]:
    """Return the champion as it is, and what is tried against it, the cheapest first."""
    return [*_kept(setting), *_anew(setting)]


def _kept(setting: Setting) -> Iterator[Candidate]:
    """Yield the champion, and what learns two numbers of rows that it was not fitted on."""
    plain = (f"model={CHAMPION}", f"search={NO_SEARCH}")
    yield Candidate("champion", "the model in service as it is", plain)
    unseen = _from(setting, setting.kept_from, 0)
    if unseen is None:
        return
    own = (*plain, *unseen)
    if "recalibrate" in setting.tries:
        kind = family(setting.task)
        words = (
            "the same model, its probabilities recalibrated"
            if kind == "classification"
            else "the same model, a line of it"
        )
        yield Candidate("recalibrated", words, (*own, f"model.{kind}.recalibrate=true"))
    if "threshold" in setting.tries and family(setting.task) == "classification":
        yield Candidate("threshold", "the same model, its threshold chosen anew", (*own, "model.threshold=null"))


def _anew(setting: Setting) -> Iterator[Candidate]:
    """Yield what is fitted anew; parameters of several families together cannot be given by overrides."""
    origin = setting.origin
    if origin is None:
        return
    rows = _rows_of(origin)
    if "refit" in setting.tries and "members" not in origin.best:
        own = (f"model={origin.model}", f"search={NO_SEARCH}", *_given(setting.task, origin.best))
        yield Candidate("refit", "fitted on all rows, with the same parameters", (*own, *rows))
        recent = None if setting.recent_from is None else _from(setting, setting.recent_from, 1)
        if recent is not None:
            words = "fitted on the rows since the alarm, with the same parameters"
            yield Candidate("refit-recent", words, (*own, *recent))
    if "search" in setting.tries:
        own = (f"model={origin.model}", f"search={origin.search}", *rows)
        yield Candidate("search", "searched and fitted on all rows", own)


def _rows_of(origin: Origin) -> tuple[str, ...]:
    """Return the overrides that give back the rows that a kept champion's two numbers were not learnt from."""
    if not origin.kept:
        return ()
    return (f"problem.split.train_from={origin.train_from}", f"problem.split.folds={origin.folds}")


def _from(setting: Setting, first: int, place: int) -> tuple[str, ...] | None:
    """Return the overrides that leave training rows before one out; None where too few times are left to validate by.

    Folds by time need a time more than there are folds.
    """
    folds = setting.folds if setting.points is None else min(setting.folds, setting.points[place] - 1)
    if folds < 2:
        return None
    fewer = (f"problem.split.folds={folds}",) if folds < setting.folds else ()
    return (f"problem.split.train_from={first}", *fewer)


def _given(task: Task, best: Mapping[str, Any]) -> list[str]:
    """Return the overrides that give the estimator its parameters; many are in no file of conf/model, so ++.

    What scikit-learn calls estimator__depth is the depth of the estimator inside, as conf/ builds it.
    """
    kind = family(task)
    return [f"++model.{kind}.{name.replace('__', '.')}={_written(value)}" for name, value in best.items()]


def _written(value: Any) -> str:
    """Return a value as Hydra reads it in an override."""
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float, list)):
        return json.dumps(value)
    words = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{words}'"
