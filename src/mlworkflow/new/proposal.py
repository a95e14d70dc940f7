"""A problem proposed for a table: decided in the order in which people would ask; the user's word always wins."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from mlworkflow.core.errors import nearest
from mlworkflow.new.asked import Asked, Proposal, ProposalError, few
from mlworkflow.new.look import Evidence, named, one_spelling
from mlworkflow.new.measures import decide_metrics, decide_model, decide_split
from mlworkflow.new.roles import decide_reading, decide_roles
from mlworkflow.new.task import decide_positive, decide_task
from mlworkflow.rows.schema import LARGEST

if TYPE_CHECKING:
    import pandas as pd

UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)?")  # what a file's reader calls a column without a name


def propose(table: pd.DataFrame, columns: list[Evidence], asked: Asked) -> Proposal:
    """Return the problem for a raw table.

    Raises:
        ProposalError: an option names no column of the table, or what it asks for cannot be.
    """
    seen = named(columns)
    if found := [*_absent(asked, seen), *_twice(asked), *_shares(asked)]:
        raise ProposalError(found)
    if asked.target is not None:
        seen[asked.target] = one_spelling(seen[asked.target])
    made = Proposal({"name": asked.name})
    task = decide_task(made, seen, asked)
    decide_positive(made, seen, asked, task)
    decide_roles(made, columns, asked)
    decide_reading(made, columns, asked)
    decide_split(made, seen, asked, task)
    decide_metrics(made, table, asked, task)
    decide_model(made, len(table), task)
    made.doubts += _doubts(made, columns, asked)
    return made


def _absent(asked: Asked, seen: dict[str, Evidence]) -> list[str]:
    return [
        f"{option}: the table has no column {name!r}{nearest(name, seen)} (it has: {few(list(seen))})"
        for option, names in asked.columns.items()
        for name in names
        if name not in seen
    ]


def _shares(asked: Asked) -> list[str]:
    if 0 < asked.test_fraction < 1:
        return []
    return [f"--test-fraction must be above 0 and below 1, but is {asked.test_fraction}"]


def _twice(asked: Asked) -> list[str]:
    others = {option: names for option, names in asked.columns.items() if option not in ("--target", "--categorical")}
    found = [f"{option}: {asked.target!r} is the target" for option, names in others.items() if asked.target in names]
    kept = dict.fromkeys([*asked.key, asked.group, asked.time, asked.split_column])
    return found + [f"--drop: {name!r} has another part already" for name in asked.drop if name in kept]


def _doubts(made: Proposal, columns: list[Evidence], asked: Asked) -> list[str]:
    """Return what was not decided, but should be looked at."""
    data = made.problem["data"]
    inputs = [
        c
        for c in columns
        if c.name not in (asked.target, asked.time, data.get("group"), *data.get("key", []), *asked.drop)
    ]
    ordered = [c.name for c in inputs if c.kind == "time" and c.in_order and c.distinct > 20]
    found = []
    target = next((column for column in columns if column.name == asked.target), None)
    if target is not None and target.missing:
        found.append(f"{target.missing:,} rows have no {target.name!r}: they will be left out")
    if ordered and not asked.time:
        found.append(
            f"the rows are in the order of {ordered[0]!r}: if the model is to tell the future, add "
            f"--time {shlex.quote(ordered[0])}; validation by rows drawn at random flatters then"
        )
    for column in columns:
        if column.others:
            found.append(
                f"the dates of {column.name!r} can be read as {column.dates} or as {' or '.join(column.others)}"
            )
    unnamed = [c for c in inputs if UNNAMED.fullmatch(c.name)]
    found += [
        f"{c.name!r} has a value of its own in each row: if it is a key, add --key {shlex.quote(c.name)}"
        for c in inputs
        if c.unique and c.kind == "number" and c.whole and not c.huge and c not in unnamed
    ]
    found += [
        f"{c.huge:,} values of {c.name!r} are beyond {LARGEST:.1e}, with which no model computes: they count as missing"
        for c in inputs
        if c.huge
    ]
    return found + _without_names([c.name for c in unnamed])


def _without_names(names: list[str]) -> list[str]:
    if not names:
        return []
    what, stand, it = ("a column", "stands", "it") if len(names) == 1 else ("columns", "stand", "them")
    shown = few([repr(name) for name in names])
    drop = f" {' '.join(map(shlex.quote, names))}" if len(names) <= 3 else ""
    return [
        f"{shown} {stand} for {what} without a name, by the place from 0: name {it} in the source, or leave {it} out "
        f"by --drop{drop}"
    ]
