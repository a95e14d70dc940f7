"""How often is the monitor wrong, and how soon does it find what is? `make bench-monitor`.

Every window is asked all that `mlworkflow monitor` asks, and decided as it decides (conf/monitor/default.yaml), with
outcomes known.

- Quiet: windows of the population that the reference was drawn from; each alarm, by any check, is false. Each reference
  (training rows, model, test rows) is used for WINDOWS windows, and drawn anew for the next.
- Faults: each begins in the third window of a run; how many runs have an alarm in its first or second window, how many
  windows the first alarm takes, and which part says it.
- Speed: a million rows of 30 columns against the reference.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from mlworkflow import churn
from mlworkflow.bundling.promise import promise
from mlworkflow.bundling.reference import reference
from mlworkflow.core.params import Monitor
from mlworkflow.core.problem import Problem
from mlworkflow.judging.predicted import predictions
from mlworkflow.learning.threshold import choose
from mlworkflow.measures.intervals import intervals, wilson
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring import columns as spreads
from mlworkflow.monitoring import health, outcomes
from mlworkflow.monitoring.checks import Check, decide
from mlworkflow.monitoring.health import Health
from mlworkflow.monitoring.sketch import Sketch
from mlworkflow.monitoring.watched import Reference, Watched, judged
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.profile import profile
from mlworkflow.rows.schema import Column, Schema

SETTINGS = Monitor(name="default")
TRAINED, TESTED, WINDOWS = 3000, 1000, 10
SIZES = (100, 500, 1000)
Table = tuple[pd.DataFrame, np.ndarray]
Draw = Callable[[np.random.Generator, int], Table]


@dataclass(frozen=True)
class Case:
    """A population: how rows of it are drawn, and what kind of question it is."""

    name: str
    draw: Draw
    task: str = "binary"
    train: int = TRAINED


# ---- populations -----------------------------------------------------------------------------------------------------


def mixed(rng: np.random.Generator, rows: int) -> Table:
    """Return rows of 20 columns: normal, skewed, heavy-tailed, counted, correlated, of categories; some are missing."""
    table = pd.DataFrame(rng.normal(size=(rows, 12)), columns=[f"x{n}" for n in range(12)])
    table["x1"] += 0.8 * table["x0"]
    table["skewed"], table["heavy"] = np.exp(rng.normal(size=rows)), rng.standard_t(3, rows)
    table["few"], table["count"] = rng.poisson(0.3, rows).astype(float), rng.poisson(20, rows).astype(float)
    shares = {"even": np.full(5, 0.2), "rare": np.array([0.9, 0.06, 0.03, 0.01]), "two": np.array([0.97, 0.03])}
    shares["many"] = 1 / np.arange(1, 31) ** 1.2
    for name, share in shares.items():
        words = np.array([f"{name[0]}{n}" for n in range(len(share))], dtype=object)
        table[name] = pd.Series(rng.choice(words, rows, p=share / share.sum()), dtype="str")
    table.loc[rng.random(rows) < 0.02, ["x3", "heavy"]] = np.nan
    return table, truth_of(table, rng)


def truth_of(table: pd.DataFrame, rng: np.random.Generator, turned: bool = False) -> np.ndarray:
    """Return the outcomes of `mixed`; turned: two of the columns work the other way round."""
    sign = -1.0 if turned else 1.0
    odds = -1.2 + sign * (table["x0"] + 0.6 * table["x2"]) + 0.8 * (table["even"] == "e1") + 0.3 * table["few"]
    return (rng.random(len(table)) < 1 / (1 + np.exp(-odds))).to_numpy().astype("int64")


def resampled(name: str, most: int) -> Draw:
    """Return a draw with replacement of an embedded table, each number jittered by a twentieth of its spread."""
    import sklearn.datasets

    table, target = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True, as_frame=True)
    table = table.iloc[:, :most].astype("float64")

    def draw(rng: np.random.Generator, rows: int) -> Table:
        places = rng.integers(len(table), size=rows)
        jitter = rng.normal(size=(rows, table.shape[1])) * 0.05 * table.std().to_numpy()
        return table.iloc[places].reset_index(drop=True) + jitter, target.to_numpy()[places]

    return draw


CASES = [
    Case("20 made-up columns", mixed),
    Case("breast_cancer, 20 columns", resampled("breast_cancer", 20)),
    Case("wine, 13 columns, 3 classes", resampled("wine", 13), "multiclass"),
    Case("diabetes, 10 columns, a number", resampled("diabetes", 10), "regression"),
]


# ---- a reference and its windows -------------------------------------------------------------------------------------


class Used:
    """A model that was fitted, with its reference; it makes windows of rows."""

    def __init__(self, case: Case, rng: np.random.Generator, train: Table | None = None, test: Table | None = None,
                 times: pd.Series | None = None) -> None:  # fmt: skip
        from sklearn.model_selection import cross_val_predict

        self.case = case
        rows, truth = train or case.draw(rng, case.train)
        self.model = model_of(rows, case.task)
        how = "predict" if case.task == "regression" else "predict_proba"
        held = cross_val_predict(self.model, rows, truth, cv=3, method=how)
        self.model.fit(rows, truth)
        self.classes = [] if case.task == "regression" else [str(code) for code in range(int(truth.max()) + 1)]
        problem = problem_of(case.task, self.classes)
        told_apart = Scored(truth.astype("int64"), held.argmax(axis=1), held) if case.task == "binary" else None
        self.threshold = choose(told_apart, problem.value, self.classes) if told_apart is not None else None
        kinds = {name: "number" if rows[name].dtype.kind == "f" else "category" for name in rows}
        columns = [Column(name, kind, "input") for name, kind in kinds.items()]  # type: ignore[arg-type]
        columns += [Column("target", "category" if self.classes else "number", "target")]
        columns += [Column("when", "time", "time")] if times is not None else []
        self.schema = Schema(case.task, "target", self.classes, columns)
        told = rows.assign(target=truth, **({"when": times} if times is not None else {}))
        said = pd.Series(held[:, 1]) if case.task == "binary" else pd.Series(
            held if case.task == "regression" else np.array(self.classes)[held.argmax(axis=1)]
        )  # fmt: skip
        profiled = reference(told, self.schema, said, None, [])
        sample = {name: Arrays(rows)[name] for name in rows}
        places = np.sort(rng.permutation(len(rows))[:2000])
        self.reference = Reference(
            profiled, self._promise(*(test or case.draw(rng, TESTED))),
            {name: values[places] for name, values in sample.items()}, self.classes, case.task,
        )  # fmt: skip

    def _promise(self, rows: pd.DataFrame, truth: np.ndarray) -> dict[str, Any]:
        scored = self.scored(rows, truth)
        problem = problem_of(self.case.task, self.classes)
        table = predictions(np.arange(len(rows), dtype="uint64"), scored, self.classes)
        return promise(table, problem, self.schema, intervals(problem.metrics.names, scored, seed=0))

    def scored(self, rows: pd.DataFrame, truth: np.ndarray) -> Scored:
        """Return what the model says of rows, with what came of them."""
        if not self.classes:
            return Scored(truth.astype(float), np.asarray(self.model.predict(rows), dtype=float), columns=rows.shape[1])
        said = self.model.predict_proba(rows)
        labels = self.threshold.labels(said) if self.threshold else said.argmax(axis=1)
        return Scored(truth.astype("int64"), labels, said, classes=len(self.classes))

    def alarms(self, windows: Sequence[Table], silent: Sequence[bool] | None = None) -> list[list[Check]]:
        """Return the alarms of each window, in order."""
        seen, known = [], []
        for number, (rows, truth) in enumerate(windows):
            scored, window = self.scored(rows, truth), Watched.empty(self.reference)
            ids = [f"{number}/{place}" for place in range(len(rows))]
            window.add(dict(Arrays(rows)), scored.labels, scored.probabilities, ids)
            seen.append(window)
            known.append(scored)
        streams = outcomes.followed(known, [str(n) for n in range(len(known))], self.reference, SETTINGS)
        told = []
        for window, scored, stream in zip(seen, known, streams, strict=True):
            checks = [*judged(window, scored, SETTINGS).checks, *stream.checks]
            told.append([check for check in decide(checks, SETTINGS.false_alarms) if check.alarm])
        return told


def model_of(rows: pd.DataFrame, task: str) -> Any:
    """Return an unfitted straight line of the columns."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
    made = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")), (words, make_column_selector(dtype_exclude="number"))
    )
    return make_pipeline(made, Ridge() if task == "regression" else LogisticRegression(max_iter=1000))


def problem_of(task: str, classes: Sequence[str]) -> Problem:
    """Return a problem of that kind, with values of its outcomes."""
    metrics = {
        "binary": ["roc_auc", "log_loss", "brier_score"],
        "multiclass": ["accuracy", "log_loss"],
        "regression": ["rmse", "mae"],
    }[task]
    value = {
        "binary": {"outcomes": {"1": {"1": 5, "0": 0}, "0": {"1": -1, "0": 0}}},
        "regression": {"over": -1, "under": -1},
    }
    return Problem.model_validate(
        {
            "name": "bench", "question": "?", "asked_by": "bench", "task": task, "snapshot": "none",
            "source": {"_target_": "mlworkflow.sources.bundled", "name": "iris"},
            "data": {"target": "target", "positive": "1" if task == "binary" else None},
            "metrics": {
                "primary": metrics[0],
                "also": metrics[1:],
                "least_gain": 0.0 if task == "regression" else 0.02,
            },
            "rights": {"licence": "none", "source": "bench", "personal_data": False},
            **({"value": {"unit": "EUR", **value[task]}} if task in value else {}),
        }
    )  # fmt: skip


# ---- quiet windows ---------------------------------------------------------------------------------------------------


def quiet(case: Case, size: int, seed: int) -> list[list[str]]:
    """Return the keys of the alarms of each of WINDOWS quiet windows."""
    rng = np.random.default_rng([seed, size])
    used = Used(case, rng)
    return [["/".join(one.key) for one in told] for told in used.alarms([case.draw(rng, size) for _ in range(WINDOWS)])]


def quiet_months(customers: int, seed: int) -> list[list[str]]:
    """Return the keys of the alarms of months of the churn stream without drift: the same customers month by month."""
    months = [churned(table) for table in churn.batches(customers, 15 + WINDOWS, 0.0, seed)]
    train, test = (joined(months[slice_]) for slice_ in (slice(0, 12), slice(12, 15)))
    used = Used(Case("churn", mixed), np.random.default_rng(seed), train, test)
    return [["/".join(one.key) for one in told] for told in used.alarms(months[15:])]


def churned(table: pd.DataFrame) -> Table:
    """Return a month as a model takes it."""
    made = table.drop_duplicates(ignore_index=True)
    tenure = pd.to_datetime(made["month"]) - pd.to_datetime(made["signup"], errors="coerce")
    rows = pd.DataFrame({"tenure": np.log1p(tenure.dt.days.clip(0).astype("float64"))})
    for name in ("minutes", "data_gb", "support_calls", "charges"):
        rows[name] = pd.to_numeric(made[name], errors="coerce").astype("float64")
    for name in ("plan", "contract", "region"):
        rows[name] = made[name].astype("str").str.lower().str.strip().astype("str")
    return rows, (made["churned"] == "yes").to_numpy().astype("int64")


def joined(parts: Sequence[Table]) -> Table:
    """Return tables below each other."""
    return pd.concat([rows for rows, _ in parts], ignore_index=True), np.concatenate([truth for _, truth in parts])


# ---- faults ----------------------------------------------------------------------------------------------------------


def shifted(by: float) -> Callable[[Table, np.random.Generator, int], Table]:
    """Return a fault: a column moves by so many standard deviations."""
    return lambda window, rng, age: (window[0].assign(x5=window[0]["x5"] + by), window[1])


def new_category(window: Table, rng: np.random.Generator, age: int) -> Table:
    """Five in a hundred values are a category that training never saw."""
    rows = window[0].copy()
    rows.loc[rng.random(len(rows)) < 0.05, "even"] = "brand new"
    return rows, window[1]


def missing(window: Table, rng: np.random.Generator, age: int) -> Table:
    """Ten in a hundred values are missing."""
    rows = window[0].copy()
    rows.loc[rng.random(len(rows)) < 0.1, "x4"] = np.nan
    return rows, window[1]


def hundredfold(window: Table, rng: np.random.Generator, age: int) -> Table:
    """Another unit: all values of a column are a hundred times as large."""
    return window[0].assign(count=100 * window[0]["count"]), window[1]


def label_shift(window: Table, rng: np.random.Generator, age: int) -> Table:
    """The positive class comes twice as often, and looks as it did."""
    rows, truth = window
    weight = np.where(truth == 1, 2.0, 1.0)
    places = rng.choice(len(rows), len(rows), p=weight / weight.sum())
    return rows.iloc[places].reset_index(drop=True), truth[places]


def concept(window: Table, rng: np.random.Generator, age: int) -> Table:
    """What the model learnt is no longer so, and every column is as it was."""
    return window[0], truth_of(window[0], rng, turned=True)


def slow(window: Table, rng: np.random.Generator, age: int) -> Table:
    """A column moves by a tenth of its standard deviation a window."""
    return window[0].assign(x5=window[0]["x5"] + 0.1 * (age + 1)), window[1]


FAULTS: dict[str, tuple[Callable[[Table, np.random.Generator, int], Table], int]] = {
    "mean of one column up by 0.5 SD": (shifted(0.5), 2),
    "mean of one column up by 1 SD": (shifted(1.0), 2),
    "new category, 5% of the values": (new_category, 2),
    "missing burst, 10% of the values": (missing, 2),
    "another unit, a column times 100": (hundredfold, 2),
    "label shift, positives twice as often": (label_shift, 2),
    "concept change, no data drift": (concept, 2),
    "slow drift, 0.1 SD a window": (slow, 8),
}


def found(fault: str, size: int, seed: int) -> tuple[int | None, str]:
    """Return (the window after its beginning, from 1, in which a fault gave an alarm; what said it)."""
    change, lasts = FAULTS[fault]
    rng = np.random.default_rng([seed, size])
    case = CASES[0]
    used = Used(case, rng)
    windows = [case.draw(rng, size) for _ in range(2)]
    windows += [change(case.draw(rng, size), rng, age) for age in range(lasts)]
    for age, told in enumerate(used.alarms(windows)[2:], start=1):
        if told:
            return age, told[0].part
    return None, ""


def seasonal(size: int, seed: int) -> list[list[str]]:
    """Return the alarms of 14 days whose weekdays differ as they did in 26 weeks of training."""
    rng = np.random.default_rng([seed, size])
    days = pd.date_range("2024-01-01", periods=182)

    def day(number: int, rows: int) -> Table:
        table, _ = mixed(rng, rows)
        table["x5"] += 1.0 if number % 7 >= 5 else 0.0  # weekends are other days
        return table, truth_of(table, rng)

    train = joined([day(number, 20) for number in range(182)])
    used = Used(CASES[0], rng, train, joined([day(n, 100) for n in range(14)]), pd.Series(np.repeat(days, 20)))
    return [["/".join(one.key) for one in told] for told in used.alarms([day(n, size) for n in range(14)])]


def outage(seed: int) -> bool:
    """Return whether a window without rows, after ten with rows, is an alarm."""
    rng = np.random.default_rng(seed)
    before = []
    for rows in rng.poisson(500, 10):
        one = Health()
        one.add(np.full(rows, 1.0), np.arange(rows, dtype="float64"))
        before.append(one)
    told = decide(health.checks(Health(), before, {}, SETTINGS), SETTINGS.false_alarms)
    return any(check.alarm and check.key == ("health", "rows") for check in told)


# ---- tables ----------------------------------------------------------------------------------------------------------


def each(do: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], label: str) -> list[Any]:
    """Return what is done of each job, on every core, with a bar."""
    from tqdm import tqdm

    running = Parallel(n_jobs=-1, return_as="generator")(delayed(do)(*job) for job in jobs)
    return [*tqdm(running, total=len(jobs), desc=label, leave=False)]


def line(name: str, size: str, told: Sequence[Sequence[str]]) -> str:
    """Return a row of the quiet table."""
    false = sum(bool(one) for one in told)
    low, high = wilson(false, len(told))
    parts = Counter(key for one in told for key in one)
    most = ", ".join(f"{key} ({count})" for key, count in parts.most_common(3))
    share, ends = 100 * false / len(told), f"{100 * low:.2f} to {100 * high:.2f}"
    return f"| {name} | {size} | {len(told):,} | {share:.2f} | {ends} | {most} |"


def quiet_table(replicates: int) -> Iterator[str]:
    """Yield the false alarms of each population and size of windows."""
    yield "| population | rows a window | quiet windows | false alarms in 100 | 95% | which |"
    yield "|---|---:|---:|---:|---|---|"
    everything: list[Sequence[str]] = []
    for case in CASES:
        for size in SIZES:
            told = each(quiet, [(case, size, seed) for seed in range(replicates)], f"{case.name}, {size}")
            windows = [one for replicate in told for one in replicate]
            everything += windows
            yield line(case.name, str(size), windows)
    for customers in (500, 1000):
        told = each(quiet_months, [(customers, seed) for seed in range(replicates)], f"churn, {customers}")
        windows = [one for replicate in told for one in replicate]
        everything += windows
        yield line("churn stream, months of the same customers", str(customers), windows)
    told = each(seasonal, [(500, seed) for seed in range(max(replicates // 2, 2))], "seasonal")
    windows = [one for replicate in told for one in replicate]
    everything += windows
    yield line("weekdays differ by 1 SD, as in training", "500", windows)
    yield line("all", "", everything)


def fault_table(replicates: int, size: int) -> Iterator[str]:
    """Yield how many runs found each fault, and when."""
    heads = ("found in 2 windows", "windows to the alarm, median", "first said by")
    yield f"| fault, windows of {size} rows, 20 columns | {' | '.join(heads)} |"
    yield "|---|---:|---:|---|"
    for name, (_, lasts) in FAULTS.items():
        told = each(found, [(name, size, seed) for seed in range(replicates)], name)
        ages = [age for age, _ in told if age is not None]
        parts = Counter(part for age, part in told if age is not None)
        soon = sum(age <= 2 for age in ages)
        within = f"{soon} of {len(told)}" if lasts == 2 else f"{len(ages)} of {len(told)} in {lasts}"
        median = f"{np.median(ages):g}" if ages else "-"
        yield f"| {name} | {within} | {median} | {', '.join(part for part, _ in parts.most_common(2))} |"
    silent = sum(each(outage, [(seed,) for seed in range(replicates)], "outage"))
    yield f"| outage, a window without rows after ten with rows | {silent} of {replicates} | 1 | health |"


def speed_table() -> Iterator[str]:
    """Yield seconds and memory of sketching and judging rows of 30 columns."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{n}" for n in range(20)], dtype=object)

    def draw(rows: int) -> dict[str, np.ndarray]:
        numbers = {f"n{n}": rng.normal(size=rows) for n in range(22)}
        return numbers | {f"c{n}": words[rng.integers(20, size=rows)] for n in range(8)}

    numbers = [Column(f"n{n}", "number", "input") for n in range(22)]
    categories = [Column(f"c{n}", "category", "input") for n in range(8)]
    schema = Schema("clustering", None, [], [*numbers, *categories])
    told = profile(pd.DataFrame(draw(50_000)), schema)
    yield "| rows x 30 columns | seconds | rows a second | memory beyond the rows, MB |"
    yield "|---:|---:|---:|---:|"
    for rows in (100_000, 1_000_000):
        table = draw(rows)
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        sketch = Sketch.empty(told)
        for start in range(0, rows, 100_000):
            sketch.add({name: values[start : start + 100_000] for name, values in table.items()})
        decide(spreads.checks(told, sketch, SETTINGS), SETTINGS.false_alarms)
        spreads.numbers(told, sketch)
        took = time.perf_counter() - began
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        yield f"| {rows:,} | {took:.2f} | {rows / took:,.0f} | {more:.0f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=20, help="references of each population and size")
    parser.add_argument("--faults", type=int, default=40, help="runs of each fault")
    parser.add_argument("--only", choices=("quiet", "faults", "speed"))
    asked = parser.parse_args()
    parts = {
        "speed": speed_table(), "quiet": quiet_table(asked.replicates), "faults": fault_table(asked.faults, 500),
    }  # fmt: skip
    for name, lines in parts.items():
        if asked.only in (None, name):
            for text in lines:
                print(text, flush=True)
            print(flush=True)


if __name__ == "__main__":
    main()
