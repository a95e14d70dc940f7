"""Whether each side of the split has rows, and what the pipeline will change: outlying numbers, rare categories."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.core.errors import TableError
from mlworkflow.preparing.fates import Fate
from mlworkflow.preparing.ledger import EXAMPLES, Ledger
from mlworkflow.rows.describe import Description
from mlworkflow.rows.reading import words
from mlworkflow.rows.schema import Schema
from mlworkflow.rows.split import identity
from mlworkflow.rows.treatments import OUTLYING

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem, Split

Rows = Callable[[], Iterable["pd.DataFrame"]]


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


def demand_both_sides(
    fate: Fate, schema: Schema, present: set[int], problem: Problem, rows: Rows, ledger: Ledger
) -> None:
    """Demand rows on both sides of the split, and training rows of each class.

    Args:
        fate: which rows stay, and which of them are test rows.
        schema: for the classes.
        present: the codes of the classes that training rows have.
        problem: for the split.
        rows: gives the typed rows that stay, batch by batch; asked only where a side is empty.
        ledger: what dropped rows.

    Raises:
        TableError: all that is wrong, with what this run did to the rows.
    """
    sides = {"training": fate.kept & ~fate.test, "test": fate.kept & fate.test}
    empty = [side for side, chosen in sides.items() if not chosen.any()]
    lost = [name for code, name in enumerate(schema.classes) if code not in present] if "training" not in empty else []
    if not empty and not lost:
        return
    found = [f"no training row has the class {name!r}: those that there are are all test rows" for name in lost]
    if not fate.kept.any():
        raise TableError("the prepared table", ["no rows are left", *_dropped(ledger)], "Mend the source.")
    found += [f"no {side} rows are left: {_one_sided(problem, rows())}" for side in empty]
    raise TableError("the prepared table", [*found, *_dropped(ledger)], _next(problem.split, empty))


def _dropped(ledger: Ledger) -> list[str]:
    """Return what dropped rows in this run; the file with the ledger is that of the last run that went well."""
    lines = [line for line in ledger.lines.values() if line.dropped]
    return [f"{line.dropped} of {line.seen} rows were dropped before: {line.rule}" for line in lines]


def _one_sided(problem: Problem, batches: Iterable[pd.DataFrame]) -> str:
    """Return why all rows are on one side of the split."""
    import pandas as pd

    split, data = problem.split, problem.data
    rows = pd.concat(batches)
    if split.scheme == "column":
        counts = words(rows[split.column]).value_counts()
        shown = ", ".join(f"{word!r} in {count} rows" for word, count in counts.head(EXAMPLES).items())
        more = f" and {len(counts) - EXAMPLES} other words" if len(counts) > EXAMPLES else ""
        return f"problem.split.test is {split.test!r}, and the column {split.column!r} has {shown or 'no word'}{more}"
    known_by = [data.group] if data.group else data.key
    told = rows[[str(data.time)]] if split.scheme == "time" else identity(rows, data)
    names = ", ".join(map(repr, told)) if split.scheme == "time" or known_by else "content"
    count = len(told.drop_duplicates())
    if count == 1:
        return f"all {len(rows)} rows have the same {names}, and so are on one side"
    return f"{len(rows)} rows of {count} different {names} are too few for a test_fraction of {split.test_fraction:g}"


def _next(split: Split, empty: list[str]) -> str:
    """Return what to do about a side without rows, or about a class without training rows."""
    if split.scheme == "column":
        return f"Mark rows of each side in {split.column!r}, or name in problem.split.test the word of the test rows."
    larger = "larger" if empty == ["test"] else "smaller"
    by = "choose another problem.data.group, key or time, or " if empty else ""
    return f"Collect more rows, {by}set a {larger} problem.split.test_fraction."
