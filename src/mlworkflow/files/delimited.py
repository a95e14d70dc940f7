"""Reads CSV and its kin in batches: every value a word as it stands."""

from __future__ import annotations

import csv
import io as streams
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import TableError, UnreadableError, first_line
from mlworkflow.files import archives

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 24  # bytes; no row is longer
MOST = 5  # ragged rows that are told


class Counted:
    """A stream that counts its quotes: an odd number may be one that is not closed."""

    closed = False

    def __init__(self, stream: Any, quote: str) -> None:
        self.stream, self.quote, self.quotes = stream, quote.encode(), 0

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes."""
        content: bytes = self.stream.read(size)
        self.quotes += content.count(self.quote)
        return content


def tables(
    path: Path, delimiter: str, encoding: str, quote: str, ragged: list[Any] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows as tables of words, at least one, which may be without rows; empty lines are no rows.

    `ragged`: takes the rows with more or fewer values than the header (pyarrow.csv.InvalidRow), which are refused
    where it is None.

    Raises:
        UnreadableError: rows have more or fewer values than the header, a quote is not closed, a byte is no character.
        TableError: a column is there twice.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    names = header(path, delimiter, encoding, quote)
    uneven: list[Any] = [] if ragged is None else ragged

    def note(row: Any) -> str:
        uneven.append(row)
        return "skip"

    with archives.opened(path) as stream:
        counted = Counted(stream, quote)
        reading = arrow.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names, encoding=encoding)
        parsing = arrow.ParseOptions(
            delimiter=delimiter, quote_char=quote, newlines_in_values=True, invalid_row_handler=note
        )
        words = arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        try:
            for number, batch in enumerate(arrow.open_csv(pa.PythonFile(counted, "r"), reading, parsing, words)):
                _demand_even(path, [] if ragged is uneven else uneven)
                yield pa.Table.from_batches([batch]).slice(number == 0)  # the header is the first row
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise _explained(path, delimiter, encoding, quote, error) from error
        _demand_even(path, [] if ragged is uneven else uneven)
        if counted.quotes % 2:
            _demand_closed(path, delimiter, encoding, quote)


def header(path: Path, delimiter: str, encoding: str, quote: str) -> list[str]:
    """Return the names of the columns; one without a name is called by its place, as pandas does.

    Raises:
        TableError: a column is there twice.
    """
    with archives.opened(path) as stream:
        rows = _records(stream, delimiter, encoding, quote)
        try:
            names: list[str] = next((row for row in rows if row), [])
        except UnicodeDecodeError as error:
            raise _explained(path, delimiter, encoding, quote, error) from error
        except csv.Error as error:
            raise UnreadableError(path, f"it is not: its header is no row ({error})", "Mend the first line.") from error
    if not names:
        raise UnreadableError(path, "it is not: the file is empty", "Put a header and rows into it.")
    return named(path, names)


def named(path: Path, names: list[str]) -> list[str]:
    """Return the names, those that are empty by their place. Raises TableError where one is there twice."""
    counts = Counter(name for name in names if name)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise TableError(str(path), [f"the column {name!r} is there twice" for name in twice], "Rename one of them.")
    return [name or _placed(place, counts) for place, name in enumerate(names)]


def _placed(place: int, taken: Mapping[str, int]) -> str:
    """Return what a column without a name is called, other than the rest: a table saved twice has one called so."""
    name, again = f"Unnamed: {place}", 0
    while name in taken:
        again += 1
        name = f"Unnamed: {place}.{again}"
    return name


def _records(stream: Any, delimiter: str, encoding: str, quote: str) -> Any:
    """Return a reader of the rows that is strict about quotes, and slow: for the header and for faults."""
    words = streams.TextIOWrapper(
        streams.BufferedReader(_Raw(stream)), "utf-8-sig" if encoding == "utf-8" else encoding, newline=""
    )
    return csv.reader(words, delimiter=delimiter, quotechar=quote, strict=True)


class _Raw(streams.RawIOBase):
    """What the standard library needs of a stream, on a stream of any kind."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _demand_even(path: Path, ragged: list[Any]) -> None:
    if not ragged:
        return
    told = "; ".join(
        f"row {row.number - 1} has {row.actual_columns} values where its header has {row.expected_columns} names"
        for row in ragged[:MOST]
    )
    more = f"; and {len(ragged) - MOST} more" if len(ragged) > MOST else ""
    raise UnreadableError(
        path, f"it is not: {told}{more}", "Mend these rows; a value that holds the delimiter must be quoted."
    )


def _demand_closed(path: Path, delimiter: str, encoding: str, quote: str) -> None:
    """Demand that no quote is open at the end of the file."""
    with archives.opened(path) as stream:
        number = -1  # the header is no row
        try:
            for row in _records(stream, delimiter, encoding, quote):
                number += bool(row)
        except csv.Error as error:
            if "after" in str(error):
                return  # a quote inside a value is a character like any other
            where = f"row {number + 1}" if number >= 0 else "the header"
            raise UnreadableError(
                path, f"it is not: {where} has a quote {quote} that is not closed", "Close it, or double it."
            ) from error


def _explained(path: Path, delimiter: str, encoding: str, quote: str, error: Exception) -> UnreadableError:
    """Return the error with its place: a byte that is no character, a quote that is not closed."""
    if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
        place = f"{_fault(path, encoding)} is no {encoding}"
        return UnreadableError(path, f"it is not: {place}", "Save the file in one encoding, best UTF-8.")
    _demand_closed(path, delimiter, encoding, quote)
    return UnreadableError(path, f"it is not: {first_line(error)}", "Mend the file: a header, then rows.")


def _fault(path: Path, encoding: str) -> str:
    """Return where the first byte is that is no character: `line 2, byte 3`."""
    if not encoding.startswith("utf-16"):  # its line ends are more than a byte
        with archives.opened(path) as stream:
            for number, line in enumerate(archives.lines(stream), start=1):
                try:
                    line.decode(encoding)
                except UnicodeDecodeError as error:
                    return f"line {number}, byte {error.start + 1}"
    return "a character"
