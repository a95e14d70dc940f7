"""The Open Inference Protocol, version 2 (KServe), with its extension for binary tensors (Triton).

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mlworkflow.api.http import number
from mlworkflow.api.problems import RefusedError, of_rows, short
from mlworkflow.api.shape import Asked
from mlworkflow.runtime.fields import LONGEST, Field, RowsError

if TYPE_CHECKING:
    from mlworkflow.api.served import Served

NUMBERS = {
    "FP64": "<f8", "FP32": "<f4", "FP16": "<f2", "INT64": "<i8", "INT32": "<i4", "INT16": "<i2", "INT8": "<i1",
    "UINT64": "<u8", "UINT32": "<u4", "UINT16": "<u2", "UINT8": "<u1", "BOOL": "?",
}  # fmt: skip
OF_KIND = {"number": "FP64"}  # of a field; all else are words
DATA_SIZE = "binary_data_size"
HEADER = b"inference-header-content-length"


def metadata(served: Served) -> dict[str, Any]:
    """Return what GET /v2/models/NAME says."""
    fields = served.model.fields.all
    inputs = [{"name": one.name, "datatype": OF_KIND.get(one.kind, "BYTES"), "shape": [-1]} for one in fields]
    return {
        "name": served.model.name,
        "versions": [served.version],
        "platform": "onnxruntime_onnx" if served.model.backend == "onnx" else "sklearn_skops",
        "inputs": inputs,
        "outputs": [{"name": name, **told} for name, told in _outputs(served).items()],
    }


def _outputs(served: Served) -> dict[str, dict[str, Any]]:
    model = served.model
    kind = "BYTES" if model.classes else "INT64" if model.task == "clustering" else "FP64"
    made: dict[str, dict[str, Any]] = {"prediction": {"datatype": kind, "shape": [-1]}}
    if model.classes:
        made["probabilities"] = {"datatype": "FP64", "shape": [-1, len(model.classes)]}
    return made | {"id": {"datatype": "BYTES", "shape": [-1]}}


class Inference:
    """One request of /infer: the rows it asks for, and how its answer is written."""

    def __init__(self, served: Served, content: bytes, head: str | None, most_rows: int) -> None:
        """Read a request.

        Raises:
            RefusedError: 400 it does not keep the protocol, 413 too many rows, 422 values do not fit the schema.
        """
        self._served = served
        self._told, binary = _parted(content, head)
        self._wanted = _named(self._told.get("outputs", []), "output", _outputs(served))
        columns = _tensors(self._told, binary, {one.name: one for one in served.model.fields.all}, most_rows)
        self.asked = _asked(served, columns)

    def answer(self, version: str, answers: Sequence[Mapping[str, Any]]) -> tuple[bytes, int | None]:
        """Return the body of the answer, and the length of its JSON part where binary tensors follow."""
        known = _outputs(self._served)
        wanted = self._wanted or [{"name": name} for name in known if name != "id"]
        binary_all = bool(_parameters(self._told).get("binary_data_output"))
        outputs, tail = [], []
        for one in wanted:
            name = one["name"]
            values = [answer[name] for answer in answers]
            if name == "probabilities":
                values = [list(line.values()) for line in values]
            shape = [len(answers), *known[name]["shape"][1:]]
            told: dict[str, Any] = {"name": name, "datatype": known[name]["datatype"], "shape": shape}
            if _parameters(one).get("binary_data", binary_all):
                tail.append(_written(values, told["datatype"]))
                told["parameters"] = {DATA_SIZE: len(tail[-1])}
            else:
                told["data"] = np.asarray(values).ravel().tolist() if name == "probabilities" else values
            outputs.append(told)
        head: dict[str, Any] = {"model_name": self._served.model.name, "model_version": version, "outputs": outputs}
        if "id" in self._told:
            head["id"] = self._told["id"]
        written = msgspec.json.encode(head)
        return b"".join([written, *tail]), len(written) if tail else None


def _parameters(told: Mapping[str, Any]) -> Mapping[str, Any]:
    found = told.get("parameters")
    return found if isinstance(found, Mapping) else {}


def _parted(content: bytes, head: str | None) -> tuple[dict[str, Any], bytes]:
    """Return the JSON part and the binary part of a body."""
    end = len(content) if head is None else number(head)
    if end is None or end > len(content):
        raise RefusedError(400, "Inference-Header-Content-Length must be the length of the JSON part, but is not.")
    try:
        told = json.loads(content[:end])
    except (ValueError, RecursionError):
        raise RefusedError(400, "The body must be JSON, but it is not.") from None
    if not isinstance(told, dict) or not isinstance(told.get("inputs"), list):
        raise RefusedError(400, "The body must be an object with `inputs`, a list of tensors.")
    if not isinstance(told.get("outputs", []), list):
        raise RefusedError(400, "`outputs` must be a list.")
    if not isinstance(told.get("id", ""), str) or short(told.get("id", "")) != told.get("id", ""):
        raise RefusedError(400, f"`id` must be a text of at most {LONGEST} characters.")
    return told, content[end:]


def _named(tensors: Sequence[Any], kind: str, known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return tensors when each is one of `known`, once."""
    seen = set()
    for one in tensors:
        name = one.get("name") if isinstance(one, dict) else one
        if not (isinstance(one, dict) and isinstance(name, str) and name in known):
            raise RefusedError(400, f"There is no {kind} {str(name)[:60]!r}, only {', '.join(known)}.")
        if name in seen:
            raise RefusedError(400, f"The {kind} {name!r} must be there once.")
        seen.add(name)
    return list(tensors)


def _tensors(
    told: Mapping[str, Any], binary: bytes, known: Mapping[str, Field], most_rows: int
) -> dict[str, list[Any]]:
    """Return {field: values} of the tensors, all of the same length."""
    found: dict[str, list[Any]] = {}
    for one in _named(told["inputs"], "input", known):
        kind = one.get("datatype")
        if kind != "BYTES" and not (isinstance(kind, str) and kind in NUMBERS):
            raise RefusedError(400, f"The datatype of {one['name']!r} must be BYTES or one of {', '.join(NUMBERS)}.")
        size = _parameters(one).get(DATA_SIZE)
        if size is not None:
            if not isinstance(size, int) or not 0 <= size <= len(binary):
                raise RefusedError(400, f"{DATA_SIZE} of {one['name']!r} must be the bytes that follow, but is not.")
            found[one["name"]], binary = _read(one, binary[:size]), binary[size:]
        else:
            found[one["name"]] = _listed(one)
        _demand_shape(one, found[one["name"]], most_rows)
    if binary:
        raise RefusedError(400, f"{len(binary)} bytes follow that are of no tensor.")
    lengths = {len(values) for values in found.values()}
    if len(lengths) > 1:
        raise RefusedError(400, f"All tensors must have as many rows, but they have {sorted(lengths)}.")
    return found


def _demand_shape(one: Mapping[str, Any], values: list[Any], most_rows: int) -> None:
    shape = one.get("shape")
    if not isinstance(shape, list) or shape not in ([len(values)], [len(values), 1]):
        raise RefusedError(400, f"The shape of {one['name']!r} must be [n] or [n, 1] for its {len(values)} values.")
    if len(values) > most_rows:
        raise RefusedError(413, f"A request may have {most_rows} rows, but this one has {len(values)}. Send several.")


def _listed(one: Mapping[str, Any]) -> list[Any]:
    data = one.get("data")
    if not isinstance(data, list):
        raise RefusedError(400, f"The tensor {one['name']!r} must have `data`, a list.")
    return [value for line in data for value in (line if isinstance(line, list) else [line])]


def _read(one: Mapping[str, Any], content: bytes) -> list[Any]:
    """Return the values of a binary tensor: NaN and the empty word are not known."""
    kind = one["datatype"]
    if kind == "BYTES":
        return _read_words(str(one["name"]), content)
    dtype = np.dtype(NUMBERS[kind])
    if len(content) % dtype.itemsize:
        raise RefusedError(400, f"The bytes of {one['name']!r} are no whole number of {kind}.")
    return [None if value != value else value for value in np.frombuffer(content, dtype).tolist()]


def _read_words(name: str, content: bytes) -> list[str | None]:
    words: list[str | None] = []
    place = 0
    try:
        while place < len(content):
            end = place + 4 + int.from_bytes(content[place : place + 4], "little")
            if end > len(content):
                raise ValueError
            words.append(content[place + 4 : end].decode() or None)
            place = end
    except ValueError:
        raise RefusedError(400, f"The bytes of {name!r} are no words with their lengths, in UTF-8.") from None
    return words


def _written(values: list[Any], kind: str) -> bytes:
    if kind != "BYTES":
        return np.asarray(values, dtype=NUMBERS[kind]).tobytes()
    words = [str(value).encode() for value in values]
    return b"".join(len(word).to_bytes(4, "little") + word for word in words)


def _asked(served: Served, columns: Mapping[str, Sequence[Any]]) -> Asked:
    """Return the rows of tensors; the fields that are not among them are not known, or refused where required."""
    count = len(next(iter(columns.values()), []))
    rows = [{name: values[row] for name, values in columns.items()} for row in range(count)]
    try:
        typed = served.model.fields.read(rows)
    except RowsError as error:
        raise of_rows(error) from None
    names = served.shape.names
    return Asked(typed, names, [[row.get(name) for name in names] for row in rows])
