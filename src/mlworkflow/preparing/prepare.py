"""Type, mend and drop rows as the problem says, with a ledger of all that was done: nothing in silence.

A map for the next reader. The rows come in batches, and are looked at three times, so that memory holds one batch and
a few numbers a row:

- `infer_batches` (rows/infer.py) finds out what the columns are;
- `judge` types and mends each batch, notes in the ledger what that changed, and decides for every row whether it stays
  and on which side of the split it is: what needs all rows (duplicates, keys, the newest quarter) sees their hashes;
- `stream` types and mends again, and hands on the rows that stay.

The size of a batch changes nothing. `prepare` is all of it for a table in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlworkflow.core.errors import TableError, nearest
from mlworkflow.preparing.fates import Fate, Judge
from mlworkflow.preparing.ledger import Ledger
from mlworkflow.preparing.mending import note_mending, note_reading
from mlworkflow.preparing.sides import Outlying, demand_both_sides, note_rare
from mlworkflow.rows import treatments
from mlworkflow.rows.cast import read_rows
from mlworkflow.rows.describe import Description
from mlworkflow.rows.infer import infer_batches
from mlworkflow.rows.possible import possible
from mlworkflow.rows.schema import Schema, codes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlworkflow.core.problem import Problem

Batches = Callable[[], Iterable["pd.DataFrame"]]  # the raw rows, from the first on at each call
Keep = Callable[["pd.DataFrame", "pd.DataFrame"], None]  # takes train and test rows
FAULTS = 20  # that are told at once


@dataclass(frozen=True)
class Prepared:
    """What prepare leaves: the rows on both sides of the split, the schema, the ledger."""

    train: pd.DataFrame
    test: pd.DataFrame
    schema: Schema
    ledger: pd.DataFrame


@dataclass(frozen=True)
class Streamed:
    """What `stream` leaves beside the rows; `order_by` names the column that both sides are yet to be sorted by."""

    schema: Schema
    ledger: pd.DataFrame
    order_by: str | None


def prepare(raw: pd.DataFrame, problem: Problem) -> Prepared:
    """Return the typed and mended rows, split into train and test; the target of a classification as int64 codes.

    Raises:
        TableError: values cannot be read, a side has no rows, or a class has no training rows.
    """
    import pandas as pd

    parts: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    done = stream(lambda: [raw.reset_index(drop=True)], problem, lambda *sides: parts.append(sides))
    train, test = (pd.concat(side) for side in zip(*parts, strict=True))
    if done.order_by:
        train, test = (side.sort_values(done.order_by, kind="stable") for side in (train, test))
    return Prepared(train.reset_index(drop=True), test.reset_index(drop=True), done.schema, done.ledger)


def stream(batches: Batches, problem: Problem, keep: Keep) -> Streamed:
    """Give `keep` the typed and mended rows of each batch, train and test; return what they are and what was done.

    Raises:
        TableError: values cannot be read, a side has no rows, or a class has no training rows.
    """
    schema, ledger = infer_batches(batches(), problem), Ledger()
    demand_columns(schema, problem)
    fate = judge(batches, schema, problem, ledger)
    description, outlying, present = Description(schema), Outlying(schema), set[int]()
    for rows, test in _kept(batches, schema, problem, fate):
        train = rows[~test]
        description.add(train)
        outlying.add(train)
        if schema.classes:
            present.update(train[schema.target].unique().tolist())
        keep(train, rows[test])
    demand_both_sides(
        fate, schema, present, problem, lambda: (rows for rows, _ in _kept(batches, schema, problem, fate)), ledger
    )
    described = treatments.decide(description.schema(), problem.treatments)
    outlying.note(ledger)
    note_rare(description, described, ledger)
    return Streamed(described, ledger.table(), None if fate.ordered else problem.data.time)


def _kept(
    batches: Batches, schema: Schema, problem: Problem, fate: Fate
) -> Iterator[tuple[pd.DataFrame, NDArray[np.bool_]]]:
    """Yield the typed and mended rows of each batch that stay, and which of them are test rows."""
    for first, batch in _numbered(batches()):
        kept, test = fate.of(first, len(batch))
        yield _coded(possible(read_rows(batch[kept], schema)[0], problem.data.ranges), schema), test[kept]


def _coded(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the rows with the classes of the target as int64 codes."""
    return rows.assign(**{str(schema.target): codes(rows[schema.target], schema.classes)}) if schema.classes else rows


def judge(batches: Batches, schema: Schema, problem: Problem, ledger: Ledger) -> Fate:
    """Return what becomes of each row; what typing and mending change is noted in the ledger."""
    found: list[str] = []
    judged = Judge(problem)
    for first, batch in _numbered(batches()):
        typed, wrong = read_rows(batch, schema, first=first + 1)
        found += wrong[: FAULTS - len(found)]
        mended = possible(typed, problem.data.ranges)
        note_reading(batch, typed, schema, ledger)
        note_mending(typed, mended, problem.data.ranges, ledger)
        judged.add(mended)
    if found:
        raise TableError("the table", found, "Mend the rows, or problem.data (kinds, commas, dates, missing).")
    return judged.fate(ledger)


def _numbered(batches: Iterable[pd.DataFrame]) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield (rows before, batch)."""
    first = 0
    for batch in batches:
        yield first, batch
        first += len(batch)


def demand_columns(schema: Schema, problem: Problem) -> None:
    """Demand that the columns which the policy names are there, those with limits numbers, and treatments that fit.

    Raises:
        TableError: all that is wrong.
    """
    policy, kinds = problem.prepare, {column.name: column.kind for column in schema.columns}
    named: dict[str, Mapping[str, object]] = {
        "prepare.spelling": policy.spelling,
        "prepare.outliers": policy.outliers,
        "data.ranges": problem.data.ranges,
    }
    found = [
        f"problem.{key}: there is no column {name!r}{nearest(name, kinds)}"
        for key, names in named.items()
        for name in names
        if name not in kinds
    ]
    found += [
        f"problem.{key}: {name!r} must be a number, but is a {kinds[name]}"
        for key in ("prepare.outliers", "data.ranges")
        for name in named[key]
        if kinds.get(name, "number") != "number"
    ]
    if found := [*found, *treatments.mistakes(schema, problem.treatments)]:
        raise TableError("the table", found, "Mend conf/problem; data.kinds says how a column is read.")
