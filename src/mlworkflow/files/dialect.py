"""Finds out how a CSV file is written: its encoding, its delimiter, its quote."""

from __future__ import annotations

import codecs
import csv
import io as streams
from collections.abc import Iterable
from pathlib import Path

from mlworkflow.core.errors import UnreadableError
from mlworkflow.files import archives

SAMPLE = 1 << 18  # bytes that are looked at for the delimiter and the quote
DELIMITERS = ",;\t|"
QUOTES = "\"'"
WORDS = {b"PAR1": "Parquet", b"PK\x03\x04": "zip or Excel", b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
UNDEFINED = b"\x81\x8d\x8f\x90\x9d"  # no characters of cp1252


def find_out(path: Path) -> dict[str, str]:
    """Return {delimiter, encoding, quote} of a CSV file.

    Raises:
        UnreadableError: it is empty, binary, or in two encodings; with the line and the byte.
    """
    with archives.opened(path) as stream:
        head = stream.read(SAMPLE)
    if not head.strip():
        raise UnreadableError(path, "it is not: the file is empty", "Put a header and rows into it.")
    encoding = _encoding(path, head)
    text = head.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
    delimiter, quote = _delimiter(text if len(head) < SAMPLE else text[: text.rfind("\n") + 1])
    return {"delimiter": delimiter, "encoding": encoding, "quote": quote}


def _encoding(path: Path, head: bytes) -> str:
    for magic, words in WORDS.items():
        if head.startswith(magic):
            raise UnreadableError(path, f"it is not: it begins like {words}", "Give it the suffix of what it is.")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and len(head) % 2 == 0:
        return "utf-16"
    return "utf-8" if _is_utf8(path) else _eight_bits(path)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with archives.opened(path) as stream:
        try:
            while content := stream.read(1 << 20):
                decoder.decode(content)
                if b"\0" in content:
                    return False
        except UnicodeDecodeError:
            return False
    return True


def _eight_bits(path: Path) -> str:
    """Return latin-1 or cp1252 where no line beyond ASCII is UTF-8; all else is an error, with its place."""
    good = bad = 0
    first, high = "", set[int]()
    with archives.opened(path) as stream:
        for number, line in enumerate(archives.lines(stream), start=1):
            if line.isascii() and b"\0" not in line:
                continue
            if b"\0" in line:
                place = f"line {number}, byte {line.index(0) + 1}"
                raise UnreadableError(path, f"it is not: it is binary, {place} is no text", "Save it as UTF-8 text.")
            if fault := _fault(line):
                bad, first = bad + 1, first or f"line {number}, byte {fault}"
                high |= set(line)
            else:
                good += 1
    return _told(path, good, bad, first, high)


def _fault(line: bytes) -> int:
    """Return the first byte that is no UTF-8, from 1; 0 where there is none."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start + 1
    return 0


def _told(path: Path, good: int, bad: int, first: str, high: Iterable[int]) -> str:
    if not bad:
        return "utf-8"
    if good:
        raise UnreadableError(
            path,
            f"it is not: it is in two encodings: {good} lines are UTF-8, but {bad} are not, the first is {first}",
            "Save it in one, best in UTF-8.",
        )
    if set(high) & set(UNDEFINED):
        raise UnreadableError(path, f"it is not: its encoding is unknown, {first}", "Save it as UTF-8.")
    return "cp1252" if any(0x80 <= byte < 0xA0 for byte in high) else "latin-1"


def _delimiter(text: str) -> tuple[str, str]:
    """Return the delimiter and quote with which most rows are as wide as the header, then the widest header."""
    scores = {
        (delimiter, quote): _score(text, delimiter, quote)
        for quote in QUOTES
        for delimiter in DELIMITERS
        if delimiter in text.split("\n", 1)[0]
    }
    best = max(scores, key=lambda pair: scores[pair], default=(",", '"'))
    return best if scores.get(best, (0.0, 0))[1] > 1 else (",", '"')


def _score(text: str, delimiter: str, quote: str) -> tuple[float, int]:
    """Return (the share of rows as wide as the header, its width), quotes that stay around values held against it."""
    reader = csv.reader(streams.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote)
    try:
        rows = [row for row in reader if row]
    except csv.Error:
        return 0.0, 0
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, width
    other = QUOTES.replace(quote, "")
    cells = [cell for row in rows for cell in row if cell]
    left = sum(len(cell) > 1 and cell[0] == cell[-1] == other for cell in cells) / max(len(cells), 1)
    return sum(len(row) == width for row in rows) / len(rows) - left, width
