"""Is the review's word right? `make bench-review`: false alarms, power, and the same for slices.

Every comparison is made as `mlworkflow review` makes it (reviewing/compared.py): both models score the same test rows,
and are fitted again without each of five parts of their training rows.

- False alarms: both sides are the same configuration; other seeds (of the model and of the folds) on the same training
  rows, or other training rows of the same population. Each `better` or `worse` is false. Any gain counts.
- Power: the candidate sees a column that the base does not. How much better that makes it is measured on 200,000 rows.
- Slices: how often any slice of a comparison without a difference is called worse; and how often one is found in which
  the candidate was really made worse.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from mlworkflow.core.arithmetic import FIXED
from mlworkflow.measures.compare import BETTER, UNCLEAR, WORSE, differences
from mlworkflow.measures.intervals import wilson
from mlworkflow.measures.metrics import Scored, gain, metrics_for, score
from mlworkflow.measures.training import Refits
from mlworkflow.reviewing.compared import parts, word_of
from mlworkflow.reviewing.rows import Pair

PARTS, FITTED, TESTED, LARGE = 5, 600, 300, 200_000
MANY = 25_000
GAINS = (0.0, 0.3, 0.6, 1.0, 1.5)  # weight of the column that the candidate alone sees
SIZES = (300, 1200)  # test rows of the power curve
Draw = Callable[[int, np.random.Generator], tuple[pd.DataFrame, np.ndarray]]


@dataclass(frozen=True)
class Case:
    """A population, a model of it, and the metric that decides."""

    name: str
    draw: Draw
    model: Callable[[int], Any]
    metric: str


def simulated(rows: int, rng: np.random.Generator, weight: float = 0.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows of two classes, about as hard as roc_auc 0.8; `weight` is that of the column `late`."""
    table = pd.DataFrame(rng.normal(size=(rows, 8)), columns=[f"x{n}" for n in range(8)])
    table["late"] = rng.normal(size=rows)
    logit = table["x0"] + 0.7 * table["x1"] - 0.5 * table["x2"] * table["x3"] + weight * table["late"]
    return table, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int).to_numpy()


def numbers(rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows with a number as their target; its errors have heavy tails."""
    table = pd.DataFrame(rng.normal(size=(rows, 8)), columns=[f"x{n}" for n in range(8)])
    wave = 2 * table["x0"] + np.sin(2 * table["x1"]) + table["x2"] * table["x3"]
    return table, (wave + rng.standard_t(4, rows)).to_numpy()


def resampled(name: str) -> Draw:
    """Return a draw, without replacement within a comparison, of an embedded table."""
    import sklearn.datasets

    table, target = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True, as_frame=True)
    values = target.to_numpy().astype(int)

    def draw(rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
        chosen = rng.permutation(len(table))[:rows]
        return table.iloc[chosen].reset_index(drop=True), values[chosen]

    return draw


def cases() -> list[Case]:
    """Return what false alarms are counted on."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    def boosted(seed: int) -> Any:
        return XGBClassifier(
            n_estimators=40, max_depth=3, learning_rate=0.2, subsample=0.7, random_state=seed, n_jobs=1
        )

    def linear(seed: int) -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression())

    def forest(seed: int) -> Any:
        return RandomForestClassifier(30, min_samples_leaf=3, random_state=seed)

    return [
        Case("simulated, logistic", simulated, linear, "roc_auc"),
        Case("simulated, forest", simulated, forest, "roc_auc"),
        Case("simulated, xgboost", simulated, boosted, "log_loss"),
        Case("numbers, ridge", numbers, lambda seed: Ridge(), "rmse"),
        Case("breast_cancer, logistic", resampled("breast_cancer"), linear, "roc_auc"),
        Case("digits, forest", resampled("digits"), forest, "log_loss"),
    ]


def said(model: Any, table: pd.DataFrame, target: np.ndarray) -> Scored:
    """Return what a fitted model says of rows."""
    if not hasattr(model, "predict_proba"):
        return Scored(target, model.predict(table))
    likely = model.predict_proba(table)
    return Scored(target, likely.argmax(axis=1), likely)


def side(
    make: Callable[[int], Any],
    fitted: tuple[pd.DataFrame, np.ndarray],
    tested: tuple[pd.DataFrame, np.ndarray],
    seed: int,
    folds: int,
) -> tuple[Scored, list[Scored]]:
    """Return what the model says of the test rows, and what it says when fitted without each part of its rows."""
    table, target = fitted
    order = np.random.default_rng(folds).permutation(len(table)) % PARTS
    whole = said(make(seed).fit(table, target), *tested)
    return whole, [said(make(seed).fit(table[order != k], target[order != k]), *tested) for k in range(PARTS)]


def pair_of(case: Case, draw: int, kind: str) -> tuple[Pair, pd.DataFrame]:
    """Return both sides of one comparison without a difference, and the test rows."""
    rng = np.random.default_rng([draw, 7])
    rows, target = case.draw(2 * FITTED + TESTED, rng)
    third = len(rows) // (2 if kind == "seed" else 3)
    tested = rows[:third][:TESTED].reset_index(drop=True), target[:third][:TESTED]
    first = slice(third, third + FITTED) if kind == "seed" else slice(third, min(2 * third, third + FITTED))
    second = first if kind == "seed" else slice(2 * third, 2 * third + FITTED)
    samples = [(rows[part].reset_index(drop=True), target[part]) for part in (first, second)]
    base, again = side(case.model, samples[0], tested, 2 * draw, 2 * draw)
    candidate, anew = side(case.model, samples[1], tested, 2 * draw + 1, 2 * draw + 1)
    return Pair(base, candidate, Refits(anew, again, same=False), np.arange(len(base)), {}), tested[0]


def alarm(case: Case, draw: int, kind: str) -> tuple[str, str, int]:
    """Return the word of a comparison without a difference: by both noises, by the rows alone; slices called worse."""
    both, rows = pair_of(case, draw, kind)
    with_all = differences([case.metric], both.candidate, both.base, seed=draw, refits=both.refits)[case.metric]
    of_rows = differences([case.metric], both.candidate, both.base, seed=draw)[case.metric]
    classes = list(range(both.base.k)) if both.base.probabilities is not None else []
    found = parts(both, case.metric, rows, list(rows.columns[:8]), classes)
    return word_of(with_all, 0.0), word_of(of_rows, 0.0), len(found.worse)


def false_alarms(count: int) -> None:
    """Print how often a comparison without a difference is called better or worse."""
    print(f"\nFalse alarms, of {count} comparisons each (interval: Wilson 1927)")
    print(f"{'':28}{'other':8}{'word':>18}{'rows alone':>14}{'a slice':>18}")
    for case in cases():
        for kind in ("seed", "sample"):
            found = Parallel(n_jobs=-1)(delayed(alarm)(case, draw, kind) for draw in range(count))
            wrong = sum(word != UNCLEAR for word, _, _ in found)
            plain = sum(word != UNCLEAR for _, word, _ in found)
            sliced = sum(slices > 0 for _, _, slices in found)
            print(f"{case.name:28}{kind:8}{_share(wrong, count):>18}{plain / count:>13.1%}{_share(sliced, count):>19}",
                  flush=True)  # fmt: skip


def _share(hits: int, count: int) -> str:
    low, high = wilson(hits, count)
    return f"{hits / count:.1%} ({low:.0%}-{high:.0%})"


def detected(weight: float, tested: int, draw: int) -> tuple[str, float]:
    """Return the word for a candidate that sees one column more, and how much better it really is."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng([draw, 11])
    rows, target = simulated(FITTED + tested + LARGE, rng, weight)
    fitted, test = slice(0, FITTED), slice(FITTED, FITTED + tested)
    large = slice(FITTED + tested, None)
    seen = [rows.drop(columns="late"), rows]
    sides = [
        side(lambda seed: LogisticRegression(), (table[fitted], target[fitted]), (table[test], target[test]), 0, draw)
        for table in seen
    ]
    refits = Refits(sides[1][1], sides[0][1], same=True)
    told = differences(["roc_auc"], sides[1][0], sides[0][0], seed=draw, refits=refits)["roc_auc"]
    models = [LogisticRegression().fit(table[fitted], target[fitted]) for table in seen]
    many = [said(model, table[large], target[large]) for model, table in zip(models, seen, strict=True)]
    true = [score(["roc_auc"], each)["roc_auc"] for each in many]
    return word_of(told, 0.0), gain("roc_auc", true[1], true[0])


def power(count: int) -> None:
    """Print the share of real gains that are found, by their size."""
    print(f"\nPower: share of real gains in roc_auc called better (called worse), of {count} comparisons each")
    for tested in SIZES:
        for weight in GAINS:
            found = Parallel(n_jobs=-1)(delayed(detected)(weight, tested, draw) for draw in range(count))
            words = [word for word, _ in found]
            true = float(np.mean([size for _, size in found]))
            told = f"{words.count(BETTER) / count:.0%} ({words.count(WORSE) / count:.0%})"
            print(f"{tested:6} test rows, a gain of {true:+.4f}: {told}", flush=True)


def broken(flipped: float, draw: int) -> tuple[bool, bool]:
    """Return whether the slice is found in which the candidate was made worse, and whether another is called worse.

    In a fifth of the rows, those with x5 above its 80th percentile, the candidate's x0 has its sign turned in a share
    of the rows.
    """
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng([draw, 13])
    rows, target = simulated(FITTED + 1200, rng)
    there = (rows["x5"] > np.quantile(rows["x5"][FITTED:], 0.75)) & (rng.random(len(rows)) < flipped)
    worse = rows.assign(x0=np.where(there, -rows["x0"], rows["x0"]))
    test = slice(FITTED, None)

    def make(seed: int) -> Any:
        return LogisticRegression()

    base = side(make, (rows[:FITTED], target[:FITTED]), (rows[test], target[test]), 0, draw)
    candidate = side(make, (rows[:FITTED], target[:FITTED]), (worse[test], target[test]), 0, draw)
    both = Pair(base[0], candidate[0], Refits(candidate[1], base[1], same=True), np.arange(1200), {})
    found = parts(both, "roc_auc", rows[test].reset_index(drop=True), [f"x{n}" for n in range(8)], [0, 1]).worse
    names = [line.name for line in found]
    return any(name.startswith("x5 >") for name in names), any(not name.startswith("x5") for name in names)


def slices(count: int) -> None:
    """Print how often a slice is found that was made worse."""
    print(f"\nSlices: 1,200 test rows, the candidate made worse in a quarter of them, {count} comparisons each")
    for flipped in (0.0, 0.1, 0.2, 0.4):
        found = Parallel(n_jobs=-1)(delayed(broken)(flipped, draw) for draw in range(count))
        hit, other = (sum(each[place] for each in found) for place in (0, 1))
        print(f"sign turned in {flipped:.0%} of the slice: found in {hit / count:.0%}", end="")
        print(f"; a slice elsewhere in {other / count:.0%}", flush=True)


def speed(count: int) -> None:
    """Print the seconds of the metrics and of the slices of one review of many rows."""
    from sklearn.linear_model import LogisticRegression

    names = metrics_for("binary")
    rng = np.random.default_rng(5)
    rows, target = simulated(FITTED + MANY, rng)
    test = slice(FITTED, None)
    tables = [rows[["x0", "x1"]], rows[["x0", "x1", "x2"]]]
    sides = [
        side(lambda seed: LogisticRegression(), (table[:FITTED], target[:FITTED]), (table[test], target[test]), 0, 1)
        for table in tables
    ]
    refits = Refits(sides[1][1], sides[0][1], same=True)
    started = time.perf_counter()
    differences(names, sides[1][0], sides[0][0], seed=0, refits=refits)
    between = time.perf_counter()
    both = Pair(sides[0][0], sides[1][0], refits, np.arange(MANY), {})
    found = parts(both, "roc_auc", rows[test].reset_index(drop=True), list(rows.columns[:8]), [0, 1])
    ended = time.perf_counter()
    print(f"\nSpeed: {MANY:,} test rows, {len(names)} metrics {between - started:.1f} s, ", end="")
    print(f"{found.looked_at} slices and classes {ended - between:.1f} s")


MEASURED = {"alarms": false_alarms, "power": power, "slices": slices, "speed": speed}


def main() -> None:
    """Print the tables."""
    if any(os.environ.get(name) != value for name, value in FIXED.items()):
        os.execve(sys.executable, [sys.executable, "-m", "bench.review", *sys.argv[1:]], {**os.environ, **FIXED})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=200, help="for false alarms; half of them for the others")
    parser.add_argument("--only", choices=MEASURED, nargs="*", default=list(MEASURED))
    asked = parser.parse_args()
    started = time.perf_counter()
    for name in asked.only:
        MEASURED[name](asked.comparisons if name == "alarms" else asked.comparisons // 2)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
