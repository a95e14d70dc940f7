"""The next value is made while the last one is used, so that two cores share the work."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def ahead(made: Generator[T, None, None]) -> Iterator[T]:
    """Yield what `made` yields, one value ahead; what it raises is raised when the values before it were used.

    All of it runs in one thread beside the caller's, its end too: a connection of SQLite stays in its own thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as beside:
        coming = beside.submit(_next, made)
        try:
            while value := coming.result():
                coming = beside.submit(_next, made)
                yield from value
        finally:
            beside.submit(made.close)


def _next(made: Iterator[T]) -> list[T]:
    """Return the next value, in a list; an empty one at the end."""
    return [*islice(made, 1)]
