"""The portfolio beside FLAML and AutoGluon: the same rows, the same seconds, one table a line: `make bench-quality`.

python -m bench.quality --tables FOLDER [--others PYTHON] [--seconds 60] [--only NAME ...]

FOLDER holds a folder for each table with data.csv and meta.json: target, metric, `drop` (columns that no model may see)
and perhaps `time`. Each becomes a problem of a fresh clone by `mlworkflow new`; the portfolio searches for the given
seconds. The others (in the environment of PYTHON, as their dependencies differ) get the same training and test rows, as
the prepare stage leaves them, and again as the featurize stage leaves them. All are scored by the same code.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow.core import io, paths
from mlworkflow.measures import metrics
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.schema import Schema

ROOT = Path(__file__).parents[1]


def run(root: Path, *command: str) -> None:
    """Run a command in the clone; it must succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(root / "src"), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")


def ours(root: Path, table: Path, meta: dict[str, Any], seconds: float) -> float:
    """Return the seconds of tune and train, after the whole workflow has run on the table."""
    told = ["--target", meta["target"], "--metric", meta["metric"], "--task", meta["task"]]
    told += ["--drop", *meta["drop"]] if meta.get("drop") else []
    told += ["--time", meta["time"]] if meta.get("time") else []
    run(root, "mlworkflow", "new", table.name, "--data", str(table / "data.csv"), *told)
    budget = [f"++problem.stopping.{told}" for told in (f"seconds={seconds:g}", "trials=100000", "no_gain=null")]
    choices = [f"problem={table.name}", "model=portfolio", *budget]
    run(root, "dvc", "exp", "run", *(word for choice in choices for word in ("-S", choice)))
    return sum(io.read_json(root / paths.TIMINGS / f"{stage}.json")["seconds"] for stage in ("tune", "train"))


def theirs(root: Path, tool: str, python: str, rows: tuple[Path, Path, Path], told: tuple[str, float]) -> float:
    """Return the metric of another library on the test rows; it sees the inputs and the target alone."""
    metric, seconds = told
    schema = Schema.from_dict(io.read_json(root / rows[2]))
    times = [*schema.with_role("time"), *(column.name for column in schema.inputs if column.kind == "time")]
    seen = list(dict.fromkeys([*schema.names, *times]))
    assert schema.target is not None
    train, test = (io.read_table(root / path) for path in rows[:2])
    with tempfile.TemporaryDirectory() as there:
        files = [Path(there) / f"{name}.parquet" for name in ("train", "test", "said")]
        train[[*seen, schema.target]].to_parquet(files[0])
        test[seen].to_parquet(files[1])
        script = str(ROOT / "bench/others.py")
        command = [
            python,
            script,
            tool,
            *map(str, files[:2]),
            schema.target,
            schema.task,
            metric,
            str(seconds),
            str(files[2]),
        ]
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=there, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{tool} failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}", file=sys.stderr)
            return float("nan")
        return scored(test[schema.target].to_numpy(), pd.read_parquet(files[2]).to_numpy(), metric)


def scored(truth: np.ndarray, said: np.ndarray, metric: str) -> float:
    """Return the metric of (n, 1) values or (n, K) probabilities."""
    if said.shape[1] == 1:
        return metrics.score([metric], Scored(truth, said[:, 0].astype(float), None))[metric]
    likely = said.astype(float) / said.sum(axis=1, keepdims=True)
    return metrics.score([metric], Scored(truth, likely.argmax(axis=1), likely))[metric]


def lines(root: Path, table: Path, others: str | None, seconds: float) -> Iterator[str]:
    """Yield the parts of the table's line as they are measured."""
    meta = json.loads((table / "meta.json").read_text(encoding="utf-8"))
    spent = ours(root, table, meta, seconds)
    metric = io.read_json(root / paths.DECISION)["primary"]
    yield f"{table.name:19} {metric:8} {io.read_json(root / paths.TEST_METRICS)[metric]:>10.5g} ({spent:.0f} s)"
    prepared = (paths.TRAIN_ROWS, paths.TEST_ROWS, paths.SCHEMA)
    featured = (paths.TRAIN, paths.TEST, paths.FEATURES)
    for tool in ("flaml", "autogluon") if others else ():
        for rows in (prepared, featured):
            yield f"{theirs(root, tool, str(others), rows, (metric, seconds)):>12.5g}"


def main() -> None:
    """Print a line a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--others", help="the Python of an environment with flaml[automl] and autogluon.tabular")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as there:
        root = Path(there) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
        print(f"{'table':19} {'metric':8} {'ours':>10} {'':6}", end="")
        print("".join(f"{name:>12}" for name in ("FLAML", "+features", "AutoGluon", "+features")))
        for table in sorted(path.parent for path in asked.tables.glob("*/meta.json")):
            if not asked.only or table.name in asked.only:
                started = time.perf_counter()
                for part in lines(root, table.resolve(), asked.others, asked.seconds):
                    print(part, end="", flush=True)
                print(f"   {time.perf_counter() - started:.0f} s in all", flush=True)


if __name__ == "__main__":
    main()
