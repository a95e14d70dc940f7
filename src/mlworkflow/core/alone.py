"""One at a time: the lock of a file, which goes with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlworkflow.core.errors import ProjectError, UnwritableError


@contextmanager
def alone(path: Path, busy: ProjectError | None = None, *, mode: int = 0o777) -> Iterator[None]:
    """Hold the lock of an empty file, made where it is missing.

    Args:
        path: the file.
        busy: is raised where another holds it; None: its end is waited for.
        mode: of the file's folder, where that is made.

    Raises:
        UnwritableError: the file cannot be made.
    """
    try:
        path.parent.mkdir(mode=mode, parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise UnwritableError(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if busy is None else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise busy or error from error
        yield
