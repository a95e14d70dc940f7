"""CSV files: their delimiter, encoding and quotes found out; rows as words, with the place of what is wrong.

pyarrow reads them, every column as words, quoted line breaks included. Before, one pass over the bytes says whether
they are text, and in which encoding.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlworkflow.errors import TableError, UnreadableError

if TYPE_CHECKING:
    import pandas as pd

Open = Callable[[Path], AbstractContextManager[IO[bytes]]]
DELIMITERS = (",", ";", "\t", "|")
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
MAGIC = {b"PAR1": "Parquet (.parquet)", b"PK\x03\x04": "Excel or zip (.xlsx, .zip)", b"\x1f\x8b": "gzip (.gz)",
         b"\x28\xb5\x2f\xfd": "zstd (.zst)", b"SQLite": "SQLite (sqlite:///FILE and --query)"}  # fmt: skip
SEVERAL = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)  # UTF-8 beyond ASCII
HEAD = 1 << 16  # bytes in which the delimiter shows
PIECE = 1 << 22
MEND = "Mend the file: a header, then rows."


@dataclass(frozen=True)
class Bytes:
    """What one pass over a file shows: its first bytes, whether it is UTF-8, where it stops being so."""

    head: bytes
    zeros: bool  # there are bytes that no text has
    bad_line: int | None  # of the first byte that is no UTF-8
    several: bool  # there are characters of several bytes that are UTF-8
    odd_quotes: bool


def find_out(path: Path, opened: Open) -> dict[str, str]:
    """Return the delimiter and the encoding of a CSV file.

    Raises:
        UnreadableError: it is no text, or in two encodings.
    """
    seen = _look(path, opened)
    encoding = _encoding(path, seen)
    return {"delimiter": _delimiter(path, seen.head, encoding), "encoding": encoding}


def _look(path: Path, opened: Open) -> Bytes:
    decoder, quotes, lines, bad, several = codecs.getincrementaldecoder("utf-8")(), 0, 1, None, False
    head, zeros, tail = b"", False, b""
    with opened(path) as stream:
        while piece := stream.read(PIECE):
            head = head or piece[:HEAD]
            zeros = zeros or b"\0" in piece
            quotes += piece.count(b'"')
            if bad is None:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError as error:
                    bad = lines + piece[: max(error.start - len(tail), 0)].count(b"\n")
            several = several or bool(SEVERAL.search(piece))
            tail = decoder.getstate()[0]
            lines += piece.count(b"\n")
    return Bytes(head, zeros, lines if bad is None and tail else bad, several, quotes % 2 == 1)


def _encoding(path: Path, seen: Bytes) -> str:
    for mark, name in BOMS.items():
        if seen.head.startswith(mark):
            return name
    for magic, name in MAGIC.items():
        if seen.head.startswith(magic):
            raise UnreadableError(path, f"it is no text but looks like {name}", "Give it the suffix of what it is.")
    if seen.zeros:
        raise UnreadableError(path, "it is no text: it has bytes of zero", "Save the table as CSV.")
    if seen.bad_line is None:
        return "utf-8"
    if seen.several:
        told = f"it is in two encodings: most of it is UTF-8, but line {seen.bad_line} is not"
        raise UnreadableError(path, told, "Save the whole file as UTF-8.")
    return "cp1252"


def _delimiter(path: Path, head: bytes, encoding: str) -> str:
    """Return the delimiter that gives the first records the same number of fields, more than one."""
    text = head.decode(encoding, errors="ignore")
    if path.name.lower().split(".")[1:][:1] == ["tsv"]:
        return "\t"
    best, most = ",", 1
    for mark in DELIMITERS:
        counts = _fields(text, mark)
        if counts and len(set(counts)) == 1 and counts[0] > most:
            best, most = mark, counts[0]
    if most == 1:  # no delimiter fits every record: the header's commonest
        first = text.splitlines()[0] if text.splitlines() else ""
        best = max(DELIMITERS, key=lambda mark: (first.count(mark), -DELIMITERS.index(mark)))
    return best


def _fields(text: str, mark: str, most: int = 200) -> list[int]:
    try:
        records = [
            record
            for record, _ in zip(csv.reader(io.StringIO(text, newline=""), delimiter=mark), range(most), strict=False)
        ]
    except csv.Error:
        return []
    whole = records[:-1] if len(records) > 1 and len(text) >= HEAD // 2 else records  # the last may be cut off
    return [len(record) for record in whole if record]


def rows(path: Path, opened: Open, delimiter: str | None, encoding: str | None, size: int) -> Iterator[pd.DataFrame]:
    """Yield the rows of a CSV file as words, `size` at once; see tablefiles.batches for arguments and errors."""
    seen = _look(path, opened)
    encoding = encoding or _encoding(path, seen)
    delimiter = delimiter or _delimiter(path, seen.head, encoding)
    names = _header(path, seen.head, delimiter, encoding)
    last = None
    for batch in _batches(path, opened, delimiter, encoding, names, size):
        yield batch
        last = batch
    if seen.odd_quotes and last is not None and len(last):
        _demand_closed(path, last)


def _header(path: Path, head: bytes, delimiter: str, encoding: str) -> list[str]:
    try:
        text = head.decode(encoding, errors="ignore")
    except LookupError as error:
        raise UnreadableError(path, f"there is no encoding {encoding!r}", "Name another, such as utf-8.") from error
    names = next((record for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if record), [])
    if not any(name.strip() for name in names):
        raise UnreadableError(path, "it has no header", MEND)
    named = [name if name.strip() else f"Unnamed: {place}" for place, name in enumerate(names)]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise TableError(str(path), [f"the column {name!r} is there twice" for name in twice], "Rename one of them.")
    return named


def _batches(
    path: Path, opened: Open, delimiter: str, encoding: str, names: list[str], size: int
) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    from pyarrow import csv as arrow

    odd: list[Any] = []

    def note(row: Any) -> str:
        odd.append(row)
        return "error"

    reading = arrow.ReadOptions(
        column_names=names, skip_rows=0, encoding=encoding.removesuffix("-sig"), block_size=PIECE
    )
    parsing = arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note)
    converting = arrow.ConvertOptions(default_column_type=pa.string(), strings_can_be_null=False)
    try:
        with opened(path) as stream, arrow.open_csv(stream, reading, parsing, converting) as reader:
            yield from _resized(reader, names, size)
    except pa.ArrowInvalid as error:
        if odd:
            number, text = _first_odd(path, opened, delimiter, encoding, len(names))
            found = f"row {number} has {odd[0].actual_columns} values, the header {len(names)}: {text[:40]!r}"
            raise TableError(
                str(path), [found], "Mend that row, or quote the values that hold the delimiter."
            ) from error
        raise UnreadableError(path, f"it is not: {str(error).splitlines()[0]}", MEND) from error
    except UnicodeDecodeError as error:
        raise UnreadableError(path, f"it is not {encoding}: {error.reason}", "Name its encoding.") from error


def _first_odd(path: Path, opened: Open, delimiter: str, encoding: str, width: int) -> tuple[int, str]:
    """Return the number and the text of the first row that is not `width` values wide; pyarrow's threads do not say."""
    with opened(path) as stream:
        records = (record for record in csv.reader(codecs.getreader(encoding)(stream), delimiter=delimiter) if record)
        for number, record in enumerate(records):
            if len(record) != width:
                return number, delimiter.join(record)
    return 0, ""


def _resized(reader: Any, names: list[str], size: int) -> Iterator[pd.DataFrame]:
    """Yield frames of `size` rows from batches of any size; the first row is the header."""
    import pyarrow as pa

    waiting, told, skip = pa.table({name: pa.array([], pa.string()) for name in names}), False, 1
    for batch in reader:
        rows = pa.Table.from_batches([batch]).slice(skip)
        skip = max(skip - batch.num_rows, 0)
        waiting = pa.concat_tables([waiting, rows])
        while waiting.num_rows >= size:
            yield waiting.slice(0, size).to_pandas()
            waiting, told = waiting.slice(size), True
    if waiting.num_rows or not told:
        yield waiting.to_pandas()


def _demand_closed(path: Path, rows: pd.DataFrame) -> None:
    """Demand that the last row has no line break: a quote that is never closed swallows all that follows."""
    final = rows.iloc[-1].astype("str")
    if final.str.contains("\n").any():
        start = str(final[final.str.contains("\n")].iloc[0]).splitlines()[0]
        found = f"a quote is opened before {start[:40]!r} and never closed; the rest of the file is read as one value"
        raise TableError(str(path), [found], "Close the quote.")
