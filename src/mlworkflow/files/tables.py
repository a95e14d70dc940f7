"""Reads the table that a user brings, whatever file it is in: CSV, Parquet, JSON lines, Excel, also packed."""

from __future__ import annotations

import itertools
import zipfile
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import ProjectError, TableError, UnreadableError, first_line
from mlworkflow.files import archives, delimited, dialect, records

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROWS = 131_072  # of a batch: no result may depend on it
CSV = (".csv", ".tsv", ".txt")
JSON = (".jsonl", ".ndjson", ".json")
SUFFIXES = (*CSV, ".parquet", *JSON, ".xlsx")
DAMAGE = (OSError, EOFError, ValueError, NotImplementedError, zlib.error, zipfile.BadZipFile)


def is_table(path: Path) -> bool:
    """Return whether the name is that of a table: customers.csv, customers.csv.gz, customers.zip."""
    suffix = path.suffix.lower()
    return suffix == ".zip" or Path(path.stem if suffix in archives.PACKED else path.name).suffix.lower() in SUFFIXES


def suffix_of(path: Path) -> str:
    """Return what kind of table is in the file, by the suffix of its name or of what is packed in it.

    Raises:
        UnreadableError: it is not there, or no table by its name.
    """
    name = Path(path.name)
    if not is_table(name):
        told = f"its suffix is none of {', '.join(SUFFIXES)}, with or without {', '.join(archives.PACKED)}"
        raise UnreadableError(path, told, "Save it as CSV or Parquet.")
    archives.demand_file(path)
    suffix = Path(archives.inner_name(path)).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableError(path, f"it holds a file that is none of {', '.join(SUFFIXES)}", "Pack a table.")
    return suffix


def sniff(path: Path) -> dict[str, str]:
    """Return how the file is written, as arguments of `batches`: delimiter, encoding and quote, or the sheet.

    Raises:
        UnreadableError: it is missing, empty, damaged or no table.
    """
    suffix = suffix_of(path)
    try:
        if suffix in CSV:
            return dialect.find_out(path)
        return {"sheet": _book(path).sheetnames[0]} if suffix == ".xlsx" else {}
    except DAMAGE as error:
        raise _damaged(path, error) from error


def batches(path: Path, *, ragged: list[Any] | None = None, **how: str | None) -> Iterator[pd.DataFrame]:
    """Yield the rows in tables of ROWS rows and the same columns, at least one table, which may be without rows.

    `ragged`: see `delimited.tables`.

    What is not told of delimiter, encoding, quote and sheet is found out. Words stay as they stand.

    Raises:
        UnreadableError: the file is missing, empty, damaged or no table; with the place.
        TableError: a column is there twice.
    """
    suffix = suffix_of(path)
    try:
        if suffix in CSV:
            told = {key: value for key, value in how.items() if value and key != "sheet"}
            wanted = told if len(told) == 3 else dialect.find_out(path) | told
            found = delimited.tables(path, **wanted, ragged=ragged)
        elif suffix in JSON:
            found = records.tables(path, ROWS)
        else:
            found = _parquet(path) if suffix == ".parquet" else _excel(path, how.get("sheet"))
        for table in _even(found):
            yield table.to_pandas(date_as_object=False).reset_index(drop=True)
    except ProjectError:
        raise
    except DAMAGE as error:
        raise _damaged(path, error) from error


def read_rows(path: Path, **how: str | None) -> pd.DataFrame:
    """Return all rows of a user's file in one table; see `batches`."""
    import pandas as pd

    return pd.concat(batches(path, ragged=None, **how), ignore_index=True)


def _damaged(path: Path, error: Exception) -> UnreadableError:
    if isinstance(error, UnreadableError):
        return error
    told = getattr(error, "strerror", None) or first_line(error)
    return UnreadableError(path, f"it is not: {told}", "Make or fetch the file again.")


def _even(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield the same rows in tables of ROWS rows; the last is shorter, and none is empty but an only one."""
    import pyarrow as pa

    rest = next(tables)
    for table in itertools.chain(tables, [rest.slice(0, 0)]):
        rest = pa.concat_tables([rest, table])
        while len(rest) > ROWS:
            yield rest.slice(0, ROWS)
            rest = rest.slice(ROWS)
    yield rest


def _parquet(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa
    from pyarrow import parquet

    if path.suffix.lower() in archives.PACKED:
        with archives.opened(path) as stream:
            file = parquet.ParquetFile(pa.BufferReader(stream.read()))
    else:
        file = parquet.ParquetFile(path)
    with file:
        schema = _plain(file, path)
        yield schema.empty_table()
        yield from (pa.Table.from_batches([batch]).cast(schema) for batch in file.iter_batches(ROWS))


def _plain(file: Any, path: Path) -> Any:
    """Return the schema with which each batch has the same pandas types: decimals, integers with gaps are floats."""
    import pyarrow as pa
    from pyarrow import types

    schema, nested = file.schema_arrow, []
    twice = {name for name in schema.names if schema.names.count(name) > 1}
    if twice:
        raise TableError(str(path), [f"the column {name!r} is there twice" for name in sorted(twice)], "Rename one.")
    for place, field in enumerate(schema):
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        if types.is_nested(kind):
            nested.append(f"the column {field.name!r} holds {kind}")
            continue
        gaps = types.is_integer(kind) and _has_gaps(file.metadata, place)
        kind = pa.float64() if types.is_decimal(kind) or gaps else kind
        schema = schema.set(place, field.with_type(kind).with_nullable(True))
    if nested:
        raise TableError(str(path), nested, "Flatten these columns, or leave them out.")
    return schema


def _has_gaps(metadata: Any, column: int) -> bool:
    """Return whether values may be missing in a column of a flat file; they may where nothing is recorded."""
    told = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
    return any(each is None or not each.has_null_count or each.null_count for each in told)


def _book(path: Path) -> Any:
    if find_spec("openpyxl") is None:
        raise UnreadableError(path, "Excel needs the package openpyxl, which is not installed", "Type `make extras`.")
    import io as streams

    import openpyxl

    with archives.opened(path) as stream:
        content = streams.BytesIO(stream.read())
    try:
        return openpyxl.load_workbook(content, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError) as error:
        raise UnreadableError(path, f"it is not: it is no Excel file ({error})", "Save it as .xlsx.") from error


def _excel(path: Path, sheet: str | None) -> Iterator[pa.Table]:
    """Yield the rows of a sheet, the first where none is named, as words: 3.0 is "3", a day "2024-01-31"."""
    import pyarrow as pa

    book = _book(path)
    if sheet and sheet not in book.sheetnames:
        told = f"there is no sheet {sheet!r}, only {', '.join(map(repr, book.sheetnames))}"
        raise UnreadableError(path, told, "Name one of them in problem.source.")
    rows = book[sheet or book.sheetnames[0]].iter_rows(values_only=True)
    names = [str(name) if name is not None else "" for name in next(rows, ())]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise UnreadableError(path, "it is not: the sheet is empty", "Put a header and rows into it.")
    schema = pa.schema([(name, pa.string()) for name in delimited.named(path, names)])
    waiting: list[list[str | None]] = []
    for row in rows:
        if any(value is not None for value in row):
            waiting.append([_cell(value) for value in (*row, *[None] * len(names))[: len(names)]])
        if len(waiting) == ROWS:
            yield _rowwise(waiting, schema)
            waiting = []
    yield _rowwise(waiting, schema)


def _rowwise(rows: list[list[str | None]], schema: Any) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=schema)


def _cell(value: Any) -> str | None:
    """Return a cell as a word."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).removesuffix(" 00:00:00")
