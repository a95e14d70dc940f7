"""What the log holds: a record a prediction, and the ids that tell when one was made."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlworkflow.core.io import plain

Role = Literal["champion", "challenger", "shadow"]
Row = tuple[str, float, str, str, str | None, str, str, float]  # in the order of Record's fields, both objects as JSON

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


@dataclass(slots=True)
class Record:
    """One prediction of one row; a shadow's has the id of the answer that it stood beside."""

    id: str
    time: float  # seconds since 1970, when the request was taken
    version: str  # of the bundle that answered
    role: Role
    key: str | None  # by which the row was routed
    inputs: Mapping[str, Any] | bytes  # the fields as they came; bytes are a JSON object already
    output: Mapping[str, Any] | bytes
    latency_ms: float


def new_id() -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7): its text sorts by time, to a quarter of a microsecond.

    The first 48 bits are the milliseconds since 1970, the next 12 the fraction of one (section 6.2, method 3).
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    chance = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    number = f"{milliseconds << 80 | 7 << 76 | (rest << 12) // 1_000_000 << 64 | 2 << 62 | chance:032x}"
    return f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}"


def time_of(id: object) -> float | None:
    """Return when an id was made, in seconds since 1970; None for what is no id."""
    return int(id[:8] + id[9:13], 16) / 1000 if isinstance(id, str) and _ID.fullmatch(id) else None


def row_of(record: Record) -> Row:
    """Return a record as a row of the table; what JSON cannot hold becomes null (NaN) or its words."""
    r = record
    return r.id, r.time, r.version, r.role, _text(r.key), as_json(r.inputs), as_json(r.output), r.latency_ms


def as_json(value: Any) -> str:
    """Return a value as JSON in ASCII; bytes are JSON already."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return _encode(value)
    except (TypeError, ValueError):
        return json.dumps(plain(value), default=str)


def _text(key: str | None) -> str | None:
    """Return a key as UTF-8 can hold it: half of a surrogate pair, which JSON may carry, becomes `?`."""
    return None if key is None else key.encode("utf-8", "replace").decode()


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
