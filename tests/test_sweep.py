"""The whole sweep, through DVC: killed in the middle it goes on; what fails is told; the losers can be removed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.conftest import cut_workflow, environment, run

pytestmark = pytest.mark.slow
IRIS = ("mlworkflow", "sweep", "tiny", "-S", "problem=iris", "-S", "search=none")
NOTES = ".dvc/tmp/exps"
STAGES = ("define", "collect", "prepare", "featurize", "baseline", "tune", "train", "evaluate")  # what the board reads


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so; ten minutes of a busy machine at most."""
    for _ in range(6000):
        if done():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


def kill(*roots: int) -> None:
    """End processes and all that they started as a power cut would."""
    for root in roots:
        if psutil.pid_exists(root):
            for process in [*psutil.Process(root).children(recursive=True), psutil.Process(root)]:
                process.kill()


def logs(root: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in (root / NOTES / "run").glob("*/*.out"))


def workers(root: Path) -> list[int]:
    return [json.loads(path.read_text())["pid"] for path in (root / NOTES / "celery").glob("dvc-exp-worker-*.json")]


def test_a_sweep_that_is_killed_in_the_middle_goes_on_to_a_leaderboard(clone):
    cut_workflow(clone, *STAGES)
    run(clone, "git", "commit", "-qam", "cut")
    file = "name: tiny\nquestion: Do more starts help?\ngrid: {model.clustering.n_init: [2]}\n"
    (clone / "conf/sweep/tiny.yaml").write_text(file, encoding="utf-8")
    (clone / "README.md").write_text("edited\n", encoding="utf-8")
    with subprocess.Popen(IRIS, cwd=clone, env=environment(clone), stdout=subprocess.PIPE, text=True) as first:
        until(lambda: "Running stage 'featurize'" in logs(clone))
        kill(first.pid, *workers(clone))
        assert "DVC takes them along" in " ".join(first.communicate()[0].split())
    said = run(clone, *IRIS, "--jobs", "2")
    assert "its worker was killed; it is queued anew" in said
    assert "Stage 'prepare' is cached - skipping run" in logs(clone)
    assert "Against the same configuration without the sweep's change." in said
    assert "n_init 2" in said
    assert max(len(line) for line in said.splitlines() if not line.startswith(("$", "sweep "))) <= 80
    assert "Do more starts help?" in (clone / "reports/sweep.html").read_text(encoding="utf-8")
    assert list(pd.read_csv(clone / "reports/sweep.csv")["word"]) == ["no clear difference"]
    assert (clone / "README.md").read_text(encoding="utf-8") == "edited\n"
    assert "Nothing is left to run." in run(clone, *IRIS, "--dry-run")


PIPELINE = """
stages:
  evaluate:
    cmd: python tiny.py
    deps: [tiny.py]
    params: [seed]
    outs: [evaluation/predictions.parquet]
    metrics:
      - metrics/test.json: {cache: false}
      - metrics/cv.json: {cache: false}
"""
TINY = """
import json, time, pathlib
import numpy as np, pandas as pd, yaml
seed = yaml.safe_load(open("params.yaml"))["seed"]
begun, there = time.time(), pathlib.Path("BEGUN")
(there / str(seed)).touch()
while len(list(there.iterdir())) < 2:  # experiments one after the other never meet
    assert time.time() < begun + 90, "alone"
    time.sleep(0.05)
assert seed != 44, "seed 44 is unlucky"
rng = np.random.default_rng(seed)
truth = np.arange(60) % 2
p = np.clip(0.5 * truth + rng.random(60) / 2, 0, 1)
for folder in ("evaluation", "metrics"):
    pathlib.Path(folder).mkdir(exist_ok=True)
said = {"row": range(60), "truth": truth.astype(str), "prediction": truth.astype(str)}
pd.DataFrame(said | {"probability_0": 1 - p, "probability_1": p}).to_parquet("evaluation/predictions.parquet")
json.dump({"roc_auc": 1 - seed / 1000, "begun": begun, "ended": time.time()}, open("metrics/test.json", "w"))
json.dump({"roc_auc": 0.5}, open("metrics/cv.json", "w"))
"""


@pytest.fixture
def quick(clone) -> Path:
    """A clone whose workflow is one stage, which waits for that of another experiment; the seed 44 fails."""
    (clone / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (clone / "tiny.py").write_text(TINY.replace("BEGUN", str(clone.with_name("begun"))), encoding="utf-8")
    clone.with_name("begun").mkdir()
    (clone / "conf/sweep/seeds.yaml").write_text("name: seeds\nquestion: Luck?\nseeds: 3\n", encoding="utf-8")
    for name in ("dvc.lock", "metrics/decision.json", "metrics/drift.json", "metrics/baseline.json"):
        (clone / name).unlink()
    for words in ("add -A", "commit -qm quick"):
        subprocess.run(["git", *words.split()], cwd=clone, check=True, capture_output=True)
    return clone


def test_experiments_run_side_by_side_failures_are_told_and_losers_removed(quick):
    said = run(quick, "mlworkflow", "sweep", "seeds", "--jobs", "2", code=1)
    assert "$ dvc queue start --jobs 2" in said
    assert "the commit records no run" in said
    assert "seed 44: evaluate: AssertionError: seed 44 is unlucky" in " ".join(said.split())
    told = pd.read_csv(quick / "reports/sweep.csv")
    assert list(told["word"].isin(["failed"])) == [False, True, False]
    assert "over 3 seeds" in " ".join(said.split())
    times = sorted((one["begun"], one["ended"]) for one in metrics(quick))
    assert any(later[0] < earlier[1] for earlier, later in pairwise(times))
    refused = run(quick, "mlworkflow", "sweep", "seeds", "--prune", "--keep", "1", code=1)
    assert "nothing is removed without a yes" in refused
    kept = {path: path.read_bytes() for path in (quick / ".dvc/cache").rglob("*") if path.is_file()}
    run(quick, "mlworkflow", "sweep", "seeds", "--prune", "--keep", "1", "--yes")
    assert sorted(round(1000 - 1000 * one["roc_auc"]) for one in metrics(quick)) == [42, 43]
    left = {path for path in kept if path.is_file() and "files" in path.parts}
    assert len(left) == 2


def metrics(root: Path) -> list[dict[str, float]]:
    """Return metrics/test.json of each experiment."""
    refs = run(root, "git", "for-each-ref", "--format=%(objectname)", "refs/exps/??/**").split()
    return [json.loads(run(root, "git", "show", f"{ref}:metrics/test.json")) for ref in refs]
