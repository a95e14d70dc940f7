"""Rows of the log as typed columns: many at a time by PyArrow; one by one where they are not as a server writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.recording.reading import Raw, Together, is_sound

if TYPE_CHECKING:
    import pyarrow as pa

    from mlworkflow.rows.arrays import Columns
    from mlworkflow.runtime.fields import Field, Fields
    from mlworkflow.runtime.model import Model

MANY = 20  # rows, from which on PyArrow is the faster way
BLOCK = 1 << 21  # bytes that PyArrow reads at a time, on several cores; a longer row is read the slow way


@dataclass(frozen=True)
class Rows:
    """Predictions of n rows: their numbers in the log, ids, times, inputs, answers (labels: codes, or values)."""

    seqs: np.ndarray
    ids: np.ndarray
    times: np.ndarray
    latencies: np.ndarray
    columns: Columns
    labels: np.ndarray
    probabilities: np.ndarray | None

    def __len__(self) -> int:
        """Return n."""
        return len(self.seqs)

    def some(self, places: np.ndarray | slice) -> Rows:
        """Return some of the rows."""
        columns = {name: values[places] for name, values in self.columns.items()}
        said = None if self.probabilities is None else self.probabilities[places]
        seqs, ids, times, latencies = (one[places] for one in (self.seqs, self.ids, self.times, self.latencies))
        return Rows(seqs, ids, times, latencies, columns, self.labels[places], said)


@dataclass(frozen=True)
class Decoded:
    """A piece of the log: its last number, the ids of all its predictions, and the rows of the version watched."""

    last: int
    ids: Sequence[str]
    rows: Rows
    counts: Mapping[str, int]  # of rows that are left out


def decoded(chunk: Together, version: str, model: Model) -> Decoded:
    """Return what a piece of the log says of a version; rows that no server writes are left out and counted."""
    try:
        rows, counts = _rows(chunk, version, model)
    except (TypeError, ValueError):
        sound = [fields for fields in zip(*chunk, strict=True) if is_sound(_raw(fields))]
        kept = Together(*(tuple(field) for field in zip(*sound, strict=True))) if sound else Together(*([()] * 8))
        rows, counts = _rows(kept, version, model)
        counts["rows that no server writes"] = len(chunk.seqs) - len(sound)
    return Decoded(chunk.seqs[-1], [str(id) for id in chunk.ids], rows, counts)


def _raw(fields: Sequence[Any]) -> Raw:
    """Return the fields of a Together, of one prediction, as a Raw without a key."""
    seq, id, when, version, role, inputs, output, latency = fields
    return Raw(seq, id, when, version, role, None, inputs, output, latency)


def _rows(chunk: Together, version: str, model: Model) -> tuple[Rows, dict[str, int]]:
    """Return (the rows of the version, how many were left out). Raises TypeError, ValueError: some are not sound."""
    if {*map(type, chain(chunk.ids, chunk.versions, chunk.roles))} - {str}:
        raise TypeError("an id, a version or a role is no text")
    asked = np.array([role == "champion" for role in chunk.roles], bool)
    own = asked & np.array([one == version for one in chunk.versions], bool)
    inputs, outputs = (list(compress(texts, own)) for texts in (chunk.inputs, chunk.outputs))
    columns, fit = columns_of(inputs, model.fields)
    left_out = {"rows of other versions": int((asked & ~own).sum()), "rows of another schema": len(inputs) - len(fit)}
    labels, said = said_of(outputs, model.classes)
    places = np.flatnonzero(own)[fit]
    ids = np.array(chunk.ids, "object")[places]
    seqs = np.array(chunk.seqs, "int64")[places]
    times, latencies = (np.array(one, "float64")[places] for one in (chunk.times, chunk.latencies))
    if not (np.isfinite(times).all() and np.isfinite(latencies).all()):
        raise ValueError("a time or a latency is missing")
    return Rows(seqs, ids, times, latencies, columns, labels[fit], None if said is None else said[fit]), left_out


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
    told = [one.get("probabilities") for one in rows]
    lines = [[number(one.get(name)) if isinstance(one, dict) else np.nan for name in names] for one in told]
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
