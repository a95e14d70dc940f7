"""What a sweep tries: from its file and what is known of the problem to experiments with a name of their own. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from mlworkflow.core.errors import ProjectError, nearest
from mlworkflow.core.problem import Label
from mlworkflow.core.sweep import Sweep

PREFIX = "sweep"
BASELINE = "baseline"
DIGITS, LONGEST = 10, 24
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*([ .-][A-Za-z0-9_.-]+)*")  # what Hydra takes as a key without quotes
WORDS = ("true", "false", "null", "nan", "inf", "on", "off", "yes", "no")


class SweepError(ProjectError):
    """The sweep cannot be planned or run."""


@dataclass(frozen=True)
class Point:
    """One thing to try: what it is called, and the overrides that make it."""

    label: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What is known of the problem before anything runs.

    Attributes:
        seed: of the configuration without the sweep's changes.
        models: the files of conf/model that can do the task, the simplest first.
        columns: what a model sees, None where the workflow has not run for this problem.
        hidden: the columns that the problem hides already.
    """

    seed: int
    models: Sequence[str]
    columns: Sequence[str] | None
    hidden: Sequence[str] = ()


@dataclass(frozen=True)
class Experiment:
    """A point that composes: all its overrides, the params.yaml that they make, its name in Git and in the queue."""

    label: str
    overrides: tuple[str, ...]
    params: str
    name: str

    @property
    def digest(self) -> str:
        """What tells it from every other commit, workspace and composition."""
        return self.name.rpartition("-")[2]

    @property
    def command(self) -> list[str]:
        """The words of `dvc` that queue it."""
        return ["exp", "run", "--queue", "-n", self.name, *(word for one in self.overrides for word in ("-S", one))]


def points(sweep: Sweep, known: Known) -> list[Point]:
    """Return what the sweep tries, in order.

    Raises:
        SweepError: it names models or columns that are not there, or needs columns that nobody knows yet.
    """
    if sweep.models is not None:
        names = known.models if sweep.models == "all" else sweep.models
        return [Point(name, (f"model={name}",)) for name in names]
    if sweep.seeds is not None:
        return [
            Point(f"seed {seed}", (f"seed={seed}",)) for seed in range(known.seed + 1, known.seed + 1 + sweep.seeds)
        ]
    if sweep.grid is not None:
        return [_cell(dict(zip(sweep.grid, values, strict=True))) for values in product(*sweep.grid.values())]
    return _ablations(sweep, known)


def _cell(values: Mapping[str, Label]) -> Point:
    """Return one combination of a grid."""
    label = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in values.items())
    return Point(label, tuple(f"{key}={_value(value)}" for key, value in values.items()))


def _value(value: Label) -> str:
    """Return a value as Hydra reads it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if not isinstance(value, str) or re.fullmatch(r"[\w./-]+", value, re.ASCII) else quoted(value)


def quoted(word: str) -> str:
    """Return a word in quotes, as Hydra reads it."""
    return "'" + re.sub(r"(\\*)('|$)", lambda end: end[1] * 2 + ("\\'" if end[2] else ""), word) + "'"


def _ablations(sweep: Sweep, known: Known) -> list[Point]:
    if known.columns is None:
        raise SweepError(
            f"the sweep {sweep.name} leaves out columns, so it must know them, but the workflow has not run for this "
            "problem and configuration. Type `dvc repro`, or `dvc exp run` with the same -S, then again."
        )
    groups = {name: list(columns) for name, columns in (sweep.without or {}).items()}
    wrong = [
        f"without.{name}: the model sees no column {column!r}{nearest(column, known.columns)}"
        for name, columns in groups.items()
        for column in columns
        if column not in known.columns
    ]
    if wrong:
        lines = "\n".join(f"  - {line}" for line in wrong)
        raise SweepError(f"conf/sweep/{sweep.name}.yaml must name columns that a model sees, but:\n{lines}\nMend it.")
    groups = groups or {column: [column] for column in known.columns}
    return [Point(f"without {name}", (leaving_out(columns, known.hidden),)) for name, columns in groups.items()]


def leaving_out(columns: Sequence[str], hidden: Sequence[str] = ()) -> str:
    """Return the override that keeps columns from the model; those that no key of Hydra's can name are hidden."""
    if all(PLAIN.fullmatch(column) and column.lower() not in WORDS for column in columns):
        return f"++problem.treatments={{{','.join(f'{column}: drop' for column in columns)}}}"
    return f"++problem.data.hidden=[{','.join(quoted(column) for column in (*hidden, *columns))}]"


def varied(sweep: Sweep) -> set[str]:
    """Return the keys that the sweep itself sets."""
    if sweep.grid is not None:
        return set(sweep.grid)
    return {"model"} if sweep.models is not None else {"seed"} if sweep.seeds is not None else set()


def clashes(sweep: Sweep, overrides: Sequence[str]) -> list[str]:
    """Return the overrides of keys that the sweep itself sets."""
    return [one for one in overrides if key_of(one) in varied(sweep)]


def key_of(override: str) -> str:
    """Return the key that an override sets."""
    return override.partition("=")[0].lstrip("+~")


def simplest_first(models: Mapping[str, Mapping[str, Any]], kind: str) -> list[str]:
    """Return the models that have an estimator of this kind: those of the ladder, then the fewest members, by name.

    Args:
        models: {name: content of its file}.
        kind: classification, regression or clustering.
    """
    able = [name for name, told in models.items() if told.get(kind)]
    return sorted(able, key=lambda name: (models[name].get("rung") is None, _members(models[name][kind]), name))


def _members(estimator: Mapping[str, Any]) -> int:
    """Return how many fits an ensemble is made of; 1 for any other estimator."""
    told = [estimator.get(key) for key in ("n_estimators", "iterations")]
    return max([1, *(count for count in told if isinstance(count, int))])


def experiment(sweep: str, point: Point, overrides: Sequence[str], params: str, state: Sequence[str]) -> Experiment:
    """Return the experiment of a point: its name is the same for the same commit, workspace and composition alone.

    Args:
        sweep: the name of the sweep.
        point: what is tried.
        overrides: all of them, the point's own last.
        params: what they compose.
        state: the commit, and what the workspace adds to it.
    """
    digest = hashlib.sha256(json.dumps([*state, params]).encode()).hexdigest()[:DIGITS]
    slug = re.sub(r"[^A-Za-z0-9_]+", "_", point.label)[:LONGEST].strip("_")
    return Experiment(point.label, tuple(overrides), params, "-".join([PREFIX, sweep, *filter(None, [slug]), digest]))
