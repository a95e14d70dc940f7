"""What a finished experiment left: its metrics from Git, its predictions of the test rows from DVC's cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.checking.recorded import Recorded
from mlworkflow.core import io, paths
from mlworkflow.core.processes import git
from mlworkflow.judging.predicted import inputs_of, refits_of, scored_of
from mlworkflow.measures.metrics import Scored
from mlworkflow.measures.training import Refits
from mlworkflow.rows.schema import Schema

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """The metrics of one run, and its test rows, which two runs are compared on; None where DVC's cache lacks them.

    Attributes:
        tested: {metric: value on the test rows}.
        validated: {metric: cross-validated value}.
        rows: (n,) ids of the test rows.
        scored: what is true of them and what the model said.
        refits: what it says when it is fitted without each part of the training rows; empty where that was not asked.
        parts: the name of these parts.
    """

    tested: dict[str, float | None]
    validated: dict[str, float | None]
    rows: np.ndarray | None = None
    scored: Scored | None = None
    refits: Sequence[Scored] = ()
    parts: str = ""

    def noise(self, base: Outcome) -> Refits | None:
        """Return what tells the noise of the training of both; None where one lacks it."""
        return Refits(self.refits, base.refits, self.parts == base.parts) if self.refits and base.refits else None

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
    inputs = inputs_of(Schema.from_dict(io.read_json(schema))) if schema is not None else None
    scored, rows = scored_of(table, task, inputs), table["row"].to_numpy()
    again = recorded.kept(paths.REFITS)
    if again is None or not len(refits := io.table_of(io.read_bytes(again))):
        return Outcome(tested, validated, rows, scored)
    told = refits_of(refits, table, np.arange(len(table)), task, inputs)
    return Outcome(tested, validated, rows, scored, told, str(refits["parts"].iloc[0]))


def _json(root: Path, commit: str, path: Path) -> dict[str, Any]:
    shown = git(root, "show", f"{commit}:./{path.as_posix()}")
    found: dict[str, Any] = {} if shown.returncode else json.loads(shown.stdout)
    return found
