"""What a finished experiment left: its metrics from Git, its predictions of the test rows from DVC's cache."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.checking.recorded import Recorded
from mlworkflow.core import io, paths
from mlworkflow.core.processes import git
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.schema import Schema

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


@dataclass(frozen=True)
class Outcome:
    """The metrics of one run, and its test rows, which two runs are compared on; None where DVC's cache lacks them.

    Attributes:
        tested: {metric: value on the test rows}.
        validated: {metric: cross-validated value}.
        rows: (n,) ids of the test rows.
        scored: what is true of them and what the model said.
    """

    tested: dict[str, float | None]
    validated: dict[str, float | None]
    rows: np.ndarray | None = None
    scored: Scored | None = None

    def pair(self, base: Outcome) -> tuple[Scored, Scored] | None:
        """Return (this, base) on the same test rows; None where the rows are others.

        Features that were made or left out change a row's id: the same truth row for row is taken for the same rows.
        """
        if self.scored is None or base.scored is None or self.rows is None or base.rows is None:
            return None
        ours, theirs = self.scored.truth, base.scored.truth
        same = np.array_equal(self.rows, base.rows) or (ours.ndim == theirs.ndim == 1 and np.array_equal(ours, theirs))
        return (self.scored, base.scored) if same else None


def outcome(root: Path, commit: str, task: str) -> Outcome:
    """Return what the run of a commit left."""
    recorded = Recorded(root, commit)
    tested, validated = (_json(root, commit, path) for path in (paths.TEST_METRICS, paths.CV_METRICS))
    kept, schema = recorded.kept(paths.PREDICTIONS), recorded.kept(paths.FEATURES)
    if kept is None:
        return Outcome(tested, validated)
    table = io.table_of(io.read_bytes(kept))
    inputs = _inputs(Schema.from_dict(io.read_json(schema))) if schema is not None else None
    return Outcome(tested, validated, table["row"].to_numpy(), scored_of(table, task, inputs))


def _inputs(schema: Schema) -> int:
    """Return how many columns the model takes, which adjusted_r2 needs."""
    return sum(column.kind != "time" and column.treatment != "drop" for column in schema.inputs)


def scored_of(table: pd.DataFrame, task: str, inputs: int | None = None) -> Scored:
    """Return evaluation/predictions.parquet as metrics take it."""
    if task == "regression":
        truth, labels = (table[name].to_numpy(dtype=float) for name in ("truth", "prediction"))
        return Scored(truth, labels, columns=inputs)
    if task == "clustering":
        places = [name for name in table.columns if name.startswith("place_")]
        return Scored(table[places].to_numpy(dtype=float), table["prediction"].to_numpy())
    said = [name for name in table.columns if name.startswith("probability_")]
    codes = {name.removeprefix("probability_"): code for code, name in enumerate(said)}
    truth, labels = (table[name].map(codes).to_numpy(dtype="int64") for name in ("truth", "prediction"))
    return Scored(truth, labels, table[said].to_numpy())


def _json(root: Path, commit: str, path: Path) -> dict[str, Any]:
    shown = git(root, "show", f"{commit}:./{path.as_posix()}")
    found: dict[str, Any] = {} if shown.returncode else json.loads(shown.stdout)
    return found
