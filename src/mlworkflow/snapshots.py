"""A snapshot of a source: one file in data/source/ that DVC versions, and where it came from, without secrets.

A map for the next reader: `take` looks at the address and writes the file; a file on the web or on S3 is left to
`dvc import-url`, so that `dvc update` notices a change there; all else is fetched and given to `dvc add`. `retake`
takes the snapshot of a problem anew.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlworkflow import io, tablefiles
from mlworkflow.errors import ProjectError
from mlworkflow.problem import Origin, Problem
from mlworkflow.processes import DVC, without
from mlworkflow.sources import apis, databases, functions
from mlworkflow.sources.apis import Pages
from mlworkflow.sources.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path("data/source")
FILE = "mlworkflow.sources.file"
WEB, S3 = ("http://", "https://"), ("s3://",)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that was taken: its file, how conf/ names it as a source, where it came from."""

    path: Path
    source: dict[str, Any]
    origin: Origin


def take(
    address: str,
    name: str,
    *,
    query: str | None = None,
    pages: Pages | None = None,
    say: Say = print,
    folder: Path = FOLDER,
    track: bool = True,
) -> Snapshot:
    """Return the snapshot of a source, written to `folder` whole or not at all.

    Args:
        address: a path; http://, https:// or s3:// and a file; an SQLAlchemy address; api+https://; module:function.
        name: that of the file, its suffix is found.
        query: for a database.
        pages: for an API.
        say: told each DVC command that is run.
        folder: where it is written.
        track: whether DVC versions it; without, it is only fetched.

    Raises:
        SourceError: the source refuses or gives no table.
        UnreadableError, TableError: what it gave is no table.
        UnwritableError: the disk is full, the folder is read-only.
    """
    _demand_query(address, query)
    if address.startswith((*WEB, *S3)):
        path = _imported(address, folder / _file_name(address, name), say, track)
        return _snapshot(path, Origin(address=databases.without_password(address)))
    if address.startswith(apis.PREFIX):
        path = _fetched_pages(address, folder / f"{name}.jsonl.gz", pages or Pages())
        kept = {key: str(value) for key, value in asdict(pages or Pages()).items() if value is not None}
        origin = Origin(address=databases.without_password(address), pages=kept, taken=_now())
    elif "://" in address:
        path = _fetched(databases.fetch(address, str(query)), folder / f"{name}.parquet")
        origin = Origin(address=databases.without_password(address), query=query, taken=_now())
    elif functions.ADDRESS.fullmatch(address) and not Path(address).exists():
        path = _fetched(functions.fetch(address), folder / f"{name}.parquet")
        origin = Origin(address=address, taken=_now())
    else:
        path, origin = _copied(Path(address), folder, name), Origin(address=_shown(Path(address)))
    if track:
        _dvc(say, "add", "--quiet", path.as_posix())
    return _snapshot(path, origin)


def retake(problem: Problem, say: Say = print) -> str:
    """Take the snapshot of a problem anew from its origin; return what to do next.

    Raises:
        SourceError: the problem has no origin, or the source refuses; the snapshot is as it was.
    """
    origin, path = problem.origin, Path(problem.snapshot)
    if origin is None:
        raise SourceError(f"conf/problem/{problem.name}.yaml", "it names no origin", "Add one, or change its source.")
    if origin.address.startswith((*WEB, *S3)):
        _dvc(say, "update", "--quiet", f"{path.as_posix()}.dvc")
        return f"{path} is as its address has it now."
    stem = path.name.split(".")[0]
    take(origin.address, stem, query=origin.query, pages=Pages(**origin.pages), say=say, folder=path.parent)
    return f"{path} is taken anew. Put {_now()} behind `taken:` in conf/problem/{problem.name}.yaml, if it is there."


def _demand_query(address: str, query: str | None) -> None:
    database = "://" in address and not address.startswith((*WEB, *S3, apis.PREFIX))
    if database and not query:
        raise SourceError(databases.without_password(address), "which rows is not said", 'Add --query "SELECT ...".')
    if query and not database:
        raise SourceError(address, "it is no database, and --query is for one", "Leave --query out.")


def _snapshot(path: Path, origin: Origin) -> Snapshot:
    return Snapshot(path, {"_target_": FILE, "path": path.as_posix(), **tablefiles.sniff(path)}, origin)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _shown(path: Path) -> str:
    """Return a path as it may be kept: from the repository's root, or the name alone."""
    full = path.resolve()
    return full.relative_to(Path.cwd()).as_posix() if full.is_relative_to(Path.cwd()) else full.name


# ---- files -----------------------------------------------------------------------------------------------------------


def _suffixes(file_name: str) -> str:
    """Return what a file's name ends with, as far as it says what it holds: `.csv.gz`."""
    ends: list[str] = []
    for suffix in reversed(PurePosixPath(file_name).suffixes):
        if suffix.lower() not in (*tablefiles.KINDS, *tablefiles.PACKED):
            break
        ends.insert(0, suffix)
    return "".join(ends[-2:])


def _copied(source: Path, folder: Path, name: str) -> Path:
    """Copy a file into the folder, unless it is there already."""
    tablefiles.kind_of(source)
    tablefiles.demand_file(source)
    if source.resolve().parent == folder.resolve():
        return folder / source.name
    path = folder / f"{name}{_suffixes(source.name)}"
    with io.replacing(path) as temporary:
        shutil.copyfile(source, temporary)
    return path


def _fetched(batches: Iterable[pd.DataFrame], path: Path) -> Path:
    """Write the batches of a source as Parquet."""
    from mlworkflow.batches import writing

    with writing(path) as writer:
        for batch in batches:
            writer.add(batch)
    return path


def _fetched_pages(address: str, path: Path, pages: Pages) -> Path:
    """Write the rows of an API as JSON lines, packed without a clock."""
    with (
        io.replacing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
    ):
        for rows in apis.fetch(address, pages):
            packed.write("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode())
    return path


# ---- files elsewhere -------------------------------------------------------------------------------------------------


def _file_name(address: str, name: str) -> str:
    found = _suffixes(urlsplit(address).path)
    if not found:
        known = ", ".join(tablefiles.KINDS)
        raise SourceError(address, f"its name ends with none of {known}", "For a JSON API, write api+ before it.")
    return f"{name}{found}"


def _imported(address: str, path: Path, say: Say, track: bool) -> Path:
    """Let DVC fetch a file; what it leaves of a failed download is removed."""
    if address.startswith(S3) and find_spec("dvc_s3") is None:
        raise SourceError(address, "DVC cannot read from S3 here", "Type `make extras`.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path) as fetched:
        if track:
            _dvc(say, "import-url", "--quiet", "--force", address, path.as_posix(), about=address)
        else:
            _dvc(say, "get-url", "--quiet", address, fetched.as_posix(), about=address)
            fetched.replace(path)
    return path


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a path in a folder of its own beside `path`, which is removed after."""
    folder = Path(mkdtemp(prefix=".fetch-", dir=path.parent))
    try:
        yield folder / path.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _dvc(say: Say, *words: str, about: str | None = None) -> None:
    """Run DVC and tell the command; on a terminal it shows its own progress.

    Raises:
        SourceError: a file elsewhere could not be fetched.
        ProjectError: DVC failed for another reason; its own words.
    """
    import subprocess

    live = sys.stderr.isatty()
    shown = [word for word in words if word != "--quiet"]
    say(f"$ dvc {' '.join(shown)}")
    command, quiet = [*DVC, *(shown if live else words)], None if live else subprocess.PIPE
    env = without("GIT_") | {"DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, env=env, stdout=quiet, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode == 0:
        return
    reason = _reason(done.stderr)
    if about is not None:
        raise SourceError(about, reason, "Nothing was written.")
    raise ProjectError(f"`dvc {' '.join(shown)}` must work, but it says: {reason}. Mend that, then type it again.")


def _reason(said: str) -> str:
    """Return DVC's own reason, without its advice and colours."""
    lines: Sequence[str] = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")] or list(lines[-1:])
    return "; ".join(told) or "it gave no reason"
