"""What the workflow costs beside the bare computation: `make bench`. Every ratio is of times measured in this one run.

1. A cold `dvc repro` against one Python process that runs the same stages without DVC: the default problem, and a
   made-up table of a million rows (--rows).
2. `dvc repro` with nothing to do against a bare DVC project of as many trivial stages.
3. The seconds that importing each stage takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
STAGES = list(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
PLAIN = "import sys\nfrom mlworkflow.stages import __main__ as stages\nfor name in sys.argv[1:]: stages.run(name)"
BIG = """
name: big
question: Is the cost of DVC small beside the work on a large table?
asked_by: the benchmark
task: binary
snapshot: data/source/big.parquet
source: {_target_: mlworkflow.sources.file, path: data/source/big.parquet}
data: {target: y, positive: "1", key: [id]}
split: {folds: 2}
metrics: {primary: roc_auc, also: [log_loss, accuracy]}
rights: {licence: none, source: made up, personal_data: false}
"""


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which the code of the clone runs with this Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(root / "src"), "DVC_NO_ANALYTICS": "1"}


def seconds(command: list[str], root: Path) -> float:
    """Return the wall seconds of a command that must succeed."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=root, env=environment(root), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - started


def clone(folder: Path) -> Path:
    """Return a fresh clone of the committed repository."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def add_big_table(root: Path, rows: int) -> None:
    """Add a problem on a made-up table of `rows` rows and 10 columns."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(rows, 8)), columns=[f"x{number}" for number in range(8)])
    table["plan"] = rng.choice(["basic", "gold", "none"], rows)
    table["y"] = (table["x0"] + table["x1"] * (table["plan"] == "gold") + rng.normal(size=rows) > 0).astype(int)
    table["id"] = np.arange(rows)
    (root / "data/source").mkdir(parents=True)
    table.to_parquet(root / "data/source/big.parquet", index=False)
    (root / "conf/problem/big.yaml").write_text(f"# A made-up table.{BIG}", encoding="utf-8")
    seconds(["mlworkflow", "compose", "problem=big", "search=none"], root)


def cold(rows: int | None) -> tuple[float, float]:
    """Return the seconds of a cold `dvc repro`, and of one process that runs the same stages."""
    with tempfile.TemporaryDirectory() as folder:
        roots = [clone(Path(folder) / name) for name in ("dvc", "plain")]
        for root in roots:
            if rows is not None:
                add_big_table(root, rows)
        return seconds(["dvc", "repro"], roots[0]), seconds([sys.executable, "-c", PLAIN, *STAGES], roots[1])


def no_op(times: int = 5) -> tuple[float, float]:
    """Return the median seconds of `dvc repro` with nothing to do: here, and in a bare project of as many stages."""
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = clone(Path(folder) / "ours"), Path(folder) / "bare"
        bare.mkdir()
        stages = {name: {"cmd": f"echo {name} > {name}.txt", "outs": [f"{name}.txt"]} for name in STAGES}
        for before, name in pairwise(STAGES):
            stages[name] = {**stages[name], "deps": [f"{before}.txt"]}
        (bare / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
        for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
            seconds(command, bare)
        for root in (ours, bare):
            seconds(["dvc", "repro"], root)
        told = [(seconds(["dvc", "repro"], ours), seconds(["dvc", "repro"], bare)) for _ in range(times)]
        return statistics.median(first for first, _ in told), statistics.median(second for _, second in told)


def import_seconds(stage: str, times: int = 3) -> float:
    """Return the median seconds that a Python process with only this import takes."""
    command = [sys.executable, "-c", f"import mlworkflow.stages.__main__, mlworkflow.stages.{stage}"]
    return statistics.median(seconds(command, ROOT) for _ in range(times))


def tell(name: str, ours: float, theirs: float, aim: float) -> None:
    """Print one ratio."""
    print(f"{name:<46}{ours:>8.2f} s {theirs:>8.2f} s   ratio {ours / theirs:>5.2f}   aim < {aim}", flush=True)


def main() -> None:
    """Print every ratio."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=1_000_000, help="rows of the large table")
    rows = asked.parse_args().rows
    print(f"{'':<46}{'with DVC':>10} {'without':>10}")
    tell("cold dvc repro, default problem", *cold(None), aim=2)
    tell(f"cold dvc repro, {rows:,} rows", *cold(rows), aim=1.1)
    tell("dvc repro with nothing to do, bare DVC project", *no_op(), aim=1.3)
    print("\nimporting a stage, Python's start included")
    for stage in STAGES:
        print(f"  {stage:<14}{import_seconds(stage):>6.2f} s", flush=True)


if __name__ == "__main__":
    main()
