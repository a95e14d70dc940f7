"""How often is monitoring wrong, and how late? `make bench-monitor`: false alarms, faults, speed; as Markdown.

Each window gets the whole report of conf/monitor/default.yaml (columns, joint drift, predictions, performance,
estimated performance, concept, calibration, money, health), with its outcomes known. References and windows are drawn
anew for each run; a run is one reference and the windows that follow it.

- Quiet: windows from the population that the reference is from (worlds.py). A false alarm is one that begins; it
  counts once while it lasts. Windows of one run share a reference, so the interval (Clopper and Pearson 1934), which
  takes them for independent, is a little too narrow.
- Planted faults: windows with the fault, from the first one on (concept changes: after one quiet window, an outage
  after eight days). It is found with the first alarm; after how many windows, and by which part.
- Speed: monitor_speed.py.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from bench import monitor_speed
from bench.worlds import TRAINED, Model, churned, followed, trained, weekly, worlds
from joblib import Parallel, delayed

from mlworkflow.core.arithmetic import FIXED
from mlworkflow.core.params import Monitor
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring import health, outcomes
from mlworkflow.monitoring.checks import decide
from mlworkflow.monitoring.health import Health
from mlworkflow.monitoring.report import Window, alarms
from mlworkflow.monitoring.watched import Watched, judged
from mlworkflow.rows.arrays import Arrays

SETTINGS = Path("conf/monitor/default.yaml")
SIZES, CHURN_SIZES, FAULT_SIZES = (50, 200, 1_000), (500, 1_000), (200, 1_000)
MONTHS, RUN = 12, 10  # windows of a quiet run
AFTER = 2  # windows in which a fault must be found
SLOW = 8  # windows of slow drift, of which each is a tenth of a standard deviation
USUAL = 8  # daily windows before an outage: silence is judged after a week
Found = tuple[str, ...]  # the alarms that begin in a window


# ---- one run ---------------------------------------------------------------------------------------------------------


def reported(model: Model, tables: Sequence[pd.DataFrame], settings: Monitor) -> list[Window]:
    """Return what is said of typed rows with their outcomes, a window a table."""
    seen = [_seen(model, table, number) for number, table in enumerate(tables)]
    labels = [str(number) for number in range(len(tables))]
    stream = outcomes.followed([scored for _, scored in seen], labels, model.reference, settings)
    before: list[Health] = []
    windows = []
    for label, (watched, scored), losses in zip(labels, seen, stream, strict=True):
        checks = [*judged(watched, scored, settings).checks, *losses.checks]
        checks += health.checks(watched.health, before, model.reference.promise, settings)
        rows = watched.sketch.rows
        windows.append(Window(label, None, None, True, rows, rows, checks=decide(checks, settings.false_alarms)))
        before.append(watched.health)
    return windows


def _seen(model: Model, table: pd.DataFrame, number: int) -> tuple[Watched, Scored | None]:
    watched = Watched.empty(model.reference)
    if not len(table):
        return watched, None
    labels, said = model.said(table)
    columns = {name: Arrays(table)[name] for name in model.reference.profile["columns"]}
    watched.add(columns, labels, said, [f"{number}:{place}" for place in range(len(table))])
    watched.health.add(np.full(len(table), 5.0), 86_400.0 * number + np.arange(len(table)))
    classes = len(model.schema.classes) or None
    return watched, Scored(table[model.schema.target].to_numpy(), labels, said, classes=classes)


def begun(windows: Sequence[Window]) -> list[Found]:
    """Return the alarms that begin in each window."""
    found = alarms(windows)
    return [tuple(sorted(one.key for one in found if one.since == window.label)) for window in windows]


def monitor() -> Monitor:
    """Return the default settings."""
    return Monitor.model_validate(yaml.safe_load(SETTINGS.read_text(encoding="utf-8")))


# ---- quiet -----------------------------------------------------------------------------------------------------------


def quiet(name: str, rows: int, seed: int) -> list[Found]:
    """Return the alarms that begin in each window of one quiet run."""
    warnings.simplefilter("ignore")
    if name == "churn":
        model, tables = churned(rows, MONTHS, seed)
        return begun(reported(model, tables, monitor()))
    rng = np.random.default_rng([seed, rows, 1])
    model = trained(worlds()[name], TRAINED[seed % len(TRAINED)] if name != "weekly" else TRAINED[-1], rng)
    tables = [_drawn(name, rows, rng, number) for number in range(RUN)]
    return begun(reported(model, tables, monitor()))


def _drawn(name: str, rows: int, rng: np.random.Generator, number: int) -> pd.DataFrame:
    return weekly(rows, rng, number % 7) if name == "weekly" else worlds()[name].draw(rows, rng)


def false_alarms(runs: int) -> None:
    """Print the false alarms of quiet windows, by world and size."""
    print("\n| Quiet table | rows a window | windows | false alarms | of 100 windows (95%) | by |")
    print("|---|--:|--:|--:|--:|---|")
    asked = [(name, rows) for name in worlds() for rows in SIZES] + [("churn", rows) for rows in CHURN_SIZES]
    whole: list[Found] = []
    for name, rows in asked:
        jobs = (delayed(quiet)(name, rows, seed) for seed in range(runs))
        found = [window for run in Parallel(n_jobs=-1)(jobs) for window in run]
        whole += found
        print(_line(f"{name} (days of a week pattern)" if name == "weekly" else name, f"{rows:,}", found), flush=True)
    print(_line("**all**", "", whole), flush=True)


def _line(name: str, rows: str, found: Sequence[Found]) -> str:
    hits, keys = sum(bool(one) for one in found), Counter(key for one in found for key in one)
    told = ", ".join(f"{key} {count}" for key, count in keys.most_common(4))
    return f"| {name} | {rows} | {len(found):,} | {hits} | {_share(hits, len(found))} | {told} |"


def _share(hits: int, count: int) -> str:
    from scipy.stats import binomtest

    ends = binomtest(hits, count).proportion_ci(0.95, "exact")
    return f"{100 * hits / count:.2f} ({100 * ends.low:.2f}-{100 * ends.high:.2f})"


# ---- planted faults --------------------------------------------------------------------------------------------------

Plant = Callable[[pd.DataFrame, Model, np.random.Generator, int], pd.DataFrame]


@dataclass(frozen=True)
class Fault:
    """A fault: how it is planted in a window that is the nth with it, on which tables, over how many windows."""

    name: str
    plant: Plant
    tables: tuple[str, ...]
    windows: int = AFTER
    before: int = 0  # quiet windows


def shifted(by: float) -> Plant:
    """The values of one number are higher by so many standard deviations."""

    def plant(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
        name = _number(model, rng)
        return table.assign(
            **{name: table[name].astype("float64") + by * model.reference.profile["columns"][name]["std"]}
        )

    return plant


def slowly(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
    """The values of one number rise by a tenth of a standard deviation a window."""
    return shifted(0.1 * (age + 1))(table, model, rng, age)


def other_unit(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
    """One number is written in a hundredth of its unit."""
    name = _number(model, rng)
    return table.assign(**{name: table[name].astype("float64") * 100})


def burst(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
    """One value in ten of a number is missing."""
    name = _number(model, rng)
    return table.assign(**{name: table[name].astype("float64").mask(rng.random(len(table)) < 0.1)})


def new_word(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
    """One value in twenty of a category is a new word."""
    spreads = model.reference.profile["columns"]
    name = str(rng.choice([name for name, spread in spreads.items() if spread["kind"] == "category"]))
    return table.assign(**{name: table[name].astype("object").mask(rng.random(len(table)) < 0.05, "never seen")})


def more_positives(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
    """The share of the second class is half as large again; within the classes nothing changes."""
    ones = table[model.schema.target].to_numpy() == 1
    share = min(1.5 * ones.mean(), 0.9)
    weights = np.where(ones, share / max(ones.sum(), 1), (1 - share) / max((~ones).sum(), 1))
    return table.iloc[rng.choice(len(table), len(table), p=weights)].reset_index(drop=True)


def turned(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
    """The outcome of four rows in ten, those with the highest values of a column, is the other one."""
    name, target = _number(model, rng), model.schema.target
    there = table[name].rank(pct=True).to_numpy() > 0.6
    return table.assign(**{str(target): np.where(there, 1 - table[target], table[target])})


def as_they_are(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
    """Nothing is changed: what is planted is in the stream."""
    return table


def silence(table: pd.DataFrame, model: Model, rng: np.random.Generator, age: int) -> pd.DataFrame:
    """No rows."""
    return table.iloc[:0]


def _number(model: Model, rng: np.random.Generator) -> str:
    """Return the name of a number with many values."""
    spreads = model.reference.profile["columns"]
    able = [name for name, one in spreads.items() if one["kind"] == "number" and len(one["counts"]) > 10]
    return str(rng.choice(able))


NUMERIC, MIXED, BINARY = (
    ("breast_cancer", "diabetes", "made up", "churn"),
    ("made up", "churn"),
    ("breast_cancer", "made up"),
)
FAULTS = [
    Fault("one column up by 1 SD", shifted(1.0), NUMERIC),
    Fault("one column up by 0.5 SD", shifted(0.5), NUMERIC),
    Fault("new category, 5% of the values", new_word, MIXED),
    Fault("10% of a column missing", burst, NUMERIC),
    Fault("unit of a column: x100", other_unit, NUMERIC),
    Fault("base rate x1.5, same P(x given y)", more_positives, (*BINARY, "churn")),
    Fault("concept: outcomes of 40% turned", turned, BINARY, before=1),
    Fault("concept: churn for other reasons", as_they_are, ("churn",), before=1),
    Fault("slow drift, 0.1 SD a window", slowly, ("breast_cancer", "made up"), SLOW),
    Fault("outage: no rows", silence, ("made up",), before=USUAL),
]


def planted(place: int, rows: int, seed: int) -> tuple[int | None, Found]:
    """Return after how many windows a fault was found (1: in the first), and the alarms that said so."""
    fault, rng = FAULTS[place], np.random.default_rng([seed, rows, place, 2])
    count = fault.before + fault.windows
    turn = fault.before if fault.plant is as_they_are else None
    model, tables = followed(fault.tables[seed % len(fault.tables)], rows, max(SLOW, count), seed, turn)
    tables = [*tables[:count]]
    same = int(rng.integers(2**31))  # the same column in each window
    for age in range(fault.windows):
        tables[fault.before + age] = fault.plant(tables[fault.before + age], model, np.random.default_rng(same), age)
    found = begun(reported(model, tables, monitor()))[fault.before :]
    return next(((age + 1, keys) for age, keys in enumerate(found) if keys), (None, ()))


def all_planted(rows: int, seed: int) -> list[tuple[int | None, Found]]:
    """Return what `planted` does for each fault."""
    warnings.simplefilter("ignore")
    order = sorted(range(len(FAULTS)), key=lambda place: FAULTS[place].tables[seed % len(FAULTS[place].tables)])
    told = {place: planted(place, rows, seed) for place in order}
    return [told[place] for place in range(len(FAULTS))]


def faults(runs: int) -> None:
    """Print how often and when faults are found, by size."""
    print(f"\n| Fault | rows a window | found within {AFTER} windows | median delay, windows | said first by |")
    print("|---|--:|--:|--:|---|")
    for rows in FAULT_SIZES:
        jobs = (delayed(all_planted)(rows, seed) for seed in range(runs))
        found = []
        for one in Parallel(n_jobs=-1, return_as="generator")(jobs):
            found.append(one)
            print(f"{rows:,} rows a window: run {len(found)} of {runs}", file=sys.stderr, flush=True)
        for fault, told in zip(FAULTS, zip(*found, strict=True), strict=True):
            print(_fault_line(fault, rows, told), flush=True)


def _fault_line(fault: Fault, rows: int, found: Iterable[tuple[int | None, Found]]) -> str:
    told = [*found]
    delays = [np.inf if delay is None else delay for delay, _ in told]
    within = sum(delay <= AFTER for delay in delays)
    parts = Counter(part for _, keys in told for part in {key.split("/")[0] for key in keys})
    middle = float(np.median(delays))
    said = ", ".join(f"{part} {count}" for part, count in parts.most_common(4))
    delay = f"{middle:.0f}" if np.isfinite(middle) else "-"
    return f"| {fault.name} | {rows:,} | {within} of {len(told)} | {delay} | {said} |"


MEASURED: dict[str, Callable[[int], None]] = {"quiet": false_alarms, "faults": faults, "speed": monitor_speed.speed}


def main() -> None:
    """Print the tables."""
    if any(os.environ.get(name) != value for name, value in FIXED.items()):
        os.execve(sys.executable, [sys.executable, "-m", "bench.monitor", *sys.argv[1:]], {**os.environ, **FIXED})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, help="of each line; by default 6 quiet ones, 20 of a fault")
    parser.add_argument("--only", choices=MEASURED, nargs="*", default=list(MEASURED))
    asked = parser.parse_args()
    started = time.perf_counter()
    for name in asked.only:
        MEASURED[name](asked.runs or {"quiet": 6}.get(name, 20))
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
