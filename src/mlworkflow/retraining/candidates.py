"""What may take a champion's place, in the order of its cost: each an experiment of DVC, told by its overrides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlworkflow.core.params import family
from mlworkflow.core.problem import Task

CHAMPION = "champion"  # conf/model/champion.yaml, written on the branch


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
        model: the name of the champion's model in conf/model.
        best: the parameters that its search took.
        tries: of conf/retrain.
        kept_from: the number of the first row that the champion was not fitted on.
        recent_from: the number of the first row since the alarm, None where it is not known.
        folds: of the problem.
        points: how many times the rows from `kept_from` and from `recent_from` on have; None: time does not matter.
    """

    task: Task
    model: str
    best: Mapping[str, Any]
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
    plain = (f"model={CHAMPION}", "search=none")
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
    fixed = "members" not in setting.best and setting.model != CHAMPION
    if "refit" in setting.tries and fixed:
        own = (f"model={setting.model}", "search=none", *_given(setting))
        yield Candidate("refit", "fitted on all rows, with the same parameters", own)
        recent = None if setting.recent_from is None else _from(setting, setting.recent_from, 1)
        if recent is not None:
            words = "fitted on the rows since the alarm, with the same parameters"
            yield Candidate("refit-recent", words, (*own, *recent))
    if "search" in setting.tries and setting.model != CHAMPION:
        yield Candidate("search", "searched and fitted on all rows", (f"model={setting.model}",))


def _from(setting: Setting, first: int, place: int) -> tuple[str, ...] | None:
    """Return the overrides that leave training rows before one out; None where too few times are left to validate by.

    Folds by time need a time more than there are folds.
    """
    folds = setting.folds if setting.points is None else min(setting.folds, setting.points[place] - 1)
    if folds < 2:
        return None
    fewer = (f"problem.split.folds={folds}",) if folds < setting.folds else ()
    return (f"problem.split.train_from={first}", *fewer)


def _given(setting: Setting) -> list[str]:
    """Return the overrides that give the estimator its parameters; many are in no file of conf/model, so ++.

    What scikit-learn calls estimator__depth is the depth of the estimator inside, as conf/ builds it.
    """
    kind = family(setting.task)
    return [f"++model.{kind}.{name.replace('__', '.')}={_written(value)}" for name, value in setting.best.items()]


def _written(value: Any) -> str:
    """Return a value as Hydra reads it in an override."""
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float, list)):
        return json.dumps(value)
    words = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{words}'"
