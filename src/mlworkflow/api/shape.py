"""The body of a request made typed columns: by a decoder made of the schema; where that refuses, all mistakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from mlworkflow.api.problems import RefusedError, of_rows
from mlworkflow.runtime.fields import RowsError

if TYPE_CHECKING:
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.runtime.model import Model

TYPES: dict[str, Any] = {
    "number": float | None,
    "category": str | int | float | bool | None,
    "text": str | None,
    "time": str | None,
}


@dataclass
class Asked:
    """Rows of a request: their typed columns, their values as they came, in the order of `names`, and whether many."""

    columns: Columns
    names: Sequence[str]
    values: Sequence[Sequence[Any]]
    many: bool = True

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    @cached_property
    def inputs(self) -> list[dict[str, Any]]:
        """The rows as {field: value}."""
        return [dict(zip(self.names, line, strict=True)) for line in self.values]


class Shape:
    """How the rows of a model are written in JSON: one object, or a list of objects."""

    def __init__(self, model: Model, most_rows: int) -> None:
        self._fields, self._most = model.fields, most_rows
        own = model.fields.names
        others = [column.name for column in model.schema.columns if column.name not in set(own)]
        self.names = [*own, *others]
        self._keys = [self.names.index(name) for name in model.schema.with_role("key")]
        kinds = {one.name: TYPES[one.kind] for one in model.fields.all}
        required = {one.name for one in model.fields.all if one.required}
        lines = [(f"f{place}", kinds.get(name, Any)) for place, name in enumerate(self.names)]
        made = [line if name in required else (*line, None) for line, name in zip(lines, self.names, strict=True)]
        row = msgspec.defstruct(
            "Row",
            made,
            rename={f"f{place}": name for place, name in enumerate(self.names)},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        self._decoder = msgspec.json.Decoder(row | list[row])  # type: ignore[valid-type]

    def decode(self, body: bytes) -> Asked:
        """Return the rows of a body.

        Raises:
            RefusedError: 400 it is no JSON, 413 too many rows, 422 rows do not fit the schema: all that is wrong.
        """
        try:
            found = self._decoder.decode(body)
            many = isinstance(found, list)
            values = [msgspec.structs.astuple(row) for row in (found if many else [found])]
            self._demand_few(len(values))
            return Asked(self.typed(values), self.names, values, many)
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
            return self._slowly(body)

    def typed(self, values: Sequence[Sequence[Any]]) -> Columns:
        """Return the typed columns of rows of values in the order of `names`."""
        lists = zip(*values, strict=True) if values else ([] for _ in self.names)
        return self._fields.typed(dict(zip(self.names, lists, strict=True)))

    def key(self, values: Sequence[Any]) -> str | None:
        """Return what a row is known by, where the schema has a key and the row says it."""
        found = [values[place] for place in self._keys]
        return "\x1f".join(map(str, found)) if found and None not in found else None

    def _slowly(self, body: bytes) -> Asked:
        try:
            found = json.loads(body)
        except RecursionError:
            raise RefusedError(400, "The body must be JSON of a few levels, but it is nested too deeply.") from None
        except ValueError as error:
            raise RefusedError(400, f"The body must be JSON, but it is not: {_where(error)}.") from None
        if not isinstance(found, dict | list):
            raise RefusedError(422, "The body must be a row, an object of fields and values, or a list of rows.")
        rows = found if isinstance(found, list) else [found]
        self._demand_few(len(rows))
        try:
            columns = self._fields.read(rows)
        except RowsError as error:
            raise of_rows(error) from None
        return Asked(
            columns, self.names, [[row.get(name) for name in self.names] for row in rows], isinstance(found, list)
        )

    def _demand_few(self, count: int) -> None:
        if count > self._most:
            raise RefusedError(413, f"A request may have {self._most} rows, but this one has {count}. Send several.")


def _where(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "a number has too many digits"
