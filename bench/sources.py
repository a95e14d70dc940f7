"""Each way a table arrives, from `mlworkflow new` to its verdict: `make bench-sources`.

In a fresh clone, with real servers on this machine: a file, HTTP, S3, SQLite, PostgreSQL, a JSON API with pages, a
Python function. Each becomes a problem by one command and runs by one more. The rows are the same, so the verdicts must
be too; exit code 1 where they are not.
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
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from tests import servers

ROOT = Path(__file__).parents[1]
ROWS = 400
QUERY = ["--query", "SELECT * FROM orders"]


def orders() -> pd.DataFrame:
    """Return made-up orders of which some are returned."""
    rng = np.random.default_rng(0)
    paid, late = rng.normal(50, 10, ROWS).round(2), rng.integers(0, 9, ROWS)
    returned = rng.random(ROWS) < 1 / (1 + np.exp(-(paid - 60) / 4 - (late - 4) / 2))
    kept = {"order_id": [f"o{number}" for number in range(ROWS)], "paid": paid, "late": late}
    return pd.DataFrame(
        {**kept, "country": rng.choice(["NL", "BE"], ROWS), "returned": np.where(returned, "yes", "no")}
    )


def run(root: Path, *command: str, **changes: str) -> str:
    """Return what a command in the clone prints; it must succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(root / "src"), "DVC_NO_ANALYTICS": "1", **changes}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def on_s3(content: bytes) -> Iterator[dict[str, str]]:
    """Yield the environment in which s3://shop/orders.csv is there."""
    import boto3

    with servers.s3() as endpoint:
        env = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        client = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.create_bucket(Bucket="shop")
        client.put_object(Bucket="shop", Key="orders.csv", Body=content)
        yield env


@contextlib.contextmanager
def on_postgres(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the address of a PostgreSQL with the table, and the password that is not in it."""
    import sqlalchemy

    with servers.postgres() as address:
        engine = sqlalchemy.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
        table.to_sql("orders", engine, index=False)
        engine.dispose()
        user, _, host = address.partition("@")
        bare, _, password = user.rpartition(":")
        yield f"{bare}@{host}", password


def try_one(root: Path, name: str, address: str, *words: str, **env: str) -> float:
    """Make the problem, run it, print its verdict; return the gain."""
    started = time.perf_counter()
    run(root, "mlworkflow", "new", name, "--data", address, "--target", "returned", *words, **env)
    run(root, "dvc", "exp", "run", "-S", f"problem={name}", "-S", "search=none", **env)
    told = json.loads((root / "metrics/decision.json").read_text(encoding="utf-8"))
    rows = json.loads((root / "data/raw/provenance.json").read_text(encoding="utf-8"))["rows"]
    seconds = time.perf_counter() - started
    print(
        f"{name:<10}{rows:>6} rows  {told['verdict']} ({told['primary']} {told['gain']:+.4f}), {seconds:.0f} s",
        flush=True,
    )
    return float(told["gain"])


def main() -> None:
    """Try every source."""
    table, gains = orders(), list[float]()
    content = table.to_csv(index=False).encode()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
        (root / "orders.csv").write_bytes(content)
        gains.append(try_one(root, "file", "orders.csv"))
        with servers.web() as web:
            web.files["/orders.csv"] = content
            servers.RECORDS[:] = json.loads(table.to_json(orient="records"))
            gains.append(try_one(root, "http", f"{web.address}/orders.csv"))
            gains.append(try_one(root, "api", f"api+{web.address}/api/links"))
        with on_s3(content) as env:
            gains.append(try_one(root, "s3", "s3://shop/orders.csv", **env))
        with contextlib.closing(sqlite3.connect(root / "shop.db")) as connection:
            table.to_sql("orders", connection, index=False)
        gains.append(try_one(root, "sqlite", "sqlite:///shop.db", *QUERY))
        with on_postgres(table) as (address, password):
            gains.append(try_one(root, "postgres", address, *QUERY, PGPASSWORD=password))
        (root / "warehouse.py").write_text(
            "import pandas\n\n\ndef orders():\n    return pandas.read_csv('orders.csv')\n"
        )
        gains.append(try_one(root, "function", "warehouse:orders"))
    if len(set(gains)) > 1:
        sys.exit(f"the rows are the same, but the gains are not: {gains}")


if __name__ == "__main__":
    main()
