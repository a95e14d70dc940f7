"""What the user said about a table, and what was decided about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlworkflow.core.errors import ProjectError, listed
from mlworkflow.core.problem import Task


@dataclass(frozen=True)
class Asked:
    """What the user said about the table; None and empty: decide."""

    name: str
    target: str | None = None
    task: Task | None = None
    metric: str | None = None
    positive: str | None = None
    key: list[str] = field(default_factory=list)
    group: str | None = None
    time: str | None = None
    split_column: str | None = None
    drop: list[str] = field(default_factory=list)
    categorical: list[str] = field(default_factory=list)
    test_fraction: float = 0.25

    @property
    def columns(self) -> dict[str, list[str]]:
        """The columns that each option names."""
        single = {
            "--target": self.target,
            "--group": self.group,
            "--time": self.time,
            "--split-column": self.split_column,
        }
        return {
            **{option: [name] for option, name in single.items() if name is not None},
            **{"--key": self.key, "--drop": self.drop, "--categorical": self.categorical},
        }


@dataclass(frozen=True)
class Decision:
    """One thing that was decided: what, for which value, and why."""

    what: str
    value: str
    why: str


@dataclass
class Proposal:
    """A problem as it would stand in conf/problem/, the decisions behind it, and what a person should look at."""

    problem: dict[str, Any]
    decisions: list[Decision] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)  # of a classification, the commonest first
    model: str = "linear"
    search: str = "bayesian"

    def decide(self, what: str, value: object, why: str) -> None:
        """Note a decision."""
        self.decisions.append(Decision(what, on_a_line(str(value)), on_a_line(why)))


class ProposalError(ProjectError):
    """The options do not fit the table; all reasons at once."""

    def __init__(self, found: Iterable[str]) -> None:
        super().__init__(f"the options must fit the table, but:\n{listed(found)}\nMend them; nothing was written.")


def on_a_line(words: str) -> str:
    """Return words with what would break the line, or be unseen, as Python writes it."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in words)


def few(names: Sequence[str], most: int = 12) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
