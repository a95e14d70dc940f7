"""How large a table may be: rows per second and peak memory of the stages that stream: `make bench-scale`.

Made-up tables of 30 columns (20 numbers, 6 categories, 2 dates, a key, a target; one value in fifty is missing, one row
in a hundred is there twice) go from a Parquet file through collect, prepare and featurize, a process each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mlworkflow.rows.batches import BATCH, writing

ROOT = Path(__file__).parents[1]
STAGES = ("collect", "prepare", "featurize")
SOURCE = Path("data/source/big.parquet")
PROBLEM = f"""
name: big
question: How large may a table be?
asked_by: the benchmark
task: binary
snapshot: {SOURCE}
source: {{_target_: mlworkflow.rows.batches.read_batches, path: {SOURCE}}}
data: {{target: y, positive: "1", key: [id], ranges: {{x0: [-4, 4]}}}}
contract: {{x1: {{kind: number}}, c1: {{kind: category}}, d1: {{kind: time}}, id: {{kind: category, unique: false}}}}
prepare: {{outliers: {{x1: clip}}, spelling: {{c0: {{"C 0": c0}}}}}}
split: {{folds: 2}}
features:
  - {{_target_: mlworkflow.features.Ratio, over: x0, under: x1}}
  - {{_target_: mlworkflow.features.Log, column: x2}}
metrics: {{primary: roc_auc}}
rights: {{licence: none, source: made up, personal_data: false}}
"""


def made(rows: int) -> Iterator[pd.DataFrame]:
    """Yield a made-up table in batches."""
    for first in range(0, rows, BATCH):
        draw, count = np.random.default_rng(first), min(BATCH, rows - first)
        table = {f"x{n}": np.where(draw.random(count) < 0.02, np.nan, draw.normal(size=count)) for n in range(20)}
        for n in range(6):
            words = np.array([f"c{word}" for word in range(4 ** (n % 5 + 1))], dtype="object")
            table[f"c{n}"] = pd.Series(words[draw.integers(0, len(words), count)], dtype="str")
        for n in range(2):
            table[f"d{n}"] = np.datetime64("2020-01-01", "us") + draw.integers(0, 10**14, count).astype("m8[us]")
        table["id"] = np.arange(first, first + count)
        table["y"] = (draw.random(count) < 0.3).astype("int64")
        batch = pd.DataFrame(table)
        twice = draw.integers(0, count - 1, count // 100)
        batch.iloc[twice + 1] = batch.iloc[twice].to_numpy()
        yield batch.astype(pd.DataFrame(table).dtypes)


def project(folder: Path, rows: int) -> None:
    """Make a project in `folder` whose problem is a made-up table."""
    for name in ("conf", "plugins"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy2(ROOT / "dvc.yaml", folder)
    (folder / "conf/problem/big.yaml").write_text(PROBLEM, encoding="utf-8")
    with writing(folder / SOURCE) as writer:
        for batch in made(rows):
            writer.add(batch)
    subprocess.run([sys.executable, "-m", "mlworkflow.cli", "compose", "problem=big"], cwd=folder, check=True, env=ENV)


ENV = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def measured(stage: str, folder: Path) -> tuple[float, float]:
    """Return (seconds, peak memory in GiB) of one stage in a process of its own."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "mlworkflow.stages", stage], cwd=folder, env=ENV)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{stage} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 2**20


def main() -> None:
    """Print a line for each stage and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    before: dict[str, float] = {}
    lines = []
    for rows in parser.parse_args().rows:
        with tempfile.TemporaryDirectory() as folder:
            project(Path(folder), rows)
            for stage in STAGES:
                seconds, peak = measured(stage, Path(folder))
                growth = f"{seconds / before[stage]:.1f}" if stage in before else ""
                lines.append(
                    f"{rows:>12,} {stage:<10} {seconds:>9.1f} {rows / seconds:>11,.0f} {peak:>9.2f} {growth:>9}"
                )
                before[stage] = seconds
    print(f"{'rows':>12} {'stage':<10} {'seconds':>9} {'rows/s':>11} {'peak GiB':>9} {'x time':>9}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
