"""Tables in files that people bring: what a file is, found out once, then read in batches of constant size.

CSV and TSV (words as they stand), Parquet, JSON lines, JSON, Excel; packed by gzip, zip or zstd. What was found out
(`sniff`) can be given on the next reading, so that nothing is guessed twice.

A map for the next reader: `batches` and `whole` read; `textfiles` knows delimiters, encodings and quotes.
"""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any

from mlworkflow import textfiles
from mlworkflow.errors import TableError, UnreadableError, nearest

if TYPE_CHECKING:
    import pandas as pd

KINDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".jsonl": "lines", ".ndjson": "lines",
    ".json": "json", ".xlsx": "excel",
}  # fmt: skip
PACKED = (".gz", ".zip", ".zst")
BATCH = 100_000  # rows that are held at once
MEND = "Mend the file, or save it anew."


def kind_of(path: Path) -> str:
    """Return what a file holds, judging by its name.

    Raises:
        UnreadableError: its suffix is none of those that are known, or a zip does not hold one file alone.
    """
    name: PurePath = path
    if path.suffix.lower() in PACKED:
        name = PurePath(_member(path)) if path.suffix.lower() == ".zip" else path.with_suffix("")
    kind = KINDS.get(name.suffix.lower())
    if kind is None:
        known = f"{', '.join(KINDS)}, also with {', '.join(PACKED)} behind"
        raise UnreadableError(path, f"its suffix {name.suffix!r} is none of {known}", "Save it as one of these.")
    return kind


def _member(path: Path) -> str:
    """Return the name of the one file in a zip."""
    demand_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
    except (zipfile.BadZipFile, OSError) as error:
        raise UnreadableError(path, f"it is no whole zip ({error})", MEND) from error
    if len(names) != 1:
        told = f"it holds {len(names)} files ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})"
        raise UnreadableError(path, told, "Take the one that is meant out of it, or pack it alone.")
    return names[0]


def demand_file(path: Path) -> None:
    """Demand that a file is there and not empty. Raises UnreadableError with the nearest name in its folder."""
    if not path.is_file():
        there = sorted(one.name for one in path.parent.iterdir()) if path.parent.is_dir() else []
        told = "it is a folder" if path.is_dir() else f"there is no such file{nearest(path.name, there)}"
        raise UnreadableError(path, told, "Mend the path, or make the file.")
    if not path.stat().st_size:
        raise UnreadableError(path, "it is empty", "Nothing can be read from it.")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Yield the unpacked content of a file as a stream.

    Raises:
        UnreadableError: what is packed is damaged; also while it is read.
    """
    import pyarrow as pa

    suffix = path.suffix.lower()
    try:
        if suffix == ".gz":
            with gzip.open(path) as file:
                yield file
        elif suffix == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open(_member(path)) as file:
                yield file
        elif suffix == ".zst":
            with pa.input_stream(path, compression="zstd") as file:
                yield file
        else:
            with path.open("rb") as file:
                yield file
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zipfile.zlib.error, OSError) as error:  # type: ignore[attr-defined]
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableError(path, f"it is not: {reason}", MEND) from error


def sniff(path: Path) -> dict[str, Any]:
    """Return what must be known to read the file, but is not the usual: the delimiter, the encoding.

    Raises:
        UnreadableError: it is no table; see `batches`.
    """
    if kind_of(path) != "csv":
        return {}
    demand_file(path)
    found = textfiles.find_out(path, opened)
    usual = {"delimiter": ",", "encoding": "utf-8"}
    return {key: value for key, value in found.items() if usual[key] != value}


def batches(
    path: Path, *, delimiter: str | None = None, encoding: str | None = None, sheet: str | None = None
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a file, at most BATCH at once and one batch at least, each with an index from 0.

    Args:
        path: the file; its suffix says what it holds.
        delimiter: of a CSV file; found out where it is not given.
        encoding: likewise.
        sheet: of an Excel file; the first by default.

    Raises:
        UnreadableError: the file is missing, empty, damaged, no table, or in two encodings; with the place.
        TableError: a row has more or fewer values than the header, a column is there twice; with the row.
    """
    kind = kind_of(path)
    demand_file(path)
    if kind == "csv":
        yield from textfiles.rows(path, opened, delimiter, encoding, BATCH)
    elif kind == "parquet":
        yield from _parquet(path)
    elif kind == "excel":
        yield _excel(path, sheet)
    else:
        yield from _records(path, lines=kind == "lines")


def whole(path: Path, **how: Any) -> pd.DataFrame:
    """Return all rows of a file; `how` and errors as in `batches`."""
    import pandas as pd

    return pd.concat(list(batches(path, **how)), ignore_index=True)


def _parquet(path: Path) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with opened(path) as stream, pq.ParquetFile(pa.BufferReader(stream.read()) if _packed(path) else path) as file:
            _demand_once(path, file.schema_arrow.names)
            for batch in file.iter_batches(BATCH) if file.metadata.num_rows else [file.schema_arrow.empty_table()]:
                yield batch.to_pandas(date_as_object=False).reset_index(drop=True)
    except pa.ArrowException as error:
        raise UnreadableError(path, f"it is no whole Parquet file ({error})", MEND) from error


def _packed(path: Path) -> bool:
    return path.suffix.lower() in PACKED


def _demand_once(path: Path, names: list[str]) -> None:
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise TableError(str(path), [f"the column {name!r} is there twice" for name in twice], "Rename one of them.")


def _excel(path: Path, sheet: str | None) -> pd.DataFrame:
    import io
    from importlib.util import find_spec

    import pandas as pd

    if find_spec("openpyxl") is None:
        raise UnreadableError(path, "openpyxl is not installed", "Type `make extras`.")
    try:
        with opened(path) as stream, pd.ExcelFile(io.BytesIO(stream.read()), engine="openpyxl") as book:
            if sheet is not None and sheet not in book.sheet_names:
                there = ", ".join(map(str, book.sheet_names))
                raise UnreadableError(path, f"it has no sheet {sheet!r} (there are: {there})", "Name one of them.")
            head = book.parse(sheet or 0, header=None, nrows=1)
            _demand_once(path, [str(name) for name in head.iloc[0].dropna()] if len(head) else [])
            table: pd.DataFrame = book.parse(sheet or 0)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UnreadableError(path, f"it is no whole Excel file ({error})", MEND) from error
    return table.rename(columns=str)


# ---- JSON ------------------------------------------------------------------------------------------------------------


def _records(path: Path, *, lines: bool) -> Iterator[pd.DataFrame]:
    """Yield JSON objects as rows; the first pass over the file finds every key, as later rows may have others."""
    import pandas as pd

    names: dict[str, None] = {}
    for record in _flat(path, lines):
        names |= dict.fromkeys(record)
    waiting: list[dict[str, Any]] = []
    told = False
    for record in _flat(path, lines):
        waiting.append(record)
        if len(waiting) == BATCH:
            yield pd.DataFrame(waiting, columns=list(names))
            waiting, told = [], True
    if waiting or not told:
        yield pd.DataFrame(waiting, columns=list(names))


def _flat(path: Path, lines: bool) -> Iterator[dict[str, Any]]:
    """Yield each object with the keys of objects inside behind dots."""
    for number, record in enumerate(_objects(path, lines), 1):
        if not isinstance(record, dict):
            raise TableError(str(path), [f"row {number} is no object, but {json.dumps(record)[:40]}"], MEND)
        yield dict(_leaves(path, number, record, ""))


def _objects(path: Path, lines: bool) -> Iterator[Any]:
    line = 0
    with opened(path) as stream:
        try:
            if not lines:
                content = json.load(stream)
                if not isinstance(content, list):
                    raise UnreadableError(path, "it holds one value instead of a list of rows", "Save a row a line.")
                yield from content
                return
            for text in stream:
                line += 1
                if text.strip():
                    yield json.loads(text)
        except (ValueError, UnicodeDecodeError) as error:
            where = f"line {line}: " if lines else ""
            raise UnreadableError(path, f"it is no JSON: {where}{error}", MEND) from error


def _leaves(path: Path, number: int, value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, dict):
            yield from _leaves(path, number, item, f"{name}.")
        elif isinstance(item, list):
            found = f"row {number}, {name!r} holds a list: {json.dumps(item)[:40]}"
            raise TableError(str(path), [found], "Spread it over columns or rows of its own.")
        else:
            yield name, item
