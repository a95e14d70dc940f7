"""Mend and drop rows as the problem says, with a ledger of all that was done: nothing in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.errors import TableError
from mlworkflow.schema import Schema, cast, codes, describe, impossible, infer
from mlworkflow.split import is_test
from mlworkflow.treatments import decide

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.problem import Data, Problem


@dataclass
class Ledger:
    """What each rule did: rows seen, changed, dropped, and up to three examples."""

    lines: list[dict[str, object]] = field(default_factory=list)

    def add(
        self, rule: str, seen: int, *, changed: int = 0, dropped: int = 0, examples: list[str] | None = None
    ) -> None:
        """Note one rule; a rule that did nothing is noted too."""
        shown = "; ".join((examples or [])[:3])
        self.lines.append({"rule": rule, "seen": seen, "changed": changed, "dropped": dropped, "examples": shown})

    def table(self) -> pd.DataFrame:
        """Return the ledger as a table, a line a rule."""
        import pandas as pd

        return pd.DataFrame(self.lines, columns=["rule", "seen", "changed", "dropped", "examples"])


@dataclass(frozen=True)
class Prepared:
    """What prepare leaves: the rows on both sides of the split, the schema, the ledger."""

    train: pd.DataFrame
    test: pd.DataFrame
    schema: Schema
    ledger: pd.DataFrame


def prepare(raw: pd.DataFrame, problem: Problem) -> Prepared:
    """Return the typed and mended rows, split into train and test; the target of a classification as int64 codes.

    Raises:
        TableError: a side has no rows, or a class has no training rows.
    """
    schema, ledger = infer(raw, problem), Ledger()
    table = _typed(raw, schema, ledger)
    table = _possible(table, problem.data, ledger)
    table = _without_target(table, problem.data, ledger)
    table = _without_duplicates(table, problem.data, ledger)
    if schema.classes:
        table = table.assign(**{str(schema.target): codes(table[schema.target], schema.classes)})
    table = _in_time(table, problem, ledger)
    chosen = is_test(table, problem.data, problem.split)
    train, test = table[~chosen].reset_index(drop=True), table[chosen].reset_index(drop=True)
    ledger.add(f"split by {problem.split.scheme}: {len(train)} train, {len(test)} test", len(table))
    _demand_both_sides(train, test, schema)
    return Prepared(train, test, decide(describe(schema, train), problem.treatments), ledger.table())


def _typed(raw: pd.DataFrame, schema: Schema, ledger: Ledger) -> pd.DataFrame:
    table = cast(raw, schema)
    blank = table.isna() & raw.notna()
    for column in schema.columns:
        if (count := int(blank[column.name].sum())) > 0:
            words = [repr(word) for word in raw.loc[blank[column.name], column.name].astype(str).unique()[:3]]
            ledger.add(f"a word for missing in {column.name}", len(raw), changed=count, examples=words)
        if column.kind == "number" and raw[column.name].dtype.kind not in "iuf":
            words = raw[column.name].astype(str).head(3).tolist()
            ledger.add(f"text read as numbers in {column.name}", len(raw), changed=len(raw), examples=words)
    return table


def _without_target(table: pd.DataFrame, data: Data, ledger: Ledger) -> pd.DataFrame:
    if data.target is None:
        return table
    missing = table[data.target].isna()
    rows = [f"row {position + 1}" for position in np.flatnonzero(missing)[:3]]
    ledger.add("rows without a target", len(table), dropped=int(missing.sum()), examples=rows)
    return table[~missing]


def _without_duplicates(table: pd.DataFrame, data: Data, ledger: Ledger) -> pd.DataFrame:
    again = table.duplicated()
    rows = [f"row {label + 1}" for label in table.index[again][:3]]
    ledger.add("exact duplicates", len(table), dropped=int(again.sum()), examples=rows)
    table = table[~again]
    if not data.key:
        return table
    again = table.duplicated(subset=data.key)
    rows = [f"row {label + 1}" for label in table.index[again][:3]]
    ledger.add(f"a second row of one {', '.join(data.key)}", len(table), dropped=int(again.sum()), examples=rows)
    return table[~again]


def _possible(table: pd.DataFrame, data: Data, ledger: Ledger) -> pd.DataFrame:
    for name in map(str, table.select_dtypes("number")):
        values = table[name]
        bad = impossible(values, data.ranges.get(name, (None, None)))
        if name in data.ranges or bad.any():
            examples = [str(value) for value in values[bad].unique()[:3]]
            rule = f"impossible values of {name}, made missing"
            ledger.add(rule, len(table), changed=int(bad.sum()), examples=examples)
            table = table.assign(**{name: values.mask(bad)})
    return table


def _in_time(table: pd.DataFrame, problem: Problem, ledger: Ledger) -> pd.DataFrame:
    time = problem.data.time
    if problem.split.scheme != "time" or time is None:
        return table
    missing = table[time].isna()
    ledger.add(f"rows without {time}", len(table), dropped=int(missing.sum()))
    return table[~missing].sort_values(time, kind="stable")


def _demand_both_sides(train: pd.DataFrame, test: pd.DataFrame, schema: Schema) -> None:
    found = [f"no {side} rows are left" for side, rows in (("training", train), ("test", test)) if rows.empty]
    if schema.classes and len(train):
        present = set(train[schema.target])
        lost = [name for code, name in enumerate(schema.classes) if code not in present]
        found += [f"no training row has the class {name!r}" for name in lost]
    if found:
        raise TableError("the prepared table", found, "See reports/ledger.csv, mend problem.split or the source.")
