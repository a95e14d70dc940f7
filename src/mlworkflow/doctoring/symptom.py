"""What a check of `mlworkflow doctor` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST = 4  # names on a line


@dataclass(frozen=True)
class Symptom:
    """Something wrong, or (a hint) something to know that stops nobody."""

    told: str
    do: str
    hint: bool = False


Check = Callable[[Path], Iterable[Symptom]]
Found = Iterator[Symptom]


def some(names: Sequence[object], most: int = MOST) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(str(name) for name in names[:most]) + more
