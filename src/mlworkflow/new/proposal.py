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
from mlworkflow.rows.possible import LARGEST

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
    taken = {asked.target, asked.time, data.get("group"), *data.get("key", []), *asked.drop}
    inputs = [column for column in columns if column.name not in taken]
    return [
        *(
            f"{one.missing:,} rows have no {one.name!r}: they will be left out"
            for one in columns
            if one.name == asked.target and one.missing
        ),
        *([] if asked.time else _ordered(inputs)),
        *(
            f"the dates of {one.name!r} can be read as {one.dates} or as {' or '.join(one.others)}"
            for one in columns
            if one.others
        ),
        *_numbers(inputs),
        *_without_names([one.name for one in inputs if UNNAMED.fullmatch(one.name)]),
    ]


def _ordered(inputs: list[Evidence]) -> list[str]:
    """Return that the rows come in an order of time, where they do."""
    times = [one.name for one in inputs if one.kind == "time" and one.in_order and one.distinct > 20]
    return [
        f"the rows are in the order of {name!r}: if the model is to tell the future, add --time {shlex.quote(name)}; "
        "validation by rows drawn at random flatters then"
        for name in times[:1]
    ]


def _numbers(inputs: list[Evidence]) -> list[str]:
    """Return the numbers that may be keys, and those that are too large."""
    return [
        f"{one.name!r} has a value of its own in each row: if it is a key, add --key {shlex.quote(one.name)}"
        for one in inputs
        if one.unique and one.kind == "number" and one.whole and not one.huge and not UNNAMED.fullmatch(one.name)
    ] + [
        f"{one.huge:,} values of {one.name!r} are beyond {LARGEST:.1e}, with which no model computes: they count as "
        "missing"
        for one in inputs
        if one.huge
    ]


def _without_names(names: list[str]) -> list[str]:
    """Return that columns have no name, and what to do."""
    if not names:
        return []
    what, stand, it = ("a column", "stands", "it") if len(names) == 1 else ("columns", "stand", "them")
    shown = few([repr(name) for name in names])
    drop = f" {' '.join(map(shlex.quote, names))}" if len(names) <= 3 else ""
    return [
        f"{shown} {stand} for {what} without a name, by the place from 0: name {it} in the source, or leave {it} out "
        f"by --drop{drop}"
    ]
