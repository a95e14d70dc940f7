"""The rows of a query, from any database that SQLAlchemy knows; passwords are neither kept nor shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.sources.errors import SourceError
from mlworkflow.tablefiles import BATCH

if TYPE_CHECKING:
    import pandas as pd

DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def fetch(address: str, query: str) -> Iterator[pd.DataFrame]:
    """Yield the rows of `query` in batches, numbers and times as the database has them.

    Args:
        address: as SQLAlchemy takes it; `${NAME}` stands for an environment variable, such as a password.
        query: one that returns rows.

    Raises:
        SourceError: SQLAlchemy is not installed, the database refuses, the query fails.
    """
    url = _url(address)
    import pandas as pd
    import sqlalchemy

    shown = without_password(address)
    try:
        engine = sqlalchemy.create_engine(url)
        with engine.connect().execution_options(stream_results=True) as connection:
            result = connection.execute(sqlalchemy.text(query))
            if not result.returns_rows:
                raise SourceError(shown, "the query returns no rows: it must be a SELECT", "Mend --query.")
            names, told = list(result.keys()), False
            for rows in result.partitions(BATCH):
                told = True
                yield _typed(pd.DataFrame(rows, columns=names))
            if not told:
                yield pd.DataFrame(columns=names)
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        cause = getattr(error, "orig", None) or error
        reason = " ".join(str(cause).split())[:300].replace(str(url.password or "\0"), "***")
        raise SourceError(shown, reason, "Mend the address or the query; nothing was written.") from error


def _url(address: str) -> Any:
    if find_spec("sqlalchemy") is None:
        raise SourceError(without_password(address), "SQLAlchemy is not installed", "Type `make extras`.")
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(_filled(address))
    except (ArgumentError, ValueError) as error:
        raise SourceError(without_password(address), "it is no address of a database", _EXAMPLE) from error
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if url.drivername.startswith("sqlite") and url.database and not Path(url.database).is_file():
        raise SourceError(address, f"there is no file {url.database}", "Mend the path behind sqlite:///.")
    return url


_EXAMPLE = "Write it as sqlite:///shop.db or postgresql://user@host/database."


def _filled(address: str) -> str:
    """Return the address with environment variables in place of `${NAME}`."""
    for name in re.findall(r"\$\{(\w+)\}", address):
        if name not in os.environ:
            raise SourceError(without_password(address), f"the environment has no {name}", f"Type `export {name}=...`.")
        address = address.replace(f"${{{name}}}", os.environ[name])
    return address


def without_password(address: str) -> str:
    """Return an address as it may be shown and kept: no password but an environment variable's name."""
    return re.sub(r"(://[^:/@]*):(?!\$\{\w+\}@)[^/]*@", r"\1@", address)


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with exact decimals as floats; Parquet would give each batch a precision of its own."""
    from decimal import Decimal

    decimals = [
        name for name in rows.select_dtypes("object") if rows[name].map(lambda value: isinstance(value, Decimal)).any()
    ]
    return rows.astype(dict.fromkeys(decimals, "float64"))
