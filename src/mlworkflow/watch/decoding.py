"""Rows of the log as typed columns: many at a time by PyArrow; one by one where they are not as a server writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from mlworkflow.rows.arrays import Columns
    from mlworkflow.runtime.fields import Field, Fields

MANY = 20  # rows, from which on PyArrow is the faster way
BLOCK = 1 << 20  # bytes that PyArrow reads at a time, on several cores; a longer row is read the slow way


def columns_of(texts: Sequence[str], fields: Fields) -> tuple[Columns, np.ndarray]:
    """Return (typed (m,) columns, the (m,) places of the rows that fit the schema) of (n,) JSON texts of inputs."""
    import pyarrow as pa

    if len(texts) >= MANY and fields.fits(_object(texts[0])):
        kinds = {one.name: pa.float64() if one.kind == "number" else pa.string() for one in fields.all}
        table = _table(texts, pa.schema([*kinds.items()]))
        if table is not None:
            columns = {one.name: _column(table, one, fields) for one in fields.all}
            return columns, np.arange(len(texts))
    rows = objects(texts)
    fit = np.array([place for place, row in enumerate(rows) if fields.fits(row)], dtype="int64")
    return fields.typed({name: [rows[place].get(name) for place in fit] for name in fields.names}), fit


def said_of(texts: Sequence[str], classes: Sequence[Any]) -> tuple[np.ndarray, np.ndarray | None]:
    """Return (n,) labels (codes, or values) and (n, K) probabilities of JSON texts of answers; NaN: it has none."""
    if (quick := _quickly_said(texts, classes)) is not None:
        return quick
    rows = objects(texts)
    if not classes:
        return np.array([number(one.get("prediction")) for one in rows], dtype="float64"), None
    names = [str(name) for name in classes]
    codes = {name: code for code, name in enumerate(names)}
    labels = np.array([codes.get(str(one.get("prediction")), -1) for one in rows], dtype="int64")
    lines = [[told.get(name) for name in names] for told in (one.get("probabilities") or {} for one in rows)]
    return labels, np.array(lines, dtype="float64").reshape(len(rows), len(names))


def _quickly_said(texts: Sequence[str], classes: Sequence[Any]) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Return what `said_of` does of classes that are words; None where PyArrow cannot."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(texts) < MANY or not classes or not all(isinstance(name, str) for name in classes):
        return None
    one = pa.struct([(name, pa.float64()) for name in classes])
    table = _table(texts, pa.schema([("prediction", pa.string()), ("probabilities", one)]))
    if table is None:
        return None
    labels = pc.fill_null(pc.index_in(table["prediction"], pa.array(classes, pa.string())), -1)
    said = [pc.struct_field(table["probabilities"], name).to_numpy() for name in classes]
    return labels.to_numpy().astype("int64"), np.column_stack(said)


def objects(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the objects of JSON texts; what is none is empty."""
    import msgspec

    try:
        return msgspec.json.decode(f"[{','.join(texts)}]", type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeError):
        return [_object(text) for text in texts]


def number(value: Any) -> float:
    """Return a value as a number, NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _table(texts: Sequence[str], schema: pa.Schema) -> pa.Table | None:
    """Return JSON texts as a table, None where a value is of another kind than is written usually."""
    import pyarrow as pa
    from pyarrow.json import ParseOptions, ReadOptions, read_json

    parse = ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        content = pa.py_buffer("\n".join(texts).encode())
        found = read_json(pa.BufferReader(content), ReadOptions(use_threads=True, block_size=BLOCK), parse)
    except (pa.ArrowException, UnicodeError):
        return None
    return found if len(found) == len(texts) else None


def _column(table: pa.Table, one: Field, fields: Fields) -> np.ndarray:
    """Return a column as `Fields.typed` makes it; each different word is looked at once."""
    import pyarrow as pa

    values = table[one.name].combine_chunks()
    if one.kind == "number":
        return np.asarray(values.to_numpy(zero_copy_only=False))
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    coded = values.dictionary_encode()
    words = fields.column(one.name, [*coded.dictionary.to_pylist(), None])
    return np.asarray(words[coded.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)])
