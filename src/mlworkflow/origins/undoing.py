"""What stood where a snapshot goes: set aside while it is taken, and put back where that fails or is killed.

The folder `.NAME.before.tmp` beside the snapshots holds the files as they were, and a list of them; the command at work
has a lock on it. Without a lock it was left by a command that was killed: the next one of that name puts all back.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, UnwritableError

Say = Callable[[str], object]
LIST = "files.json"  # path -> whether it was there; written when all is set aside but the table


@contextlib.contextmanager
def undone(name: str, table: Path, others: Sequence[Path], *, moved: bool, say: Say) -> Iterator[None]:
    """Put back the table and the other files, small ones, when the block fails, however that ends it.

    Args:
        name: of the problem.
        table: where the snapshot goes.
        others: what is written beside it.
        moved: the table is taken out of the way; else the block leaves it as it is.
        say: is told where an earlier command was killed.

    Raises:
        ProjectError: another command is taking this snapshot.
        UnwritableError: for an error of the operating system within the block.
    """
    put_back(name, say)
    folder = _folder(name)
    try:
        folder.mkdir(parents=True)
        with _locked(folder):
            try:
                _set_aside(folder, table, others, moved=moved)
                yield
            except BaseException:
                with contextlib.suppress(OSError):  # then the next command puts back what is left
                    _restore(folder)
                    _forget(folder)
                raise
            _forget(folder)
    except OSError as error:
        raise UnwritableError(table, error) from error


def put_back(name: str, say: Say) -> None:
    """Put back what a command on `name` set aside before it was killed, and tell; mostly there is nothing.

    Raises:
        ProjectError: that command is still at work.
    """
    folder = _folder(name)
    if not folder.is_dir():
        return
    try:
        with _locked(folder):
            files = _restore(folder)
            for path in map(Path, files):
                for half in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
                    half.unlink(missing_ok=True)
            _forget(folder)
    except OSError as error:
        raise UnwritableError(folder, error) from error
    if files:
        say(f"A command on {name} was killed before it ended; as before it are again {', '.join(files)}.")


def _folder(name: str) -> Path:
    return paths.SNAPSHOTS / f".{name}.before.tmp"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock on the folder; it ends with this process, however that ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ProjectError(
            f"a snapshot is taken by one command at a time, but another holds {folder}. Wait until it has ended."
        ) from error
    except OSError:
        pass  # a file system without locks


def _set_aside(folder: Path, table: Path, others: Sequence[Path], *, moved: bool) -> None:
    """Copy the small files, write the list, then move the table: at each moment it is known what to put back."""
    for number, path in enumerate(others):
        if path.is_file():
            shutil.copy2(path, folder / str(number))
    files = {path.as_posix(): path.is_file() for path in (*others, *([table] if moved else []))}
    io.write_json(files, folder / LIST)
    if moved and table.is_file():
        table.replace(folder / str(len(others)))


def _restore(folder: Path) -> list[str]:
    """Put the files back, remove those that were not there, and return all of them; none where there is no list."""
    if not (folder / LIST).is_file():
        return []
    files = io.read_json(folder / LIST)
    for number, (name, there) in enumerate(files.items()):
        if (kept := folder / str(number)).is_file():
            kept.replace(name)
        elif not there:
            Path(name).unlink(missing_ok=True)
    return list(files)


def _forget(folder: Path) -> None:
    """Remove the folder, its list first: without it nothing is put back."""
    (folder / LIST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
