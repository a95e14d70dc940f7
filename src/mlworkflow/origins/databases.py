"""Takes a query's rows out of a database, piece by piece, into a Parquet file that keeps their types."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import ProjectError, TableError
from mlworkflow.files import archives
from mlworkflow.origins import addresses

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Engine

ROWS = 50_000  # that are fetched at once


class DatabaseError(ProjectError):
    """A database refused, or a query failed."""

    def __init__(self, address: str, reason: str, next_step: str) -> None:
        super().__init__(f"{addresses.without_secrets(address)} must answer the query, but {reason}. {next_step}")


def take(address: str, query: str, out: Path) -> None:
    """Write the rows of a query to `out`; `${NAME}` in the address stands for what the environment holds.

    Raises:
        DatabaseError: the database refuses, the query fails, or gives no rows.
    """
    if find_spec("sqlalchemy") is None:
        raise DatabaseError(address, "the package sqlalchemy is not installed", "Type `make extras`.")
    from sqlalchemy.exc import SQLAlchemyError

    if address.partition("?")[0].count("@") > 1:  # what follows the first would be taken for the host, and shown
        raise DatabaseError(address, "its password holds an @", "Write %40 for it.")
    try:
        _write(_rows(_engine(addresses.filled(address)), query), out)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        told = addresses.censored(_reason(error), address)
        raise DatabaseError(address, told, _next_step(error)) from None  # the cause may show the password
    except EOFError:
        raise DatabaseError(address, "it gives no rows", "Mend the query.") from None


def _engine(address: str) -> Engine:
    """Return the engine; a PostgreSQL address needs no driver in it, a SQLite file must be there."""
    from sqlalchemy import create_engine, make_url

    url = make_url(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", address))
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:"):
        archives.demand_file(Path(url.database))  # SQLite would make it
    postgres = url.drivername == "postgresql+psycopg"
    return create_engine(url, connect_args={"connect_timeout": 10, "client_encoding": "utf8"} if postgres else {})


def _rows(engine: Engine, query: str) -> Iterator[pa.Table]:
    """Yield the rows of the query, ROWS at once."""
    import pyarrow as pa

    try:
        with engine.connect() as connection:
            how = {"stream_results": True, "yield_per": ROWS, "no_parameters": True}
            result = connection.exec_driver_sql(query, execution_options=how)
            if not result.returns_rows:
                raise TableError("the query", ["it gives no table"], "Ask with SELECT.")
            names = list(result.keys())
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                told = [f"the column {name!r} is there twice" for name in twice]
                raise TableError("the query", told, "Give one of them another name: SELECT a.id AS other.")
            for rows in result.partitions():
                columns = zip(*rows, strict=True)
                yield pa.table(dict(zip(names, map(column, columns), strict=True)))
    finally:
        engine.dispose()


def column(values: tuple[Any, ...]) -> pa.Array:
    """Return values as one type: JSON as its text, what is of several types as words."""
    import pyarrow as pa

    if any(isinstance(value, (dict, list)) for value in values):
        values = tuple(None if value is None else json.dumps(value, ensure_ascii=False) for value in values)
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _write(tables: Iterator[pa.Table], out: Path) -> None:
    """Write the tables as one: what differs in type from piece to piece (all missing, then numbers) is made one.

    Raises:
        EOFError: there are none.
    """
    from pyarrow import feather, parquet
    from tqdm import tqdm

    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".pieces.", suffix=".tmp") as folder:
        pieces: list[Path] = []
        schemas = []
        with tqdm(unit=" rows", disable=None, leave=False) as progress:
            for table in tables:
                pieces.append(Path(folder) / f"{len(pieces)}.arrow")
                feather.write_feather(table, str(pieces[-1]))
                schemas.append(table.schema)
                progress.update(len(table))
        if not pieces:
            raise EOFError
        schema = common(schemas)
        with parquet.ParquetWriter(out, schema) as writer:
            for piece in pieces:
                writer.write_table(of_schema(feather.read_table(str(piece)), schema))


def common(schemas: list[Any]) -> Any:
    """Return the schema that holds all of them: integers become floats beside floats, else words."""
    import pyarrow as pa

    return pa.schema([_one([schema.field(place) for schema in schemas]) for place in range(len(schemas[0]))])


def _one(fields: list[Any]) -> Any:
    import pyarrow as pa

    try:
        field = pa.unify_schemas([pa.schema([each]) for each in fields], promote_options="permissive").field(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.field(fields[0].name, pa.string())
    return field.with_type(pa.string()) if field.type == pa.null() else field


def of_schema(table: pa.Table, schema: Any) -> pa.Table:
    """Return the table with the types of `common`."""
    import pyarrow as pa

    columns = [
        values.cast(field.type)
        if field.type != pa.string() or pa.types.is_null(values.type)
        else pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
        for values, field in zip(table.columns, schema, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _reason(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__


def _next_step(error: Exception) -> str:
    from sqlalchemy import exc

    if isinstance(error, ImportError):
        return "Type `make extras`, or install the database's driver."
    if isinstance(error, exc.NoSuchModuleError | exc.ArgumentError | ValueError):
        return "Give an SQLAlchemy address: sqlite:///shop.db, postgresql://user@host/db."
    if "password" in str(error):
        return "Put the password into PGPASSWORD, or name a variable in the address: user:${NAME}@host. None is kept."
    return "Mend the address or the query, then run again."
