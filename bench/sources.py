"""Each way a table arrives, from `mlworkflow new` to its verdict: `make bench-sources`.

In a fresh clone, with real servers on this machine: a file, HTTP, a JSON API with pages, S3, SQLite, PostgreSQL, a
Python function. Each becomes a problem by one command and runs by one more, after its server is gone: the snapshot is
enough. The rows are the same, so the gains must be too; exit code 1 where they are not, or where a source failed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from tests import servers

ROOT = Path(__file__).parents[1]
ROWS = 400
QUERY = ["--query", "SELECT * FROM orders"]
AWS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "s3cret-word", "AWS_DEFAULT_REGION": "us-east-1"}


class Source(NamedTuple):
    """Where the orders are: the address, further words of the command, what the environment holds."""

    address: str
    words: list[str] = []
    env: dict[str, str] = {}


class CommandError(Exception):
    """A command failed, with what it printed."""


def orders() -> pd.DataFrame:
    """Return made-up orders of which some are returned."""
    rng = np.random.default_rng(0)
    paid, late = rng.normal(50, 10, ROWS).round(2), rng.integers(0, 9, ROWS)
    returned = rng.random(ROWS) < 1 / (1 + np.exp(-(paid - 60) / 4 - (late - 4) / 2))
    kept = {"order_id": [f"o{number}" for number in range(ROWS)], "paid": paid, "late": late}
    return pd.DataFrame(
        {**kept, "country": rng.choice(["NL", "BE"], ROWS), "returned": np.where(returned, "yes", "no")}
    )


# ---- the sources: each yields where the table is, while it is there --------------------------------------------------


@contextlib.contextmanager
def in_a_file(root: Path, table: pd.DataFrame) -> Iterator[Source]:
    """Write a CSV file into the clone."""
    table.to_csv(root / "orders.csv", index=False)
    yield Source("orders.csv")


@contextlib.contextmanager
def on_the_web(_: Path, table: pd.DataFrame) -> Iterator[Source]:
    """Serve a CSV file."""
    with servers.web() as web:
        web.files["/orders.csv"] = table.to_csv(index=False).encode()
        yield Source(f"{web.address}/orders.csv")


@contextlib.contextmanager
def behind_an_api(_: Path, table: pd.DataFrame) -> Iterator[Source]:
    """Serve records, three a page."""
    with servers.web() as web:
        servers.RECORDS[:] = json.loads(table.to_json(orient="records"))
        yield Source(f"api+{web.address}/api/links")


@contextlib.contextmanager
def on_s3(_: Path, table: pd.DataFrame) -> Iterator[Source]:
    """Lay a CSV file into a bucket."""
    import boto3

    with servers.s3() as endpoint:
        names = ("aws_access_key_id", "aws_secret_access_key", "region_name")
        client = boto3.client("s3", endpoint_url=endpoint, **dict(zip(names, AWS.values(), strict=True)))
        client.create_bucket(Bucket="shop")
        client.put_object(Bucket="shop", Key="orders.csv", Body=table.to_csv(index=False).encode())
        client.close()
        yield Source("s3://shop/orders.csv", env={"AWS_ENDPOINT_URL": endpoint, **AWS})


@contextlib.contextmanager
def in_sqlite(root: Path, table: pd.DataFrame) -> Iterator[Source]:
    """Make a database file in the clone."""
    with contextlib.closing(sqlite3.connect(root / "shop.db")) as connection:
        table.to_sql("orders", connection, index=False)
    yield Source("sqlite:///shop.db", QUERY)


@contextlib.contextmanager
def in_postgres(_: Path, table: pd.DataFrame) -> Iterator[Source]:
    """Start a PostgreSQL with the table; the password is in the environment alone."""
    import sqlalchemy

    with servers.postgres() as address:
        engine = sqlalchemy.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
        table.to_sql("orders", engine, index=False)
        engine.dispose()
        user, _, host = address.partition("@")
        bare, _, password = user.rpartition(":")
        yield Source(f"{bare}@{host}", QUERY, {"PGPASSWORD": password})


@contextlib.contextmanager
def from_a_function(root: Path, table: pd.DataFrame) -> Iterator[Source]:
    """Write a module into the clone."""
    table.to_csv(root / "warehouse.csv", index=False)
    code = "import pandas\n\n\ndef orders():\n    return pandas.read_csv('warehouse.csv')\n"
    (root / "warehouse.py").write_text(code)
    yield Source("warehouse:orders")


SOURCES: dict[str, Callable[[Path, pd.DataFrame], AbstractContextManager[Source]]] = {
    "file": in_a_file,
    "http": on_the_web,
    "api": behind_an_api,
    "s3": on_s3,
    "sqlite": in_sqlite,
    "postgres": in_postgres,
    "function": from_a_function,
}

# ---- from a source to its verdict ------------------------------------------------------------------------------------


def run(root: Path, *command: str, **changes: str) -> None:
    """Run a command in the clone.

    Raises:
        CommandError: it failed.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = {**kept, "PATH": path, "PYTHONPATH": str(root / "src"), "DVC_NO_ANALYTICS": "1", **changes}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def verdict(root: Path, name: str, table: pd.DataFrame) -> tuple[int, str, float]:
    """Return (rows, verdict, gain) of the problem that is made of a source."""
    with SOURCES[name](root, table) as source:
        words = ["--data", source.address, "--target", "returned", *source.words]
        run(root, "mlworkflow", "new", name, *words, **source.env)
    run(root, "dvc", "exp", "run", "-S", f"problem={name}", "-S", "search=none")
    told = json.loads((root / "metrics/decision.json").read_text(encoding="utf-8"))
    rows = json.loads((root / "data/raw/provenance.json").read_text(encoding="utf-8"))["rows"]
    return rows, f"{told['verdict']} ({told['primary']} {told['gain']:+.4f})", told["gain"]


def main() -> None:
    """Try every source, print a line for each, and in the end what failed."""
    table, gains, failed = orders(), dict[str, float](), list[str]()
    print(f"{'source':<10} {'rows':>5} {'seconds':>8}  verdict")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
        for name in SOURCES:
            started, rows = time.perf_counter(), 0
            try:
                rows, told, gains[name] = verdict(root, name, table)
            except pytest.skip.Exception as error:
                told = f"skipped: {error}"
            except Exception as error:  # the others are tried all the same
                told, failed = "FAILED, see below", [*failed, f"{name}: {error}"]
            print(f"{name:<10} {rows or '-':>5} {time.perf_counter() - started:>8.0f}  {told}"[:80], flush=True)
    if len(set(gains.values())) > 1:
        failed.append(f"the rows are the same, but the gains are not: {gains}")
    if failed:
        sys.exit("\n" + "\n\n".join(failed))


if __name__ == "__main__":
    main()
