"""`mlworkflow new`: take the snapshot, make the problem, write both or nothing, tell what was decided and is next."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.config.conffiles import absent, file_of
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ConfError, ProjectError
from mlworkflow.new.asked import Asked
from mlworkflow.new.make import make, short_address
from mlworkflow.origins import snapshots, undoing

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.origins.snapshots import Snapshot

NAME = re.compile(r"[a-z][a-z0-9_]*")
MOST_ROWS = 2_000_000  # of a table are looked at, the first ones


class NewProblemError(ProjectError):
    """The problem cannot be added under this name."""

    def __init__(self, name: str, reason: str, next_step: str) -> None:
        super().__init__(f"a new problem needs a name of its own, but {name!r} {reason}. {next_step}")


def new(
    address: str,
    asked: Asked,
    *,
    here: Path = Path(),
    dry_run: bool = False,
    force: bool = False,
    **how: Any,
) -> None:
    """Add the problem `asked.name` on the table at `address`, and tell what was decided.

    Args:
        address: see snapshots.take.
        asked: what the user said about the table.
        here: where the user stands, for the path of a file.
        dry_run: only tell; nothing is written.
        force: replace a problem of this name, telling which files.
        how: `query` and `options` of snapshots.take.

    Raises:
        NewProblemError: the name is taken, or is no name.
        ProjectError: the source gives no table, or no problem can be made of it; nothing was written.
    """
    _demand_name(asked.name)
    if not dry_run:
        undoing.put_back(asked.name, print)
    there = _files(asked.name)
    if there and not (force or dry_run):
        names = ", ".join(map(str, there))
        raise NewProblemError(asked.name, f"is taken by {names}", "Choose another, or add --force to replace these.")
    told: list[str] = []
    file = file_of("problem", asked.name)

    def look(snapshot: Snapshot) -> None:
        text, words = _tried(snapshot, asked)
        told.append(words)
        if not dry_run:
            io.write_text(text, file)
            _demand_composes(asked.name)

    with tempfile.TemporaryDirectory() as folder:
        for path in there if force and not dry_run else []:
            print(f"Replaces {path}.")
        trial = Path(folder) if dry_run else None
        snapshot = snapshots.take(address, asked.name, here=here, look=look, beside=[file], trial=trial, **how)
    print("\n".join(told))
    print(_if_meant(asked.name, there, force) if dry_run else _next(asked.name, snapshot.path))


def _files(name: str) -> list[Path]:
    """Return the files of a problem that are there: its conf and its snapshot."""
    kept = sorted(paths.SNAPSHOTS.glob(f"{name}.*"))
    return [path for path in (file_of("problem", name), *kept) if path.is_file()]


def _demand_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise NewProblemError(name, "is none", "Use small letters, digits and _, such as churn_2024.")


def _tried(snapshot: Snapshot, asked: Asked) -> tuple[str, str]:
    """Return the text of the problem's file, and what is told, after the table was looked at."""
    table, more = _table(snapshot)
    made = make(table, snapshot, asked)
    head = f"{asked.name}: {len(table):,} rows, {table.shape[1]} columns of {short_address(snapshot.origin.address)}"
    only = f"\n(the first {len(table):,} rows were looked at; there are more)" if more else ""
    return made.text, f"{head}{only}\n\n{made.told}\n"


def _table(snapshot: Snapshot) -> tuple[pd.DataFrame, bool]:
    """Return the first rows of a snapshot, and whether there are more."""
    import pandas as pd

    parts, rows = [], 0
    for batch in snapshot.batches():
        parts.append(batch)
        rows += len(batch)
        if rows >= MOST_ROWS:
            break
    return pd.concat(parts, ignore_index=True), rows >= MOST_ROWS


def _demand_composes(name: str) -> None:
    """Demand that Hydra composes the new file: a `${...}` in a column's name would be taken for an interpolation."""
    from mlworkflow.config.conf import compose
    from mlworkflow.config.mistakes import file_mistakes, validate

    if told := absent("problem", name):
        raise ConfError([told], "Nothing was written.")
    own = [line for line in file_mistakes() if line.startswith(f"{file_of('problem', name).as_posix()}:")]
    if found := own or validate(compose([f"problem={name}"])):
        raise ConfError(found, "Rename what is named here in the source; nothing was written.")


def _if_meant(name: str, there: list[Path], force: bool) -> str:
    """Return what would come of the same command without --dry-run."""
    if there and not force:
        return f"Nothing was written, and would not be: the name is taken by {', '.join(map(str, there))}."
    return f"Nothing was written: without --dry-run, {file_of('problem', name)} would be."


def _next(name: str, snapshot: str) -> str:
    file, ignored = file_of("problem", name), (Path(snapshot).parent / ".gitignore").as_posix()
    lines = [
        f"Written: {file.as_posix()}",
        f"         {snapshot}, kept by DVC; Git keeps its .dvc file",
        "Next:",
        f"  edit question, asked_by and rights in {file.as_posix()}",
        f"  git add {file.as_posix()} {snapshot}.dvc {ignored}",
        f"  dvc exp run -S problem={name}",
        "  mlworkflow summary",
    ]
    return "\n".join(lines)
