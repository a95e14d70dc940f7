"""Three-way choice: what did which side change since the ancestor?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from mlworkflow.core.errors import ProjectError


class Side(Enum):
    """What a merge takes: a side, or neither, as both changed the thing and differently."""

    OURS = "ours"
    THEIRS = "theirs"
    NEITHER = "neither"


class _Absent:
    """What a side does not have; it equals itself alone."""

    def __repr__(self) -> str:
        return "(not there)"


ABSENT: Any = _Absent()


class UnmergeableError(ProjectError):
    """A file that no driver can merge; it is left to Git's merge of lines."""


def pick(base: Any, ours: Any, theirs: Any) -> Side:
    """Return the side to take: the one that changed, ours where both are equal."""
    if same(ours, theirs) or same(theirs, base):
        return Side.OURS
    return Side.THEIRS if same(ours, base) else Side.NEITHER


def same(one: Any, other: Any) -> bool:
    """Return whether two values of YAML or JSON say the same; 1, 1.0 and true differ, the order of keys does not."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


def order(ours: Iterable[Any], theirs: Iterable[Any]) -> list[Any]:
    """Return our names in our order, and each that only they have behind the one that it follows on their side."""
    names, before = [*ours], None
    for name in theirs:
        if name not in names:
            names.insert(names.index(before) + 1 if before is not None else 0, name)
        before = name
    return names
