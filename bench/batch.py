"""Rows a second of `mlworkflow predict`, beside the bare pipeline's on the same Parquet file; peak memory.

Both read the file; mlworkflow types the rows, decides the class, numbers the rows and writes them too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.bundles import bundle, table

BARE = """
import sys, time
import pandas as pd
from mlworkflow.learning import modelfile
pipeline = modelfile.loads(open(sys.argv[2], "rb").read())
pipeline.predict_proba(pd.read_parquet(sys.argv[1]).head(10).astype({f"category_{i}": object for i in range(4)}))
began = time.perf_counter()
rows = pd.read_parquet(sys.argv[1])
pipeline.predict_proba(rows.astype({f"category_{i}": object for i in range(4)}))
print(time.perf_counter() - began)
"""
OURS = """
import sys, time
from pathlib import Path
from mlworkflow.batch.command import Wanted, predict
from mlworkflow.batch.scoring import loaded
loaded(Path(sys.argv[2]).resolve(), sys.argv[4])
predict(Wanted(sys.argv[5], Path(sys.argv[3]), Path(sys.argv[2]), backend=sys.argv[4]), say=lambda line: None)
began = time.perf_counter()
predict(Wanted(sys.argv[1], Path(sys.argv[3]), Path(sys.argv[2]), backend=sys.argv[4]), say=lambda line: None)
print(time.perf_counter() - began)
"""
CASES = [
    ("parquet", "skops", "parquet"),
    ("parquet", "onnx", "parquet"),
    ("parquet", "onnx", "csv"),
    ("csv", "onnx", "csv"),
]
PEAK = """
status = open("/proc/self/status").read()  # getrusage would count the memory of the parent, which made the table
print(float(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


def timed(code: str, *arguments: str) -> tuple[float, float]:
    """Return (seconds, peak memory in MiB) of a process of its own, after a warm-up."""
    done = subprocess.run([sys.executable, "-c", code + PEAK, *arguments], capture_output=True, text=True, check=True)
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle(folder / "bundle")
        inputs = table(rows).drop(columns="y")
        inputs.to_parquet(folder / "rows.parquet")
        inputs.head(10).to_parquet(folder / "few.parquet")
        inputs.to_csv(folder / "rows.csv", index=False)
        bare, peak = timed(BARE, f"{name}/rows.parquet", f"{name}/bundle/pipeline.skops")
        print(f"{f'{rows:,} rows':40} {'rows/s':>12} {'of bare':>8} {'MiB':>7}")
        print(f"{'the bare pipeline, Parquet':40} {rows / bare:12,.0f} {1:8.2f} {peak:7,.0f}", flush=True)
        for kind, backend, out in CASES:
            places = f"{name}/rows.{kind}", f"{name}/bundle", f"{name}/out.{out}", backend, f"{name}/few.parquet"
            seconds, peak = timed(OURS, *places)
            told = f"mlworkflow predict, {kind} -> {out}, {backend}"
            print(f"{told:40} {rows / seconds:12,.0f} {bare / seconds:8.2f} {peak:7,.0f}", flush=True)


if __name__ == "__main__":
    main()
