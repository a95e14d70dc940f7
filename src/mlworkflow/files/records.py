"""Flattens JSON records into rows of words: an object becomes dotted columns, a list its JSON text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import UnreadableError
from mlworkflow.files import archives

if TYPE_CHECKING:
    import pyarrow as pa

MEND = "Write one JSON object a line."


def tables(path: Path, rows: int) -> Iterator[pa.Table]:
    """Yield the records as tables of `rows` rows of words with every column of the file; what is absent is missing.

    The file is read twice, the first time for the names of the columns.

    Raises:
        UnreadableError: a line is no JSON object; with its row number.
    """
    import pyarrow as pa

    names: dict[str, None] = {}
    for row in _rows(path):
        names.update(dict.fromkeys(row))
    if not names:
        raise UnreadableError(path, "it is not: it holds no record", MEND)
    schema = pa.schema([(name, pa.string()) for name in names])
    waiting: list[dict[str, str | None]] = []
    for row in _rows(path):
        waiting.append(row)
        if len(waiting) == rows:
            yield pa.Table.from_pylist(waiting, schema)
            waiting = []
    if waiting:
        yield pa.Table.from_pylist(waiting, schema)


def _rows(path: Path) -> Iterator[dict[str, str | None]]:
    with archives.opened(path) as stream:
        for number, record in enumerate(_records(stream, path), start=1):
            if not isinstance(record, dict):
                words = "a list" if isinstance(record, list) else "a single value"
                raise UnreadableError(path, f"it is not: row {number} must be an object, but is {words}", MEND)
            yield flat(record, path, f"row {number}")


def _records(stream: Any, path: Path) -> Iterator[Any]:
    """Yield what each line holds; a file that is one list is read whole."""
    found = (line for line in archives.lines(stream) if line.strip())
    first = next(found, b"").removeprefix(b"\xef\xbb\xbf").lstrip()
    if first.startswith(b"["):
        yield from _loaded(b"\n".join([first, *found]), path, "the list")
        return
    for number, line in enumerate(itertools.chain([first] if first else [], found), start=1):
        yield _loaded(line, path, f"row {number}")


def _loaded(text: bytes, path: Path, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UnreadableError(path, f"it is not: {place} is no JSON ({error})", MEND) from error


def flat(record: dict[str, Any], path: object, place: str, above: str = "") -> dict[str, str | None]:
    """Return a record of words: `{"a": {"b": 1}}` becomes `{"a.b": "1"}`, a list its JSON text, null None.

    Raises:
        UnreadableError: two values would be in one column.
    """
    row: dict[str, str | None] = {}
    for key, value in record.items():
        name = above + key
        found = flat(value, path, place, name + ".") if isinstance(value, dict) else {name: _word(value)}
        if both := row.keys() & found.keys():
            raise UnreadableError(
                path, f"it is not: {place} has two values for the column {min(both)!r}", "Rename one of them."
            )
        row |= found
    return row


def _word(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False)
