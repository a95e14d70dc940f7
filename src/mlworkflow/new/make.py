"""A problem of the repository from a table that nobody has seen: looked at, decided, tried, told; nothing written here.

A map for the next reader: look.py collects the evidence, proposal.py decides, `make` tries the decisions on the rows as
the stages will, problemfile.py writes them down. The command that takes the snapshot and writes is command.py.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import ConfError, TableError
from mlworkflow.core.problem import Problem
from mlworkflow.new import problemfile
from mlworkflow.new.asked import Asked, Proposal, on_a_line
from mlworkflow.new.proposal import propose

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.exploring.findings import Finding
    from mlworkflow.origins.snapshots import Snapshot
    from mlworkflow.rows.schema import Column, Schema

WIDTH = 80
MOST_COLUMNS = 40  # told one by one
MOST_FINDINGS = 12
MOST_LETTERS = 1000  # of a column's name: in YAML a key has at most 1024
MANY_VALUES = 1_000_000  # take so long that it must be told what is being done
ORDER = (
    "name", "question", "asked_by", "task", "clusters", "snapshot", "source", "origin", "data", "contract", "prepare",
    "split", "metrics", "stopping", "rights",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A problem that was tried: its file in conf/problem/, and what to tell about it."""

    problem: Problem
    text: str
    told: str


def make(table: pd.DataFrame, snapshot: Snapshot, asked: Asked, say: Callable[[str], None] = print) -> Made:
    """Return the problem of a raw table, tried as far as its prepared rows.

    Args:
        table: its rows as they came.
        snapshot: where they are.
        asked: what the user said about them.
        say: takes a line before each step, where the table has MANY_VALUES or more.

    Raises:
        ProposalError: the options do not fit the table.
        TableError: the table cannot carry a problem, or not this one; every reason at once.
    """
    from mlworkflow.exploring.explore import explore
    from mlworkflow.new.look import look
    from mlworkflow.preparing.prepare import prepare

    _demand_table(table)
    step = say if table.size >= MANY_VALUES else lambda _: None
    step(f"Looking at {table.shape[1]:,} columns of {len(table):,} rows ...")
    columns = look(table)
    proposal = propose(table, columns, asked)
    sections = _sections(proposal, snapshot, asked)
    problem = _valid(sections)
    _demand_fit(table, problem)
    step("Preparing the rows ...")
    prepared = prepare(table, problem)
    sections = _in_order(sections | {"contract": _contract(table, problem)})
    step("Looking for what is doubtful ...")
    found = explore(table, prepared.train, prepared.schema, by_time=problem.split.scheme == "time")
    told = [*_decided(proposal), "", *_columns(prepared.schema), "", *_doubtful(proposal, found)]
    where = short_address(snapshot.origin.address)
    note = f"{asked.target or 'Groups'} of {where}: {len(table):,} rows, {table.shape[1]} columns."
    return Made(_valid(sections), problemfile.text(proposal, sections, note), "\n".join(told))


def _demand_table(table: pd.DataFrame) -> None:
    if table.empty:
        raise TableError("the source table", ["it has no rows"], "Nothing was written.")
    lengths = {place: len(str(name)) for place, name in enumerate(table, start=1)}
    if long := [place for place, length in lengths.items() if length > MOST_LETTERS]:
        told = [
            f"the name of column {place} has {lengths[place]:,} letters, more than {MOST_LETTERS}" for place in long
        ]
        raise TableError("the source table", told, "Shorten it in the source; nothing was written.")


def _sections(proposal: Proposal, snapshot: Snapshot, asked: Asked) -> dict[str, Any]:
    """Return the problem as it goes into its file, but for the contract."""
    target = f"{asked.target} of a row" if asked.target else "groups of the rows"
    origin = snapshot.origin.model_dump(exclude_none=True)
    return {
        **proposal.problem,
        "question": f"What is the {target} of {asked.name}?"
        if asked.target
        else f"Which are the groups in {asked.name}?",
        "asked_by": "whoever added the table",
        "snapshot": snapshot.path,
        "source": snapshot.source,
        "origin": origin,
        "rights": {
            "licence": "not stated",
            "source": short_address(snapshot.origin.address),
            "personal_data": bool(proposal.problem["data"].get("key") or proposal.problem["data"].get("group")),
            "notes": "Not checked yet; mlworkflow new takes rows with a key or a group for personal.",
        },
    }


def short_address(address: str) -> str:
    """Return an address without the folders of this machine."""
    return Path(address).name if Path(address).is_absolute() else address


def _in_order(sections: dict[str, Any]) -> dict[str, Any]:
    return {key: sections[key] for key in ORDER if key in sections}


def _valid(sections: dict[str, Any]) -> Problem:
    """Return the problem; its own mistakes would be ours.

    Raises:
        ConfError: a combination of options that the schema of a problem refuses.
    """
    from mlworkflow.config.question import problem_mistakes

    problem = Problem.model_validate(sections)
    if found := [told for told in problem_mistakes(problem) if not told.startswith("snapshot")]:
        raise ConfError(found, "Choose other options; nothing was written.")
    return problem


def _demand_fit(table: pd.DataFrame, problem: Problem) -> None:
    from mlworkflow.stages.collect import mistakes

    if found := mistakes(table, problem):
        raise TableError("the source table", found, "Mend the source or choose other options; nothing was written.")


def _contract(table: pd.DataFrame, problem: Problem) -> dict[str, Any]:
    from mlworkflow.new.rules import rules_for

    return {name: rule.model_dump(exclude_defaults=True) for name, rule in rules_for(table, problem).items()}


# ---- what is told ----------------------------------------------------------------------------------------------------


def _decided(proposal: Proposal) -> list[str]:
    """Return a line for each decision: what, the value, why."""
    wide = max(len(decision.what) for decision in proposal.decisions)
    lines = ["Decided (an option changes it):"]
    for decision in proposal.decisions:
        lines += _wrapped(f"{decision.what:<{wide}}  {decision.value}: {decision.why}", wide + 4)
    return lines


def _columns(schema: Schema) -> list[str]:
    """Return a line for each column: its role or kind, what a model is shown, its missing values."""
    shown = schema.columns[:MOST_COLUMNS]
    wide = min(max(len(on_a_line(column.name)) for column in shown), 28)
    lines = ["Columns:"]
    lines += [_short(f"  {_short(column.name, wide):<{wide}}  {_about(column)}", WIDTH) for column in shown]
    more = len(schema.columns) - len(shown)
    return [*lines, f"  and {more} more"] if more else lines


def _about(column: Column) -> str:
    if column.role not in ("input", "time"):
        return f"{column.kind}, {column.role}"
    gone = f", missing {column.missing:.1%}" if column.missing else ""
    role = ", orders the rows" if column.role == "time" else ""
    return f"{column.kind}{role}{gone} -> {column.treatment}: {column.why}"


def _short(name: str, wide: int) -> str:
    name = on_a_line(name)
    return name if len(name) <= wide else name[: wide - 1] + "…"


def _doubtful(proposal: Proposal, found: list[Finding]) -> list[str]:
    """Return what a person should look at, the worst first."""
    told = [finding for finding in found if finding.severity != "low"]
    lines = [line for finding in told[:MOST_FINDINGS] for line in _wrapped(f"{finding.severity}: {finding.what}", 4)]
    lines += [line for doubt in proposal.doubts for line in _wrapped(doubt, 4)]
    more = len(found) - len(told[:MOST_FINDINGS])
    if more:
        lines.append(f"  {'and ' if lines else ''}{more} lesser findings, in reports/explore.html after the run")
    return ["Look at:", *lines] if lines else ["Nothing doubtful was found."]


def _wrapped(line: str, indent: int) -> Iterable[str]:
    return textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent=" " * indent)
