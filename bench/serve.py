"""Requests a second of `mlworkflow serve`, beside a plain FastAPI application and an empty handler: `make bench-serve`.

One row of 12 numbers and 4 categories a request, two workers each, in one run on one machine; the load comes from the
same machine and takes its share of it. Batch: rows a second beside the bare pipeline, on the same Parquet file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.bundles import bundle, table
from bench.load import Load, load, request

EMPTY = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
"""
PLAIN = """
import os
import pandas as pd
from fastapi import FastAPI
from pydantic import create_model
from mlworkflow.learning import modelfile

pipeline = modelfile.loads(open(os.environ["PIPELINE"], "rb").read())
fields = {f"number_{i}": (float | None, ...) for i in range(12)}
fields |= {f"category_{i}": (str | None, ...) for i in range(4)}
Row = create_model("Row", **fields)
app = FastAPI()

@app.post("/predict")
def predict(row: Row):
    said = pipeline.predict_proba(pd.DataFrame([row.model_dump()]))[0]
    return {"probabilities": {"no": said[0], "yes": said[1]}}
"""


@contextmanager
def serving(command: list[str], port: int, **more: str) -> Iterator[int]:
    """Run a server until the block ends; yield its port when it answers."""
    process = subprocess.Popen(command, env={**os.environ, **more}, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(300):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=1)
            except urllib.error.HTTPError:
                pass
            except OSError:
                continue
            break
        yield port
    finally:
        process.terminate()
        process.wait(timeout=40)


def measured(port: int, body: bytes, seconds: float) -> tuple[Load, Load]:
    """Return the load of 16 connections and that of one, after a warm-up."""
    asked = request(port, "/predict", body)
    load(port, asked, 16, seconds / 4)
    return load(port, asked, 16, seconds), load(port, asked, 1, seconds / 2)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle(folder / "bundle")
        (folder / "empty_app.py").write_text(EMPTY)
        (folder / "plain_app.py").write_text(PLAIN)
        row = table(1).drop(columns="y").to_dict("records")[0]
        body = json.dumps(row).encode()
        uvicorn = [sys.executable, "-m", "uvicorn", "--workers", "2", "--log-level", "error", "--no-access-log"]
        uvicorn += ["--app-dir", name]
        own = [sys.executable, "-m", "mlworkflow.cli", "serve", "--bundle", str(folder / "bundle"), "--workers", "2"]
        own += ["--log-folder", str(folder / "log")]
        servers = {
            "an empty ASGI handler": [*uvicorn, "--port", "8461", "empty_app:app"],
            "plain FastAPI, scikit-learn": [*uvicorn, "--port", "8462", "plain_app:app"],
            "mlworkflow serve": [*own, "--port", "8463"],
            "mlworkflow serve --log sync": [*own, "--port", "8464", "--log", "sync"],
        }
        print(f"{'one row a request, 2 workers':30} {'16 connections':>16} {'1 connection':>24}")
        print(f"{'':30} {'requests/s':>16} {'p50 ms':>12} {'p99 ms':>11}")
        rates = {}
        for place, (told, command) in enumerate(servers.items()):
            with serving(command, 8461 + place, PIPELINE=str(folder / "bundle/pipeline.skops")) as port:
                many, one = measured(port, body, seconds)
            assert not many.others + one.others, many.others[:3] + one.others[:3]
            rates[told] = many.rate
            print(f"{told:30} {many.rate:16,.0f} {one.quantile(0.5):12.2f} {one.quantile(0.99):11.2f}", flush=True)
        ours = rates["mlworkflow serve"]
        print(f"\nagainst plain FastAPI: {ours / rates['plain FastAPI, scikit-learn']:.1f} times (aim: 20)")
        print(f"against the empty handler: {ours / rates['an empty ASGI handler']:.2f} (aim: 0.1)")


if __name__ == "__main__":
    main()
