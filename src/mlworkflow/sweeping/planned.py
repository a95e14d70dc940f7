"""A sweep in this repository, now: its file, its experiments as they compose, and what they are set against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from mlworkflow.checking.recorded import Recorded, RevisionError, stages_of
from mlworkflow.config.conf import attempt
from mlworkflow.config.conffiles import LOADER, content, file_of, names
from mlworkflow.config.mistakes import sweep_mistakes
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ConfError, nearest
from mlworkflow.core.params import family
from mlworkflow.core.processes import git
from mlworkflow.core.sweep import Sweep
from mlworkflow.rows.schema import Schema
from mlworkflow.sweeping.plan import (
    BASELINE,
    Experiment,
    Known,
    Point,
    SweepError,
    clashes,
    experiment,
    points,
    simplest_first,
)
from mlworkflow.sweeping.workspace import State, state

ROWS = ("source", "origin", "snapshot", "task", "data", "prepare", "reference")  # of a problem: they make the test rows
TRAINING = ("train_share", "folds")  # of its split: they do not


@dataclass(frozen=True)
class Planned:
    """A sweep and what it is set against.

    Attributes:
        sweep: its file.
        state: the commit and the workspace that it starts from.
        params: the configuration without the sweep's changes.
        overrides: those of the user.
        experiments: one a point, in order.
        baseline: an experiment, None where what HEAD records serves.
        why: the baseline is no recorded one; empty where it is.
        recorded: the text of HEAD's params.yaml.
    """

    sweep: Sweep
    state: State
    params: Mapping[str, Any]
    overrides: tuple[str, ...]
    experiments: tuple[Experiment, ...]
    baseline: Experiment | None
    why: str
    recorded: str

    @property
    def task(self) -> str:
        """The task of the problem."""
        return str(self.params["problem"]["task"])

    @property
    def metric(self) -> str:
        """The primary metric of the problem."""
        return str(self.params["problem"]["metrics"]["primary"])

    @property
    def least_gain(self) -> float:
        """The least difference worth having."""
        return float(self.params["problem"]["metrics"].get("least_gain", 0.0))

    @property
    def against(self) -> str:
        """What the experiments are set against, in words."""
        if self.baseline is not None:
            return "the same configuration without the sweep's change"
        model = yaml.load(self.recorded, Loader=LOADER)["model"]["name"]
        return f"the recorded baseline ({model}, commit {self.state.commit[:7]})"

    def is_baseline(self, tried: Experiment) -> bool:
        """Return whether an experiment is what it would be set against."""
        if self.baseline is not None:
            return tried.digest == self.baseline.digest
        return not self.state.changes and tried.params == self.recorded

    @cached_property
    def wanted(self) -> list[Experiment]:
        """All that must run, the baseline first, each composition once."""
        tried = [one for one in self.experiments if not self.is_baseline(one)]
        first = [self.baseline] if self.baseline is not None else []
        return list({one.digest: one for one in reversed([*first, *tried])}.values())[::-1]


def read_sweep(name: str) -> Sweep:
    """Return the sweep of a name.

    Raises:
        SweepError: there is none, with the nearest name; or ConfError: all that is wrong with its file.
    """
    there = names("sweep")
    if name not in there:
        raise SweepError(
            f"a sweep is a file in conf/sweep/, but {name!r} is none{nearest(name, there)} "
            f"There are: {', '.join(there) or 'none'}. CONTRIBUTING.md tells how to add one."
        )
    if found := sweep_mistakes(name):
        raise ConfError(found, "Mend the file, then again.")
    return Sweep.model_validate(content(file_of("sweep", name)))


def planned(name: str, overrides: Sequence[str], root: Path) -> Planned:
    """Return a sweep with everything composed; nothing is written or queued.

    Raises:
        SweepError: unknown, without a commit, at odds with an override, or with columns that are not there.
        ConfError: what does not compose, all at once.
    """
    sweep, here = read_sweep(name), state(root)
    if found := clashes(sweep, overrides):
        raise SweepError(f"the sweep {name} sets this itself: {', '.join(found)}. Leave it out of -S.")
    usual = [*sweep.always, *overrides]
    text, found = attempt(usual)
    if found:
        raise ConfError(found, "Nothing was queued. Mend this, then again.")
    params = yaml.load(text, Loader=LOADER)
    tried = points(sweep, _known(sweep, params, root, here))
    experiments = _composed(sweep, tried, usual, here)
    why = _no_baseline(params, root)
    own = experiment(name, Point(BASELINE, ()), usual, text, here.key) if why else None
    recorded = git(root, "show", f"HEAD:./{paths.PARAMS}").stdout
    return Planned(sweep, here, params, tuple(overrides), tuple(experiments), own, why, recorded)


def _composed(sweep: Sweep, tried: Sequence[Point], usual: Sequence[str], here: State) -> list[Experiment]:
    found, experiments = [], []
    for point in tried:
        overrides = [*usual, *point.overrides]
        text, wrong = attempt(overrides)
        found += [f"{point.label}: {line}" for line in wrong]
        experiments.append(experiment(sweep.name, point, overrides, text, here.key))
    if found:
        raise ConfError(found, f"Nothing was queued. Mend conf/sweep/{sweep.name}.yaml or -S, then again.")
    return experiments


def _known(sweep: Sweep, params: Mapping[str, Any], root: Path, here: State) -> Known:
    problem = params["problem"]
    models = {name: content(file_of("model", name)) for name in names("model")}
    columns = _columns(params, root, here) if sweep.without is not None else None
    hidden = problem["data"].get("hidden", [])
    return Known(int(params["seed"]), simplest_first(models, family(problem["task"])), columns, hidden)


# ---- what has run already --------------------------------------------------------------------------------------------


def _columns(params: Mapping[str, Any], root: Path, here: State) -> list[str] | None:
    """Return the columns that a model sees, from a run that prepared the same rows: here, or in an experiment."""
    try:
        recorded = Recorded(root, here.commit)
    except RevisionError:
        return None
    runs = [stages_of(io.read_yaml(root / paths.LOCK))] if (root / paths.LOCK).is_file() else []
    base = f"refs/exps/{here.commit[:2]}/{here.commit[2:]}/"
    for commit in git(root, "for-each-ref", "--format=%(objectname)", base).stdout.split():
        runs.append(Recorded(root, commit).stages)
    for stages in runs:
        file = recorded.kept(paths.SCHEMA, stages)
        if file is not None and _prepared_alike(stages, params):
            schema = Schema.from_dict(io.read_json(file))
            return [one.name for one in schema.columns if one.role in ("input", "time") and one.treatment != "drop"]
    return None


def _prepared_alike(stages: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Return whether a run prepared the same columns; how it split the rows does not matter."""
    told = stages.get("prepare", {}).get("params", {}).get(paths.PARAMS.as_posix(), {})
    return bool(told) and all(_at(params, key) == value for key, value in told.items() if key != "problem.split")


def _at(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params.get(part) if isinstance(params, Mapping) else None
    return params


def _no_baseline(params: Mapping[str, Any], root: Path) -> str:
    """Return why what HEAD records is nothing to be set against; empty where it is."""
    shown = git(root, "show", f"HEAD:./{paths.PARAMS}")
    recorded = yaml.load(shown.stdout, Loader=LOADER) if not shown.returncode else None
    try:
        kept = Recorded(root, "HEAD").kept(paths.PREDICTIONS)
    except RevisionError:
        return "the commit records no run"
    if not isinstance(recorded, dict) or _rows(recorded) != _rows(params):
        told = recorded.get("problem", {}).get("name") if isinstance(recorded, dict) else None
        return f"the commit records {told}, whose test rows are others"
    return "" if kept is not None else "the recorded predictions are not in DVC's cache here"


def _rows(params: Mapping[str, Any]) -> Any:
    """Return the part of a configuration that makes the test rows."""
    problem = params.get("problem", {})
    split = {key: value for key, value in problem.get("split", {}).items() if key not in TRAINING}
    return {"split": split, **{key: problem.get(key) for key in ROWS}}
