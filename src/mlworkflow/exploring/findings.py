"""What a check of the data looks at and what it says: a finding is a reason to look, not a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mlworkflow.pages.templates import number
from mlworkflow.rows.sampling import thin

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlworkflow.rows.schema import Column, Schema

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")

MOST_ROWS = 100_000  # associations are measured on this many evenly spaced rows
MOST_ALIKE = 6  # findings of one kind told one by one; further columns are named together
MOST_NAMES = 12  # listed in one finding


@dataclass(frozen=True)
class Finding:
    """One thing to look at: its name, how bad, in which column (None: the whole table), what it is in a sentence."""

    kind: str  # a short name that stays the same, such as `leak`
    severity: Severity
    column: str | None
    what: str
    weight: float = field(default=0.0, compare=False)  # sorts findings that are equally bad

    def to_dict(self) -> dict[str, str | None]:
        """Return what goes into findings.json."""
        return {"kind": self.kind, "severity": self.severity, "column": self.column, "what": self.what}


class Columns(Protocol):
    """A table whose columns are taken one by one: a DataFrame, or `io.Columns` of a large file."""

    @property
    def columns(self) -> pd.Index:
        """The names of the columns."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return one column."""


@dataclass(frozen=True)
class Data:
    """What is looked at: the raw table, the prepared training rows, their schema, which raw rows are test rows."""

    raw: Columns
    train: pd.DataFrame
    schema: Schema
    test: NDArray[np.bool_] | None = None  # (raw rows,); None where equal rows are on one side of the split anyway
    by_time: bool = False  # whether the split, and so the validation, is by time already

    @cached_property
    def sample(self) -> pd.DataFrame:
        """At most MOST_ROWS evenly spaced training rows."""
        return thin(self.train, MOST_ROWS)

    @property
    def time(self) -> str | None:
        """The column that orders the training rows, or None."""
        return next((name for name in self.schema.with_role("time") if name in self.train), None)

    @cached_property
    def ordered(self) -> pd.DataFrame:
        """The sample from the earliest row to the latest; in the order of the file where there is no time."""
        if self.time is None:
            return self.sample
        return self.sample.iloc[self.sample[self.time].argsort(kind="stable").to_numpy()]

    @cached_property
    def target(self) -> NDArray[Any] | None:
        """The target of the sample: (n,) codes or values; None where there is none."""
        name = self.schema.target
        return None if name is None or name not in self.train else self.sample[name].to_numpy()

    @property
    def inputs(self) -> list[Column]:
        """The input columns that the training rows really have."""
        return [column for column in self.schema.inputs if column.name in self.train]


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """Return the findings in the order in which they are told."""
    return sorted(found, key=lambda one: (SEVERITIES.index(one.severity), -one.weight))


def capped(found: list[Finding]) -> list[Finding]:
    """Return the findings of one kind, those of many columns beyond the first few as one."""
    ordered = worst_first(found)
    first, rest = ordered[:MOST_ALIKE], ordered[MOST_ALIKE:]
    if len(rest) < 2:
        return ordered
    names = listed([one.column or "?" for one in rest])
    what = f"{len(rest)} further columns likewise, less marked: {names}."
    return [*first, Finding(rest[0].kind, rest[0].severity, None, what, first[-1].weight)]


def listed(names: Sequence[str]) -> str:
    """Return the first names in quotes, and how many more there are."""
    return first_few([repr(name) for name in names])


def first_few(words: Sequence[str]) -> str:
    """Return the first words, and how many more there are."""
    more = f" and {len(words) - MOST_NAMES} more" if len(words) > MOST_NAMES else ""
    return ", ".join(words[:MOST_NAMES]) + more


def many(count: int, word: str) -> str:
    """Return the count and the word, in the plural where it must be."""
    return f"{number(int(count))} {word}" + ("" if count == 1 else "s")


def only(names: Sequence[str]) -> str | None:
    """Return the name where there is just one."""
    return names[0] if len(names) == 1 else None
