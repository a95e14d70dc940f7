"""The next value is made while the last one is used, so that two cores share the work."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(made: Generator[T, None, None]) -> Iterator[T]:
    """Yield what `made` yields, one value ahead; what it raises is raised when the values before it were used.

    All of it runs in one thread beside the caller's, its end too: a connection of SQLite stays in its own thread.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as beside:
        coming = beside.submit(next, made, end)
        try:
            while (value := coming.result()) is not end:
                coming = beside.submit(next, made, end)
                yield value  # type: ignore[misc]  # only `end` is no T
        finally:
            beside.submit(made.close)
