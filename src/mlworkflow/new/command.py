"""`mlworkflow new`: take the snapshot, make the problem, write both or nothing, tell what was decided and is next."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow import io, snapshots
from mlworkflow.conffiles import absent, file_of
from mlworkflow.errors import ConfError, ProjectError
from mlworkflow.new.asked import Asked
from mlworkflow.new.make import make

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.snapshots import Snapshot

NAME = re.compile(r"[a-z][a-z0-9_]*")
MOST_ROWS = 2_000_000  # of a table are looked at, the first ones
Say = Callable[[str], None]


class NewProblemError(ProjectError):
    """The problem cannot be added under this name."""

    def __init__(self, name: str, reason: str, next_step: str) -> None:
        super().__init__(f"a new problem needs a name of its own, but {name!r} {reason}. {next_step}")


def new(
    address: str, asked: Asked, *, dry_run: bool = False, force: bool = False, say: Say = print, **how: Any
) -> None:
    """Add the problem `asked.name` on the table at `address`, and tell what was decided.

    Args:
        address: see snapshots.take.
        asked: what the user said about the table.
        dry_run: only tell; nothing is written.
        force: replace a problem of this name, telling which files.
        say: takes what is told, a part at a time.
        how: `query` and `pages` of snapshots.take.

    Raises:
        NewProblemError: the name is taken, or is no name.
        ProjectError: the source gives no table, or no problem can be made of it; nothing was written.
    """
    there = _files(asked.name)
    _demand_name(asked.name, there, force or dry_run)
    if dry_run:
        with tempfile.TemporaryDirectory() as folder:
            snapshot = snapshots.take(address, asked.name, folder=Path(folder), track=False, say=say, **how)
            say(_tried(snapshot, asked)[1])
        say(f"Nothing was written: without --dry-run, {file_of('problem', asked.name)} and its snapshot would be.")
        return
    for path in there if force else []:
        say(f"Replaces {path}.")
    with _as_before_on_failure(asked.name):
        snapshot = snapshots.take(address, asked.name, say=say, **how)
        text, told = _tried(snapshot, asked)
        io.write_text(text, file_of("problem", asked.name))
        _demand_composes(asked.name)
    say(told)
    say(_next(asked.name, snapshot))


def _files(name: str) -> list[Path]:
    """Return the files of a problem that are there: its conf and its snapshot."""
    kept = sorted(snapshots.FOLDER.glob(f"{name}.*"))
    return [path for path in (file_of("problem", name), *kept) if path.is_file()]


def _demand_name(name: str, there: list[Path], force: bool) -> None:
    if not NAME.fullmatch(name):
        raise NewProblemError(name, "is none", "Use small letters, digits and _, such as churn_2024.")
    if there and not force:
        names = ", ".join(map(str, there))
        raise NewProblemError(name, f"is taken by {names}", "Choose another, or add --force to replace these.")


def _tried(snapshot: Snapshot, asked: Asked) -> tuple[str, str]:
    """Return the text of the problem's file, and what is told, after the table was looked at."""
    table, more = _table(snapshot.source)
    made = make(table, snapshot, asked)
    head = f"{asked.name}: {len(table):,} rows, {table.shape[1]} columns of {snapshot.origin.address}"
    only = f"\n(the first {len(table):,} rows were looked at; there are more)" if more else ""
    return made.text, f"{head}{only}\n\n{made.told}\n"


def _table(source: dict[str, Any]) -> tuple[pd.DataFrame, bool]:
    """Return the first rows of a snapshot, and whether there are more."""
    import pandas as pd

    from mlworkflow.tablefiles import batches

    how = {key: value for key, value in source.items() if key not in ("_target_", "path")}
    parts, rows = [], 0
    for batch in batches(Path(source["path"]), **how):
        parts.append(batch)
        rows += len(batch)
        if rows >= MOST_ROWS:
            break
    return pd.concat(parts, ignore_index=True), rows >= MOST_ROWS


def _demand_composes(name: str) -> None:
    """Demand that Hydra composes the new file: a `${...}` in a column's name would be taken for an interpolation."""
    from mlworkflow.conf import compose
    from mlworkflow.mistakes import file_mistakes, validate

    if told := absent("problem", name):
        raise ConfError([told], "Nothing was written.")
    own = [line for line in file_mistakes() if line.startswith(f"{file_of('problem', name).as_posix()}:")]
    if found := own or validate(compose([f"problem={name}"])):
        raise ConfError(found, "Rename what is named here in the source; nothing was written.")


def _next(name: str, snapshot: Snapshot) -> str:
    file = file_of("problem", name)
    lines = [
        f"Written: {file} and {snapshot.path} (kept by DVC; Git keeps {snapshot.path}.dvc). Next:",
        f"  git add {file} {snapshot.path}.dvc {snapshot.path.parent / '.gitignore'}",
        f"  dvc exp run -S problem={name}",
        "  mlworkflow summary",
    ]
    return "\n".join(lines)


@contextmanager
def _as_before_on_failure(name: str) -> Iterator[None]:
    """Leave the files of a problem as they were when the block fails, however it does."""
    ignore = snapshots.FOLDER / ".gitignore"
    snapshots.FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=snapshots.FOLDER) as folder:
        kept = {path: Path(folder) / path.name for path in [*_files(name), ignore] if path.is_file()}
        for path, copy in kept.items():
            _link(path, copy)
        try:
            yield
        except BaseException:
            for path in [*_files(name), ignore]:
                path.unlink(missing_ok=True)
            for path, copy in kept.items():
                _link(copy, path)
            raise


def _link(source: Path, target: Path) -> None:
    """Make `target` the same file, or a copy where the disk has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def retake(name: str) -> str:
    """Take the snapshot of a problem anew; return what to do next.

    Raises:
        ConfError: there is no such problem.
        ProjectError: the source refuses; the snapshot is as it was.
    """
    from mlworkflow.conf import compose
    from mlworkflow.problem import Problem

    if told := absent("problem", name):
        raise ConfError([told], "Name one that is there.")
    return snapshots.retake(Problem.model_validate(compose([f"problem={name}"])["problem"]))
