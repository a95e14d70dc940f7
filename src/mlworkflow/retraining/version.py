"""The new data version: the table with the rows of use, and what the problem's file says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core import io, paths
from mlworkflow.promoting.edits import UnwritableKeyError, drop, put

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem
    from mlworkflow.retraining.rows import Gathered

HELD_OUT = 0.5  # of the new rows: the newest, on which champion and candidates are set against each other


@dataclass(frozen=True)
class Version:
    """A table with the rows of use.

    Attributes:
        content: the table as Parquet.
        rows: of it; the first `before` are those that were known.
        before: rows that were known.
        recent: the number of the first row since the alarm; None where that is not known.
        test_fraction: of a split by time, the share of the rows that is held out; None for other splits.
        points: of a split by time, how many times the new rows that are not held out have, and those since the alarm.
    """

    content: bytes
    rows: int
    before: int
    recent: int | None
    test_fraction: float | None
    points: tuple[int, int] | None


def version(raw: pd.DataFrame, new: Gathered, problem: Problem, since: tuple[str, float] | None) -> Version:
    """Return the raw table with the new rows below.

    Args:
        raw: the table of the problem's source.
        new: the rows of use.
        problem: the question.
        since: (clock, moment in seconds since 1970) of the alarm: `log` when rows were asked, `row` their own time.
    """
    import pandas as pd

    table = pd.concat([raw, new.rows], ignore_index=True)
    first = None if since is None else _first(new, problem, *since)
    recent = None if first is None else len(raw) + first
    share = points = None
    if problem.split.scheme == "time":
        share, points = _held_out(_times(table, problem), len(raw), first or 0)
    return Version(io.parquet(table), len(table), len(raw), recent, share, points)


def _held_out(times: pd.Series, before: int, first: int) -> tuple[float, tuple[int, int]]:
    """Return the share of all rows that is held out, and how many times the other new ones have.

    The newest half of the rows since the alarm is; rows of one time are held out together. The share lies between that
    of these times and that of one time more, so that a few dropped rows do not matter.

    Args:
        times: of all rows.
        before: rows that were known.
        first: the number of the new row with which the alarm began.
    """
    new = times.iloc[before:]
    since = new.iloc[first:].sort_values(ascending=False)
    kinds = since.drop_duplicates()
    held = max(int((kinds > since.iloc[len(since) // 2]).sum()), 1)  # so many times are held out
    beyond = kinds.iloc[min(held, len(kinds) - 1)]
    lower, upper = (int((times >= moment).sum()) for moment in (kinds.iloc[held - 1], beyond))
    upper = max(upper, lower + 1)  # all new rows are of one time
    share = float(round((lower + upper - 2) / 2 / max(len(times) - 1, 1), 5))  # as rows/split.newest counts
    cut = kinds.iloc[held - 1]
    return share, (int(new[new < cut].nunique()), int(since[since < cut].nunique()))


def _times(rows: pd.DataFrame, problem: Problem) -> pd.Series:
    import pandas as pd

    return pd.to_datetime(rows[problem.data.time], errors="coerce", utc=True)


def _first(new: Gathered, problem: Problem, clock: str, moment: float) -> int | None:
    """Return the number of the first new row since a moment, None where none is or half of them cannot be told."""
    times = new.asked
    if clock == "row" and problem.data.time in new.rows:
        times = _times(new.rows, problem).to_numpy(dtype="datetime64[us]").astype("int64") / 1e6
    since = np.flatnonzero(times >= moment)
    return int(since[0]) if len(since) else None


def edited(text: str, made: Version, problem: Problem, path: Path, known: pd.DataFrame) -> str:
    """Return the problem's file with the new table as its source.

    Held out are the newest of the new rows; without a split by time, some of those since the alarm, or of all of them.
    Columns that use does not know may be missing, and no reference rests on them.

    Args:
        text: of conf/problem/NAME.yaml.
        made: the table.
        problem: the question.
        path: where the table lies.
        known: the new rows.
    """
    text = put(text, ["snapshot"], path.as_posix())
    text = put(text, ["source"], {"_target_": "mlworkflow.sources.file", "path": path.as_posix()})
    for keys in (["origin"], ["reference"]):
        text = _without(text, keys) if keys == ["origin"] or _rests_on_absent(problem, known) else text
    if problem.split.scheme == "time":
        text = put(text, ["split", "test_fraction"], made.test_fraction)
    else:
        text = put(text, ["split", "test_from"], made.before if made.recent is None else made.recent)
    for name, rule in problem.contract.items():
        if not rule.missing and (name not in known or known[name].isna().all()):
            text = put(text, ["contract", name, "missing"], True)
    return text


def _rests_on_absent(problem: Problem, known: pd.DataFrame) -> bool:
    return any(name not in known or known[name].isna().all() for name in problem.reference.columns)


def _without(text: str, keys: list[str]) -> str:
    try:
        return drop(text, keys)
    except UnwritableKeyError:
        return text


def digest(made: Version, model: bytes, since: tuple[str, float] | None, head: str) -> str:
    """Return 8 hexadecimal digits of what a retraining rests on: table, champion, the alarm's beginning, the commit."""
    rest = f"{since!r} {head}".encode()
    return hashlib.sha256(made.content + hashlib.sha256(model).digest() + rest).hexdigest()[:8]


def champion_file(
    model: bytes, threshold: Mapping[str, Any], task: str, path: Path, origin: Mapping[str, Any] | None
) -> str:
    """Return conf/model/champion.yaml: the model in service, by its SHA-256, and what it was fitted as."""
    import yaml

    kinds = {"binary": "classification", "multiclass": "classification", "regression": "regression"}
    kind = "KeptClassifier" if kinds[task] == "classification" else "KeptRegressor"
    sha256 = hashlib.sha256(model).hexdigest()
    told = {
        "name": "champion",
        "wants": {"untouched": True, "missing": True},
        kinds[task]: {
            "_target_": f"mlworkflow.learning.kept.{kind}",
            "path": path.as_posix(),
            "sha256": sha256,
            "recalibrate": False,
        },
        **({"threshold": dict(threshold)} if kinds[task] == "classification" else {}),
        **({"of": dict(origin)} if origin else {}),
    }
    return "# The model that was in service when this branch was made, as it was.\n" + yaml.safe_dump(
        told, sort_keys=False
    )


def table_path(problem: Problem) -> Path:
    """Return where the table lies."""
    return paths.SNAPSHOTS / f"{problem.name}.parquet"
