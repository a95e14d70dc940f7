"""kill -9 of `mlworkflow retrain` at random moments: does it end as one that nobody killed?

Run `python -m bench.retrain_killed`. A clone of this repository's HEAD gets a problem whose world turns: the target
comes of other columns than before. Its outcomes come by the log and by a file, and conf/retrain says
`auto_release: when better`. One copy of it is retrained in peace. In another `mlworkflow retrain` is killed after times
drawn with a seed, and started again each time; what it had started lives on, as when memory runs out. In the end both
must have the same candidates, words, numbers, branch and releases, and the log the outcomes that it had.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mlworkflow.recording.database import Database
from mlworkflow.recording.reading import read
from mlworkflow.touring.hands import Hands
from mlworkflow.touring.story import cloned

ROOT = Path(__file__).parents[1]
PROBLEM, TARGET = "turning", "left"
ROWS, NEW = 600, 1200
LOGGED = 300  # of the new rows
RETRAIN = ["-m", "mlworkflow.cli", "retrain", "--because", "it is tried", "--json"]


def table(rows: int, turned: bool, seed: int) -> pd.DataFrame:
    """Return rows whose outcome comes of `old` and `sign`, or of `new` and `sign` once the world has turned."""
    draw = np.random.default_rng(seed)
    columns = pd.DataFrame({name: draw.normal(size=rows).round(6) for name in ("old", "new", "sign")})
    odds = 5 * columns["new" if turned else "old"] * np.sign(columns["sign"])
    chosen = draw.random(rows) < 1 / (1 + np.exp(-odds))
    keys = [f"{'n' if turned else 'o'}{number}" for number in range(rows)]
    return columns.assign(customer=keys, **{TARGET: np.where(chosen, "yes", "no")})


def project(folder: Path) -> Hands:
    """Return the hands in a clone with a released model, and rows of use that it does not suit."""
    hands = cloned(ROOT, folder)
    for name, said in (("user.name", "On Duty"), ("user.email", "duty@example.com")):
        hands.type(f"git config {name}", said)
    table(ROWS, False, 0).to_csv(folder / "table.csv", index=False)
    words = f"mlworkflow new {PROBLEM} --target {TARGET} --positive yes --key customer --metric roc_auc --data"
    hands.type(words, str(folder / "table.csv"))
    path = hands.folder / f"conf/problem/{PROBLEM}.yaml"
    text = re.sub(r"(_global_\.model: )\w+", r"\1hist_gradient_boosting", path.read_text(encoding="utf-8"))
    path.write_text(text.replace("folds: 5", "folds: 3").replace("trials: 16", "trials: 4"), encoding="utf-8")
    conf = hands.folder / "conf/config.yaml"
    lines = conf.read_text(encoding="utf-8").splitlines()
    chosen = [f"  - problem: {PROBLEM}" if line.startswith("  - problem:") else line for line in lines]
    conf.write_text("\n".join(chosen) + "\n", encoding="utf-8")
    policy = hands.folder / "conf/retrain/default.yaml"
    told = {**yaml.safe_load(policy.read_text(encoding="utf-8")), "auto_release": "when better"}
    told["tries"] = ["recalibrate", "refit"]
    policy.write_text(yaml.safe_dump(told), encoding="utf-8")
    hands.type("mlworkflow compose")
    hands.type("dvc repro")
    hands.commit("Who will leave?")
    hands.type("mlworkflow release --because", "the first model")
    used(hands.folder)
    return hands


def used(root: Path) -> None:
    """Write rows of a turned world, a part of them as the server does, the others into a file."""
    rows = table(NEW, True, 1)
    rows[LOGGED:].to_csv(root / "data/production/used.csv", index=False)
    said = '{"prediction": "no"}'
    inputs = rows[:LOGGED].drop(columns=TARGET).to_dict("records")
    predictions = [
        (row["customer"], 1e9 + number, "v1.0.0", "champion", None, json.dumps(row), said, 1.0)
        for number, row in enumerate(inputs)
    ]
    outcomes = [(row["customer"], json.dumps(word), 2e9) for row, word in zip(inputs, rows[TARGET], strict=False)]
    file = Database(root / "data/predictions")
    file.write(predictions, outcomes, [])
    file.close()


def started(hands: Hands) -> subprocess.Popen[str]:
    """Return a running retraining."""
    return subprocess.Popen(
        [sys.executable, *RETRAIN], cwd=hands.folder, env=hands.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def ended(hands: Hands) -> str:
    """Let a retraining come to its end; return what it printed."""
    process = started(hands)
    said, _ = process.communicate()
    if process.returncode:
        print(said[-3000:])
    return said


def killed(hands: Hands, kills: int, longest: float, draw: random.Random) -> int:
    """Kill retrainings after random times; return how many were killed before they came to an end by themselves."""
    for number in range(1, kills + 1):
        process, seconds = started(hands), draw.uniform(0.5, longest)
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            print(f"kill {number:>3} after {seconds:5.2f} s: {step(hands)}", flush=True)
            continue
        print(f"it ended by itself before {seconds:.2f} s, with exit code {process.returncode}")
        if process.returncode:
            print(said[-3000:])
        return number - 1
    return kills


def step(hands: Hands) -> str:
    """Return how far it has come: the experiments that there are, whether there is a winner, a branch, a release."""
    clone = next(iter((hands.folder / ".mlworkflow/retrain").glob("*/clone")), None)
    if clone is None:
        return "no clone yet"
    told = _git(clone, "for-each-ref", "--format=%(refname:lstrip=-1)", "refs/exps/", "refs/mlworkflow")
    tags = len(_git(clone, "tag").split())
    return ", ".join([*told.split(), f"{tags} tags in the clone", f"{len(_git(hands.folder, 'tag').split())} here"])


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False).stdout


def outcome(hands: Hands) -> dict[str, Any]:
    """Return what came of a retraining, as Git and the pages have it, without names that hold a time."""
    refs = _git(hands.folder, "for-each-ref", "--format=%(refname) %(contents:subject)", "refs/tags", "refs/heads")
    branches = _git(hands.folder, "for-each-ref", "--format=%(refname:short)", "refs/heads/retrain/").split()
    trees = [_git(hands.folder, "rev-parse", f"{branch}^{{tree}}") for branch in branches]
    told = [_git(hands.folder, "log", "--format=%B", f"HEAD..{branch}") for branch in branches]
    pages = {path.name: _page(path) for path in (hands.folder / ".mlworkflow/retrain").glob("*.html")}
    return {"refs": refs.splitlines(), "branches": branches, "trees": trees, "commits": told, "pages": pages}


def _page(path: Path) -> list[str]:
    """Return the tables of a page without what each candidate took of time."""
    rows = re.findall(r"<tr.*?</tr>", path.read_text(encoding="utf-8"), re.DOTALL)
    return [row.rpartition("<td")[0] for row in rows]


def outcomes(hands: Hands) -> dict[str, list[Any]]:
    """Return id -> the outcomes that the log has of it."""
    return {one.record.id: [told.outcome for told in one.outcomes] for one in read(hands.folder / "data/predictions")}


def main() -> int:
    """Return 1 where a killed retraining ended in another way than one that nobody killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, help="seconds until a kill; a third of a whole run by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = project(folder / "first")
        before = outcomes(first)
        sides = []
        for side in ("calm", "killed"):
            shutil.copytree(folder / "first", folder / side, symlinks=True)
            sides.append(Hands(folder / side / "clone", folder / side / "typed.txt"))
        calm, other = sides
        began = time.monotonic()
        print(ended(calm))
        seconds = time.monotonic() - began
        print(f"in peace it takes {seconds:.0f} s")
        count = killed(other, arguments.kills, arguments.longest or seconds / 3, random.Random(1))
        if count == arguments.kills:
            ended(other)
        wanted, found = outcome(calm), outcome(other)
        same = before == outcomes(calm) == outcomes(other)
    differ = [key for key in wanted if wanted[key] != found[key]]
    for key in differ:
        print(f"{key}: {wanted[key]}\n  killed: {found[key]}")
    print(f"{count} times killed: {'as in peace' if not differ else 'otherwise: ' + ', '.join(differ)}")
    print(f"releases in the end: {', '.join(line.split()[0] for line in found['refs'] if '/tags/' in line)}")
    print(f"{len(before)} rows of the log have {'the outcomes that they had' if same else 'OTHER outcomes'}")
    return int(bool(differ) or not same or not found["branches"])


if __name__ == "__main__":
    sys.exit(main())
