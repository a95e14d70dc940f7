"""Why a number is another: what changed in parameters, code, data and environment between two sides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlworkflow.checking.wiring import ENVIRONMENT
from mlworkflow.core import io, paths
from mlworkflow.core.processes import git
from mlworkflow.doctoring.environment import pins
from mlworkflow.doctoring.reasons import flat
from mlworkflow.measures.distances import LEVEL, noise, psi
from mlworkflow.monitoring.columns import counts
from mlworkflow.monitoring.sketch import Numbers, Sketch, Words
from mlworkflow.reviewing.revisions import ReviewError
from mlworkflow.reviewing.rows import common
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.profile import profile
from mlworkflow.rows.schema import Schema
from mlworkflow.rows.split import known_by, row_ids

if TYPE_CHECKING:
    from mlworkflow.reviewing.side import Side


@dataclass(frozen=True)
class Moved:
    """A column that is spread in another way: its population stability index, and what that stays under by chance."""

    column: str
    psi: float
    noise: float


@dataclass(frozen=True)
class Data:
    """What changed in the prepared rows.

    Attributes:
        counts: {side of the split: {added, removed, altered: rows}}.
        columns: what changed in the schema, in words.
        moved: the columns whose spread moved by more than chance, furthest first.
        unknown: why nothing is told; empty where it is.
    """

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    unknown: str = ""


@dataclass(frozen=True)
class Causes:
    """What changed.

    Attributes:
        params: {key: (before, after)}, None where a key is not there.
        code: {file: the stages that depend on it}.
        data: what changed in the rows; None where they are the same.
        packages: {name: (version before, after)}.
        stages: what is in one pipeline only, in words.
    """

    params: dict[str, tuple[Any, Any]]
    code: dict[str, list[str]]
    data: Data | None
    packages: dict[str, tuple[str | None, str | None]]
    stages: list[str]

    @property
    def none(self) -> bool:
        """Whether nothing changed."""
        return not (self.params or self.code or self.data or self.packages or self.stages)


def causes(base: Side, candidate: Side) -> Causes:
    """Return what changed from the base to the candidate."""
    before, after = ({k: v for k, v in side.params.items() if k != "fingerprint"} for side in (base, candidate))
    return Causes(
        changed(flat(before), flat(after)),
        code(base, candidate),
        data(base, candidate) if _other_rows(base, candidate) else None,
        changed(packages(base), packages(candidate)),
        _stages(base, candidate),
    )


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return {key: (before, after)} of what differs, in the order of its first appearance."""
    keys = dict.fromkeys([*before, *after])
    both = {key: (before.get(key), after.get(key)) for key in keys}
    return {key: (was, now) for key, (was, now) in both.items() if was != now}


def code(base: Side, candidate: Side) -> dict[str, list[str]]:
    """Return the changed files that a stage depends on, with the stages."""
    stages = base.files.stages | candidate.files.stages
    deps = {name: [dep["path"] for dep in stage.get("deps", [])] for name, stage in stages.items()}
    watched = sorted({path for told in deps.values() for path in told if path.startswith(("src/", "plugins/"))})
    names = _changed_between(base, candidate, watched) if watched else []
    return {name: [stage for stage, told in deps.items() if _under(name, told)] for name in names}


def _changed_between(base: Side, candidate: Side, watched: list[str]) -> list[str]:
    """Return the files below `watched` that differ; of one commit and the workspace also those new to Git."""
    root, commits = base.files.root, [side.files.revision.commit for side in (base, candidate)]
    told = [commit for commit in commits if commit]
    if not told:
        return []
    words = ["diff", "--name-only", "--relative", "--no-renames", *told, "--", *watched]
    names = git(root, *words).stdout.splitlines()
    if len(told) == 1:
        names += git(root, "ls-files", "--others", "--exclude-standard", "--", *watched).stdout.splitlines()
    return sorted(set(names))


def _under(name: str, deps: list[str]) -> bool:
    return any(name == dep or name.startswith(f"{dep}/") for dep in deps)


def packages(side: Side) -> dict[str, str]:
    """Return {package: version} of requirements.lock."""
    content = side.files.tracked(Path(ENVIRONMENT))
    return pins(content.decode("utf-8")) if content else {}


def _stages(base: Side, candidate: Side) -> list[str]:
    ours, theirs = candidate.files.stages, base.files.stages
    told = [f"the stage {name} is new" for name in ours if name not in theirs]
    return told + [f"the stage {name} is gone" for name in theirs if name not in ours]


def _other_rows(base: Side, candidate: Side) -> bool:
    return any(base.files.digest(path) != candidate.files.digest(path) for path in (paths.TRAIN_ROWS, paths.TEST_ROWS))


def data(base: Side, candidate: Side) -> Data:
    """Return what changed in the prepared rows: how many, which columns, how they are spread."""
    try:
        tables = [[io.table_of(side.files.output(path)) for path in _ROWS.values()] for side in (base, candidate)]
        schemas = [Schema.from_dict(_json(side)) for side in (base, candidate)]
    except ReviewError:
        return Data(unknown="the rows of one side are neither in the cache nor in a remote")
    old, new = schemas
    counts = {
        name: _counted(before, after, candidate, new)
        for name, before, after in zip(_ROWS, tables[0], tables[1], strict=True)
    }
    return Data(counts, _columns(old, new), moved(old, new, pd.concat(tables[0]), pd.concat(tables[1])))


_ROWS = {"training": paths.TRAIN_ROWS, "test": paths.TEST_ROWS}


def _json(side: Side) -> dict[str, Any]:

    found: dict[str, Any] = json.loads(side.files.output(paths.SCHEMA))
    return found


def _counted(before: pd.DataFrame, after: pd.DataFrame, candidate: Side, schema: Schema) -> dict[str, int]:
    """Return how many rows were added, removed, and, of those with the same key, altered."""
    shared = [str(name) for name in after if name in before]
    ids = [known_by(table, candidate.problem.data, shared) for table in (before, after)]
    here, there = common(*ids)
    contents = [row_ids(table[shared]) for table in (before, after)]
    altered = int((contents[0][here] != contents[1][there]).sum())
    return {"added": len(after) - len(there), "removed": len(before) - len(here), "altered": altered}


def _columns(old: Schema, new: Schema) -> list[str]:
    before, after = ({column.name: column.kind for column in schema.columns} for schema in (old, new))
    told = [f"{name} is new" for name in after if name not in before]
    told += [f"{name} is gone" for name in before if name not in after]
    return told + [
        f"{name} is a {kind} now, was a {before[name]}"
        for name, kind in after.items()
        if before.get(name, kind) != kind
    ]


def moved(old: Schema, new: Schema, before: pd.DataFrame, after: pd.DataFrame) -> list[Moved]:
    """Return the columns of the same kind whose spread moved by more than chance, at 5% for all columns together."""
    kinds = {column.name: column.kind for column in old.columns}
    same = {column.name for column in new.inputs if kinds.get(column.name) == column.kind}
    reference = profile(before, old)
    reference["columns"] = {name: told for name, told in reference["columns"].items() if name in same}
    sketch = Sketch.empty(reference)
    sketch.add(Arrays(after))
    level = LEVEL / max(len(same), 1)  # Bonferroni
    found = [_apart(name, reference["columns"][name], held, level) for name, held in sketch.columns.items()]
    return sorted((one for one in found if one.psi > one.noise), key=lambda one: (-one.psi, one.column))


def _apart(name: str, spread: Mapping[str, Any], held: Numbers | Words, level: float) -> Moved:
    """Return how far a column is from its profile; missing values are a bin of their own."""
    was, now = counts(spread, held)
    pair = [*was, spread["missing"]], [*now, held.missing]
    return Moved(name, psi(*pair), noise(*pair, level))
