"""Takes a snapshot of a source - a file, a download, a database, an API, a function - and lets DVC version it.

A snapshot is a file in data/source/, whole or not there, and its origin: where it was taken from, when, and no secret.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlworkflow import sources
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, TableError, UnreadableError
from mlworkflow.core.problem import Api, Origin, Problem
from mlworkflow.files import archives, tables
from mlworkflow.origins import addresses, api, databases, downloads, functions, undoing

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], object]
TAKEN = re.compile(r"""(\btaken:\s*)("[^"]*"|'[^']*'|[^\s,}#]+)""")


@dataclass(frozen=True)
class Snapshot:
    """A file that was taken: its path, the `source` that reads it in conf/problem, and where it is from."""

    path: str
    source: dict[str, Any]
    origin: Origin

    def batches(self) -> Iterator[pd.DataFrame]:
        """Return the rows, batch by batch."""
        return sources.file(**{key: value for key, value in self.source.items() if key != "_target_"})


def take(
    address: str,
    name: str,
    *,
    query: str | None = None,
    options: Api | None = None,
    say: Say = print,
    here: Path = Path(),
    look: Callable[[Snapshot], object] | None = None,
    beside: Sequence[Path] = (),
    trial: Path | None = None,
) -> Snapshot:
    """Take a snapshot of `address` as data/source/NAME, printing each command of DVC; what was there is replaced.

    `here` is where the user stands, for the path of a file. `look` is called with the snapshot before it is kept: what
    it raises undoes all, also the files that it writes, which `beside` names. With `trial`, a folder, the snapshot is
    laid there only to be looked at, a file stays where it is, and DVC keeps no version.

    Raises:
        ProjectError: it cannot be taken; nothing half-written is left, and what was there before is as it was.
    """
    typed, form = address, addresses.form_of(address)
    _demand_fitting(form, address, query, options)
    if form == "file":
        address = _from_root(here / address)
        if Path(address).is_dir():
            raise UnreadableError(typed, "it is a folder", "Name a file in it.")
    with _told_of(typed, address):
        path = _path(address, form, name, trial or paths.SNAPSHOTS)
    if trial is None and not Path(".dvc").is_dir():
        raise ProjectError("a snapshot is versioned by DVC, but there is no .dvc folder here. Type `dvc init`, commit.")
    kept = addresses.without_secrets(address)
    taken = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    origin = Origin(address=kept, query=query, api=options if form == "api" else None, taken=taken)
    if form == "database" and kept != address:
        say("The password in the address is not kept: PGPASSWORD, or ${NAME} in the address, gives it another time.")
    others = [Path(f"{path}.dvc"), path.parent / ".gitignore", *beside]
    in_place = form == "file" and Path(address) == path
    undone = undoing.undone(name, path, others, moved=not in_place, say=say) if trial is None else None
    with undone or contextlib.nullcontext(), _told_of(typed, address, path):
        _fetch(address, form, path, origin, say)
        source = {"_target_": "mlworkflow.sources.file", "path": path.as_posix(), **tables.sniff(path)}
        snapshot = Snapshot(path.as_posix(), source, origin)
        (look or _demand_rows)(snapshot)
        if not in_place:
            others[0].unlink(missing_ok=True)  # `dvc add` would keep the address of an import in it
        if trial is None:
            downloads.dvc(["add", path.as_posix()], say)
    return snapshot


def retake(problem: Problem, say: Say = print) -> Snapshot:
    """Take the snapshot of a problem anew from its origin.

    Raises:
        ProjectError: the problem has no origin, or it cannot be taken; the old snapshot is as it was.
    """
    origin, path = problem.origin, Path(problem.snapshot)
    if origin is None:
        raise ProjectError(
            f"a snapshot is taken anew from problem.origin, but the problem {problem.name} has none. "
            "Write `origin: {address: ...}` into its file in conf/problem, or replace the snapshot and `dvc add` it."
        )
    name = path.name.removesuffix(_suffix(path.name))
    return take(origin.address, name, query=origin.query, options=origin.api, say=say)


def refresh(name: str, say: Say = print) -> str:
    """Take the snapshot of a problem of conf/ anew, note the time in its file, and return what came of it in words."""
    from mlworkflow.config.conf import compose

    problem = Problem.model_validate(compose([f"problem={name}"])["problem"])
    path, conf = Path(problem.snapshot), paths.CONF / "problem" / f"{name}.yaml"
    before = io.sha256(path) if path.is_file() else ""
    snapshot = retake(problem, say)
    if io.sha256(path) == before:
        return f"{path} is as it was: nothing new at {snapshot.origin.address}."
    text = io.read_bytes(conf).decode()
    io.write_text(TAKEN.sub(rf'\g<1>"{snapshot.origin.taken}"', text, count=1), conf)
    lines = [f"{path} is new. Type `dvc exp run -S problem={name}`, then commit {path}.dvc and {conf}."]
    now, then = snapshot.source, problem.source.config()
    if changed := [key for key in now if now[key] != then.get(key, now[key])]:
        told = ", ".join(f"{key} {now[key]!r} instead of {then[key]!r}" for key in changed)
        lines.append(f"It is written otherwise than before: {told}. Mend problem.source in {conf}.")
    return "\n".join(lines)


def _demand_fitting(form: str, address: str, query: str | None, options: Api | None) -> None:
    """Demand that a database has a query and nothing else has one, and that no secret would be kept."""
    bare = addresses.without_secrets(address)
    if form == "database" and not query:
        raise ProjectError(f"a database needs a query, but {bare} has none. Say which rows: SELECT ... FROM ...")
    if form != "database" and query:
        raise ProjectError(f"a query is for a database, but {bare} is a {form}. Leave the query out.")
    if form != "api" and options is not None:
        raise ProjectError(f"options of an API are for an API, but {bare} is a {form}. Write api+https://...")
    if form == "download":
        downloads.demand_plain(address)
    if form == "api" and bare != address:
        raise addresses.SecretError(address, "Name an environment variable with its token, or write ?key=${NAME}.")


def _demand_rows(snapshot: Snapshot) -> None:
    """Demand that the first rows can be read."""
    next(snapshot.batches())


def _from_root(path: Path) -> str:
    """Return the path of a file from the repository's root, or as it is where the file is elsewhere."""
    whole = Path(os.path.abspath(path))
    return (whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole).as_posix()


def _path(address: str, form: str, name: str, folder: Path) -> Path:
    """Return where the snapshot goes; a file that is in data/source/ already, or only looked at, stays where it is."""
    if form in ("database", "function"):
        return folder / f"{name}.parquet"
    if form == "api":
        return folder / f"{name}.jsonl.gz"
    if form == "file" and (folder != paths.SNAPSHOTS or Path(address).parent == folder):
        return Path(address)
    return folder / f"{name}{_suffix(Path(urlsplit(address).path if form == 'download' else address).name)}"


def _suffix(name: str) -> str:
    """Return the suffix of a table's file: `.csv`, `.csv.gz`, `.zip`.

    Raises:
        UnreadableError: it is none.
    """
    if not tables.is_table(Path(name)):
        told = f"its suffix is none of {', '.join(tables.SUFFIXES)}, with or without {', '.join(archives.PACKED)}"
        raise UnreadableError(name, told, "Save it as one of these.")
    packed = Path(name).suffix if Path(name).suffix.lower() in archives.PACKED else ""
    inner = Path(name.removesuffix(packed)).suffix
    return ((inner if inner.lower() in tables.SUFFIXES else "") + packed).lower()


@contextlib.contextmanager
def _told_of(typed: str, *inner: object) -> Iterator[None]:
    """Tell a fault of a file that was made on the way as one of the source, which the user knows and can mend."""
    try:
        yield
    except (UnreadableError, TableError) as error:
        if str(error.about) not in {*map(str, inner), *(Path(str(name)).name for name in inner)}:
            raise
        raise type(error)(addresses.without_secrets(typed), *error.told) from error


def _fetch(address: str, form: str, path: Path, origin: Origin, say: Say) -> None:
    """Lay the file of an address at `path`, whole or not at all."""
    if form == "download":
        downloads.fetch(address, path, say)
    elif form == "file":
        _copy(Path(address), path)
    elif form == "function":
        functions.take(address, path)
    else:
        with io.replacing(path) as temporary:
            if form == "database":
                databases.take(address, origin.query or "", temporary)
            else:
                api.take(address, origin.api or Api(), temporary, say)


def _copy(source: Path, path: Path) -> None:
    archives.demand_file(source)
    if source == path:
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise UnreadableError(source, f"it is not: {error.strerror}", "Allow reading it.") from error
    with file, io.replacing(path) as temporary, temporary.open("wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
