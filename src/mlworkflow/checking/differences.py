"""Where two versions of a file part: a line of text, a path in JSON, a cell of a table, a member of an archive."""

from __future__ import annotations

import contextlib
import io as streams
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

Place = Callable[[bytes, bytes], str | None]


def difference(before: bytes, after: bytes, name: str) -> str:
    """Return where two unequal contents of the file `name` part, by its suffix; else as text, else as bytes."""
    for place in (_PLACES.get(Path(name).suffix, _in_text), _in_text):
        with contextlib.suppress(Exception):  # damaged content is compared as text or bytes
            if told := place(before, after):
                return told
    at = _parting(before, after)
    return f"byte {at + 1}: {before[at : at + 8].hex(' ')} before, {after[at : at + 8].hex(' ')} now"


def shorten(text: str, most: int) -> str:
    """Return the text, cut to `most` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _quote(text: str) -> str:
    return repr(shorten(text, 40))


def _parting(old: Sequence[Any], new: Sequence[Any]) -> int:
    """Return the first position at which two sequences differ; the length of the shorter where one begins the other."""
    unequal = (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    return next(unequal, min(len(old), len(new)))


def _in_text(before: bytes, after: bytes) -> str | None:
    old, new = before.decode("utf-8").splitlines(), after.decode("utf-8").splitlines()
    line = _parting(old, new)
    if line < min(len(old), len(new)):
        at = _parting(old[line], new[line])
        was, now = (_quote(lines[line][max(0, at - 20) :]) for lines in (old, new))
        return f"line {line + 1}, column {at + 1}: {was} before, {now} now"
    return f"{len(old)} lines before, {len(new)} now" if len(old) != len(new) else None


def _in_json(before: bytes, after: bytes) -> str | None:
    for place, old, new in _json_places(json.loads(before), json.loads(after), ""):
        return f"at {place or '/'}: {_quote(json.dumps(old))} before, {_quote(json.dumps(new))} now"
    return None


def _json_places(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            if key not in old or key not in new:
                yield f"{place}/{key}", old.get(key, "(nothing)"), new.get(key, "(nothing)")
            else:
                yield from _json_places(old[key], new[key], f"{place}/{key}")
        if list(old) != list(new):
            yield place, list(old), list(new)
    elif isinstance(old, list) and isinstance(new, list):
        for number, (a, b) in enumerate(zip(old, new, strict=False)):
            yield from _json_places(a, b, f"{place}/{number}")
        if len(old) != len(new):
            yield place, f"{len(old)} items", f"{len(new)} items"
    elif old != new or type(old) is not type(new):
        yield place, old, new


def _in_table(before: bytes, after: bytes) -> str | None:
    import pandas as pd

    old, new = (pd.read_parquet(streams.BytesIO(content)) for content in (before, after))
    if list(old) != list(new):
        return f"columns {_quote(str(list(old)))} before, {_quote(str(list(new)))} now"
    if len(old) != len(new):
        return f"{len(old)} rows before, {len(new)} now"
    for name in old:
        if old[name].dtype != new[name].dtype:
            return f"column {name!r}: {old[name].dtype} before, {new[name].dtype} now"
    unequal = (old != new) & ~(old.isna() & new.isna())
    rows = unequal.any(axis=1).to_numpy().nonzero()[0]
    if not len(rows):
        return None
    name = unequal.columns[unequal.iloc[rows[0]].to_numpy().nonzero()[0][0]]
    was, now = (_quote(repr(table[name].iloc[rows[0]])) for table in (old, new))
    return f"row {rows[0] + 1}, column {name!r}: {was} before, {now} now"


def _in_archive(before: bytes, after: bytes) -> str | None:
    with zipfile.ZipFile(streams.BytesIO(before)) as old, zipfile.ZipFile(streams.BytesIO(after)) as new:
        names = dict.fromkeys([*old.namelist(), *new.namelist()])
        for name in names:
            if name not in old.namelist() or name not in new.namelist():
                return f"{name} is {'new' if name not in old.namelist() else 'missing'}"
        for name in sorted(names, key=lambda name: not name.endswith(".json")):
            if old.read(name) != new.read(name):
                return f"{name}: {difference(old.read(name), new.read(name), name)}"
        for a, b in zip(old.infolist(), new.infolist(), strict=True):
            if (a.filename, a.date_time, a.external_attr) != (b.filename, b.date_time, b.external_attr):
                return f"{a.filename}: dated {a.date_time} before, {b.date_time} now"
    return None


_PLACES: dict[str, Place] = {".json": _in_json, ".parquet": _in_table, ".skops": _in_archive, ".zip": _in_archive}
