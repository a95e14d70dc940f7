"""Parquet files read and written in batches, so that a table need not fit into memory; a file is whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import TableError, UnreadableError, UnwritableError, first_line
from mlworkflow.core.io import RERUN, replacing
from mlworkflow.rows.reading import as_word

if TYPE_CHECKING:
    import pandas as pd

BATCH = 100_000  # rows that are held at once; a constant, since the bytes of what is written depend on it


def read_batches(path: Path, size: int = BATCH) -> Iterator[pd.DataFrame]:
    """Yield the rows of a Parquet file in batches, at least one, each with an index from 0.

    Raises:
        UnreadableError: the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in _record_batches(file, size) if file.metadata.num_rows else [file.schema_arrow.empty_table()]:
                yield batch.to_pandas(date_as_object=False)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(path, f"it is not: {first_line(error)}", RERUN) from error


def _record_batches(file: Any, size: int) -> Iterator[Any]:
    """Yield the rows of an open file group by group: pyarrow keeps all groups that one reader has read."""
    for group in range(file.metadata.num_row_groups):
        yield from file.iter_batches(size, row_groups=[group])


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Yield a writer of batches; `path` is replaced when all went well, and is as it was before when not.

    Raises:
        UnwritableError: the disk is full, the folder is read-only, ...
    """
    with replacing(path) as temporary:
        writer = Writer(temporary, path)
        try:
            yield writer
            writer.finish()
        finally:
            writer.forget()


class Writer:
    """Takes batches of rows with the same columns; a type that turns out too narrow is widened in the end."""

    def __init__(self, path: Path, told: Path) -> None:
        self.path, self.rows = path, 0
        self.told = told  # the name of the file in errors
        self.order_by: str | None = None  # a column that all rows are sorted by in the end
        self._columns: Any = None  # the pyarrow schema that holds all batches so far
        self._parts: list[Path] = []  # files with narrower types
        self._open: Any = None

    def add(self, rows: pd.DataFrame) -> None:
        """Write further rows.

        Raises:
            TableError: the columns are not those of the rows before, or hold what no column of a table can.
            UnwritableError: the disk is full, ...
        """
        try:
            self._write(rows)
        except OSError as error:  # here, as several files may be written at once
            raise UnwritableError(self.told, error) from error

    def _write(self, rows: pd.DataFrame) -> None:
        import pyarrow.parquet as pq

        made = arrow_table(rows)
        columns = made.schema if self._columns is None else _wide_enough(self._columns, made.schema)
        if self._columns is not None and not columns.equals(self._columns):
            self._set_aside()
        if self._open is None:
            self._columns, self._open = columns, pq.ParquetWriter(self.path, columns)
        self.rows += len(rows)
        self._open.write_table(made.cast(self._columns))

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns.names) if self._columns is not None else []

    def _set_aside(self) -> None:
        """Begin a new file, as what was written has narrower types."""
        self.close()
        self._parts.append(self.path.with_name(f"{self.path.name}.{len(self._parts)}"))
        self.path.replace(self._parts[-1])

    def finish(self) -> None:
        """Write what is left to write: narrower parts with the final types, the rows in their order."""
        import pyarrow.parquet as pq

        if self._parts:
            self._set_aside()
            self._open = pq.ParquetWriter(self.path, self._columns)
            for part in self._parts:
                with pq.ParquetFile(part) as file:
                    for batch in _record_batches(file, BATCH):
                        self._open.write_batch(batch.cast(self._columns))
        self.close()
        if self.order_by is not None:
            _sort(self.path, self.order_by)

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            left, self._open = self._open, None
            left.close()

    def forget(self) -> None:
        """Close what a failure left open, and remove the parts."""
        with suppress(OSError):
            self.close()
        for part in self._parts:
            with suppress(OSError):
                part.unlink()


def _sort(path: Path, name: str) -> None:
    """Sort the rows of a Parquet file by a column; equal ones keep their order. One column at a time is copied."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    order = pa.array(np.argsort(table.column(name).to_numpy(), kind="stable"))
    for position, column in enumerate(table.schema):
        table = table.set_column(position, column, table.column(position).combine_chunks().take(order))
    pq.write_table(table, path, row_group_size=BATCH)


def arrow_table(rows: pd.DataFrame) -> Any:
    """Return the rows as a pyarrow table; a column of mixed values as words.

    Raises:
        TableError: a column holds lists or further columns.
    """
    import pyarrow as pa

    mended = {}
    for name in rows.columns[rows.dtypes == "object"]:
        try:
            kind = pa.array(rows[name], from_pandas=True).type
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            mended[name] = rows[name].map(as_word, na_action="ignore").astype("str")
            kind = pa.string()
        if pa.types.is_nested(kind):
            found = f"the column {name!r} holds lists or further columns, such as {rows[name].dropna().iloc[0]!r}"
            raise TableError("the table", [found], "Spread it over columns of its own in the source.")
    return pa.Table.from_pandas(rows.assign(**mended) if mended else rows, preserve_index=False)


def _wide_enough(before: Any, after: Any) -> Any:
    """Return the pyarrow schema that holds the columns of both."""
    import pyarrow as pa

    if before.names != after.names:
        odd = sorted(set(before.names) ^ set(after.names)) or after.names
        raise TableError("the source table", [f"not every batch has the columns {odd}"], "Mend the source.")
    fields = []
    for old, new in zip(before, after, strict=True):
        try:
            fields.append(pa.unify_schemas([pa.schema([old]), pa.schema([new])], promote_options="permissive").field(0))
        except pa.ArrowTypeError as error:
            found = f"the column {old.name!r} has {old.type} in some rows and {new.type} in others"
            raise TableError("the source table", [found], "Mend the source.") from error
    return pa.schema(fields, metadata=before.metadata)
