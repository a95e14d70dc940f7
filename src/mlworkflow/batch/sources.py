"""Where rows come from: a file, a folder of files, a query; in chunks, each row with its number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.batch.parts import Parts
from mlworkflow.core import io
from mlworkflow.core.errors import UnreadableError
from mlworkflow.files import tables
from mlworkflow.origins import addresses, databases

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Chunk:
    """Some rows of a file that follow each other.

    rows: as they stand. numbers: (n,) of each in its file, from 1. ragged: lines that are no rows, as rejects.
    """

    file: str
    rows: pd.DataFrame
    numbers: np.ndarray
    ragged: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """What is scored: its files, and whether they are named beside each row."""

    files: list[Path]
    folder: Path | None = None
    query: tuple[str, str] | None = None  # the address and the question whose rows come into the file

    def name(self, path: Path) -> str:
        """Return what a file is called."""
        return path.relative_to(self.folder).as_posix() if self.folder else path.name

    def fingerprint(self) -> list[Any]:
        """Return what changes when the files do; the rows of a query are taken once, so they do not."""
        if self.query:
            return []
        return [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in self.files]

    def chunks(self, size: int | None) -> Iterator[Chunk]:
        """Yield chunks of at most `size` rows, at least one of each file; None: each file whole.

        Raises:
            UnreadableError, TableError: a file is damaged or no table.
            DatabaseError: the query fails.
        """
        if self.query and not self.files[0].exists():
            with io.replacing(self.files[0]) as temporary:
                databases.take(*self.query, temporary)
        for path in self.files:
            yield from _chunks(path, self.name(path), size)


def source(asked: str, here: Path, query: str | None, parts: Parts) -> Source:
    """Return the source that a user asks for; the rows of a query come into the folder of `parts` first.

    Hidden files of a folder are none of its tables, nor are the output and its rejects.

    Raises:
        UnreadableError: there is no such file, or no table in the folder, or it would be overwritten.
        SourceError: the address names no database.
    """
    if query is not None:
        if addresses.form_of(asked) != "database":
            raise addresses.SourceError(asked, "is no database, so --query has nothing to ask", "Leave --query out.")
        return Source([parts.folder / "query.parquet"], query=(asked, query))
    if "://" in asked:
        reason = "an address needs --query, the rows of a database"
        raise UnreadableError(addresses.without_secrets(asked), reason, "Add --query 'SELECT ...', or name a file.")
    path = here / asked
    if not path.is_dir():
        tables.suffix_of(path)
        if parts.owns(path):
            raise UnreadableError(path, "the predictions would overwrite it", "Name another output.")
        return Source([path])
    found = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and tables.is_table(file) and not parts.owns(file) and not _hidden(file.relative_to(path))
    )
    if not found:
        raise UnreadableError(path, "it holds no table", f"Put files there: {', '.join(tables.SUFFIXES)}.")
    return Source(found, path)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _chunks(path: Path, name: str, size: int | None) -> Iterator[Chunk]:
    ragged: list[Any] = []
    lost, number = set[int](), 0
    batches = tables.batches(path, ragged=ragged)
    for table in _whole(batches) if size is None else batches:
        told = [_rejected(name, row) for row in ragged]
        lost |= {row["row"] for row in told}
        ragged.clear()
        numbers = _numbered(number, len(table), lost)
        number = int(numbers[-1]) if len(numbers) else number
        step = max(len(table), 1) if size is None else size
        for start in range(0, max(len(table), 1), step):
            part = slice(start, start + step)
            yield Chunk(name, table[part].reset_index(drop=True), numbers[part], told)
            told = []
    if ragged:  # of the end of the file
        yield Chunk(name, table[:0], numbers[:0], [_rejected(name, row) for row in ragged])


def _whole(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    import pandas as pd

    yield pd.concat(batches, ignore_index=True)


def _numbered(last: int, count: int, lost: set[int]) -> np.ndarray:
    """Return the (count,) numbers of rows after `last`, those of lines that were no rows left out."""
    numbers = np.arange(last + 1, last + 1 + count)
    for gone in sorted(number for number in lost if number > last):
        numbers[numbers >= gone] += 1
    return numbers


def _rejected(name: str, row: Any) -> dict[str, Any]:
    """Return a line with too many or too few values as a reject; the first line of a file is its header."""
    reason = f"it has {row.actual_columns} values where the header has {row.expected_columns} names"
    text = json.dumps(row.text, ensure_ascii=False)
    return {"file": name, "row": row.number - 1, "column": None, "value": None, "reason": reason, "values": text}
