"""Whether each side of the split has rows, and what the pipeline will change: outlying numbers, rare categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.core.errors import TableError
from mlworkflow.preparing.fates import Fate
from mlworkflow.preparing.ledger import EXAMPLES, Ledger
from mlworkflow.rows.describe import Description
from mlworkflow.rows.schema import Schema
from mlworkflow.rows.treatments import OUTLYING

if TYPE_CHECKING:
    import pandas as pd


class Outlying:
    """Counts the training rows beyond the quantiles, in the columns whose outliers are flagged or clipped."""

    def __init__(self, schema: Schema) -> None:
        self.columns = [column for column in schema.columns if column.outliers != "leave"]
        self.parts: dict[str, list[np.ndarray]] = {}

    def add(self, train: pd.DataFrame) -> None:
        """Note further training rows."""
        for column in self.columns:
            self.parts.setdefault(column.name, []).append(train[column.name].to_numpy())

    def note(self, ledger: Ledger) -> None:
        """Note how many rows the pipeline will change."""
        for column in self.columns:
            values = np.concatenate(self.parts.get(column.name, [np.zeros(0)]))
            known = values[~np.isnan(values)]
            low, high = np.quantile(known, OUTLYING, method="nearest") if len(known) else (0.0, 0.0)
            out = known[(known < low) | (known > high)]
            done = "flagged" if column.outliers == "flag" else "clipped"
            line = ledger.line(f"outliers of training rows {done} by the pipeline", column.name, always=True)
            examples = [f"below {low:g}", f"above {high:g}"] if len(out) else []
            line.note(len(values), changed=len(out), examples=examples)


def note_rare(description: Description, schema: Schema, ledger: Ledger) -> None:
    """Note the categories of the training rows that the pipeline pools."""
    for column in schema.inputs:
        counts = description.counts.get(column.name)
        if column.treatment != "onehot" or not counts:
            continue
        rare = [word for word, count in sorted(counts.items()) if count < schema.rare * schema.rows]
        rows = sum(counts[word] for word in rare)
        line = ledger.line("rare categories of training rows pooled by the pipeline", column.name)
        line.note(schema.rows, changed=rows, examples=map(repr, rare[:EXAMPLES]))


def demand_both_sides(fate: Fate, schema: Schema, present: set[int]) -> None:
    """Demand rows on both sides of the split, and training rows of each class.

    Raises:
        TableError: all that is wrong.
    """
    sides = {"training": fate.kept & ~fate.test, "test": fate.kept & fate.test}
    found = [f"no {side} rows are left" for side, rows in sides.items() if not rows.any()]
    if schema.classes and sides["training"].any():
        lost = [name for code, name in enumerate(schema.classes) if code not in present]
        found += [f"no training row has the class {name!r}" for name in lost]
    if found:
        raise TableError("the prepared table", found, "See reports/ledger.csv, mend problem.split or the source.")
