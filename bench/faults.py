"""Which planted faults the checks find, and their false alarms on clean tables: `make bench-faults`.

Each fault of planted.py is planted in ten clean tables or more: scikit-learn's, and orders made up with a seed. The
code of the workflow prepares them and looks: the check of explore that concerns the fault, or for rows that arrive
later the checks of the monitor. A fault is caught when a finding of its kind names it. Clean tables go through every
check; a false alarm is a finding of a fault's kind, or any other of severity medium or high.

A fault that chance can hide is planted in many more draws, and its check looks at each of them without the fault too.
Such a fault says how often it must be caught at least, and why not always. The exit code is 1 where a fault is caught
less often than it says (all others: always), or a clean table alarms. Cases run in parallel.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from bench import planted
from bench.planted import Case, embedded, orders

from mlworkflow.core.params import Monitor
from mlworkflow.exploring import chance, changes, leaks, oddities, repeats, shares
from mlworkflow.exploring.explore import explore, test_side
from mlworkflow.exploring.findings import Data, Finding
from mlworkflow.monitoring.checks import decide
from mlworkflow.monitoring.columns import checks
from mlworkflow.monitoring.sketch import Sketch
from mlworkflow.preparing.prepare import prepare
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.cast import cast
from mlworkflow.rows.profile import profile

EACH = 10  # cases a fault
WATCHED = Monitor(name="default")
ARRIVED = {"missing": "missing_burst", "unseen": "new_category"}  # what the monitor's checks ask -> the finding
TRUE = {
    ("digits", "constant"): "three dots at the edge of each picture are never inked"
}  # said of clean tables, rightly
Check = Callable[[Data], list[Finding]]


def looked_at(case: Case) -> Data:
    """Return what the checks of explore look at."""
    prepared = prepare(case.raw, case.problem)
    side = test_side(case.raw, prepared.schema, case.problem.data, case.problem.split)
    return Data(case.raw, prepared.train, prepared.schema, side)


def explored(case: Case) -> list[Finding]:
    """Return what the workflow says of the raw table."""
    data = looked_at(case)
    return explore(data.raw, data.train, data.schema, data.test)


def arrived(case: Case) -> list[Finding]:
    """Return what the monitor says of the columns of the new rows beside the training rows."""
    prepared = prepare(case.raw, case.problem)
    new = cast(case.new, prepared.schema, only=prepared.schema.names)
    reference = profile(prepared.train, prepared.schema)
    sketch = Sketch.empty(reference)
    sketch.add(Arrays(new))
    told = [one for one in decide(checks(reference, sketch, WATCHED), WATCHED.false_alarms) if one.alarm]
    names = [(one, *one.subject.partition(": ")[::2]) for one in told]
    return [Finding(ARRIVED.get(asked, "drift"), "medium", name, one.words) for one, name, asked in names]


class Fault(NamedTuple):
    """A fault: its name, the kind of the finding that must name it, what plants it, the tables it fits, who looks."""

    name: str
    kind: str
    plant: Callable[[Case, np.random.Generator], Case]
    tables: tuple[str, ...]
    check: Check | None  # of explore; None: what is said of rows that arrive
    times: int = 1  # so many times as many cases as of other faults, because chance can hide it
    least: float = 1.0  # share of the cases in which it must be caught
    why: str = ""  # not always


PLAIN = ("breast_cancer", "wine", "digits", "diabetes", "orders")
TIMED = ("breast_cancer by day", "wine by day", "diabetes by day", "orders")
MEASURED = ("breast_cancer", "wine", "wine by day", "orders")
CLASSED = ("breast_cancer by day", "digits by day", "orders")
WHY_NOT_ALWAYS = (
    "two of three rows of a class are gone from the older half. Among 500 rows, or for one class of ten, that is four "
    "or five standard deviations, and the check is set to see a shift by chance in one clean table of a thousand "
    "at most"
)
FAULTS = (
    Fault("target leak", "leak", planted.target_leak, PLAIN, leaks.leaks),
    Fault("copies across the split", "duplicate_across_split", planted.copied_rows, PLAIN, repeats.across_split),
    Fault("feature from the future", "future", planted.from_the_future, TIMED, leaks.future),
    Fault("unit change in half the rows", "unit_change", planted.unit_change, MEASURED, changes.units),
    Fault("new category when serving", "new_category", planted.new_category, ("orders",), None),
    Fault("missing values when serving", "missing_burst", planted.missing_burst, PLAIN, None),
    Fault("label shift", "label_shift", planted.label_shift, CLASSED, shares.label_shift, 12, 0.8, WHY_NOT_ALWAYS),
    Fault("constant column", "constant", planted.constant, PLAIN, repeats.constants),
    Fault("shuffled target", "nothing_tells", planted.shuffled_target, PLAIN, chance.nothing_tells),
    Fault("key collisions", "key_collision", planted.key_collisions, PLAIN, repeats.collisions),
    Fault("time zone shift", "time_shift", planted.time_shift, ("orders",), changes.hours),
    Fault("mixed decimal commas", "mixed_decimals", planted.decimal_commas, PLAIN, oddities.decimals),
)
KINDS = {fault.kind for fault in FAULTS}


class At(NamedTuple):
    """A clean table by its name and seed."""

    table: str
    seed: int

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.table}, seed {self.seed}"

    def case(self) -> Case:
        """Return the table."""
        if self.table == "orders":
            return orders(self.seed)
        return embedded(self.table.removesuffix(" by day"), self.seed, timed=self.table.endswith(" by day"))

    def with_fault(self, fault: Fault) -> Case:
        """Return the table with a fault."""
        return fault.plant(self.case(), np.random.default_rng([self.seed, zlib.crc32(fault.name.encode())]))


def named(fault: Fault, case: Case) -> bool:
    """Return whether the check that concerns a fault names it."""
    found = arrived(case) if fault.check is None else fault.check(looked_at(case))
    return fault.kind in {one.kind for one in found}


def caught(fault: Fault, at: At) -> bool:
    """Return whether a fault is named in a table in which it is planted."""
    return named(fault, at.with_fault(fault))


def taken(fault: Fault, at: At) -> bool:
    """Return whether a fault is named in a table in which it is not."""
    return named(fault, at.case())


def alarms(at: At) -> list[Finding]:
    """Return the findings that a clean table must not have but has."""
    case = at.case()
    found = [*explored(case), *arrived(case)]
    loud = [finding for finding in found if finding.severity != "low" or finding.kind in KINDS]
    return [finding for finding in loud if (at.table.removesuffix(" by day"), finding.kind) not in TRUE]


def cases(fault: Fault, each: int = EACH) -> list[At]:
    """Return the tables in which a fault is planted, each table in turn."""
    return [At(fault.tables[seed % len(fault.tables)], seed) for seed in range(each * fault.times)]


def clean(each: int = EACH) -> list[At]:
    """Return the tables that must stay quiet."""
    names = dict.fromkeys(name for fault in FAULTS for name in fault.tables)
    return [At(name, seed) for name in names for seed in range(each if name == "orders" else max(1, each // 5))]


class Told(NamedTuple):
    """What came of a fault: where it was planted and missed, and where it was looked for and taken for there."""

    fault: Fault
    planted: list[At]
    missed: list[At]
    clean: list[At]
    false: list[At]

    @property
    def fails(self) -> bool:
        """Whether it was caught less often than it must be, or a clean table alarmed."""
        return bool(self.false) or len(self.missed) > (1 - self.fault.least) * len(self.planted) + 1e-9

    def lines(self) -> Iterator[str]:
        """Yield its line of the table, and where chance can hide it the share that is caught, by table, and why."""
        share = f"{len(self.planted) - len(self.missed):>3} of {len(self.planted):<4}"
        yield f"{self.fault.name:<29} {self.fault.kind:<23} {share} {len(self.false):>4} of {len(self.clean)}"
        if self.fault.why:
            planted, missed = (Counter(at.table for at in places) for places in (self.planted, self.missed))
            shares = ", ".join(f"{name} {planted[name] - missed[name]} of {planted[name]}" for name in planted)
            words = f"at least {self.fault.least:.0%}, not always: {self.fault.why}. {shares}."
            yield textwrap.fill(words, 80, initial_indent="  ", subsequent_indent="  ")

    def places(self) -> Iterator[str]:
        """Yield each miss and each false alarm that the table does not explain."""
        yield from () if self.fault.why else (f"Missed: {self.fault.name}: {at}" for at in self.missed)
        yield from (f"False alarm: {self.fault.name}: {at}" for at in self.false)


def looked_for(fault: Fault, each: int, quiet: dict[At, list[Finding]], pool: Executor) -> Told:
    """Plant a fault and look for it; where chance can hide it, look at the same tables without it as well."""
    places = cases(fault, each)
    found = pool.map(caught, [fault] * len(places), places)
    further = [at for at in places if at not in quiet] if fault.why else []
    mistaken = pool.map(taken, [fault] * len(further), further)
    missed = [at for at, there in zip(places, found, strict=True) if not there]
    false = [at for at, told in quiet.items() if fault.kind in {finding.kind for finding in told}]
    false += [at for at, there in zip(further, mistaken, strict=True) if there]
    return Told(fault, places, missed, [*quiet, *further], false)


def main() -> int:
    """Print a line a fault, then what is wrongly said of clean tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=EACH, help="cases a fault")
    each, started, every = parser.parse_args().each, time.perf_counter(), []
    with ProcessPoolExecutor() as pool:
        places = clean(each)
        quiet = dict(zip(places, pool.map(alarms, places), strict=True))
        print(f"{'fault':<29} {'finding':<23} {'caught':<11}  false alarms")
        for fault in FAULTS:
            every.append(looked_for(fault, each, quiet, pool))
            print(*every[-1].lines(), sep="\n", flush=True)
    others = [f"{at}: {one.kind} {one.column}" for at, found in quiet.items() for one in found if one.kind not in KINDS]
    print(f"{'anything else, medium or high':<29} {'any':<23} {'':<11} {len(others):>4} of {len(quiet)}\n")
    _print_places(quiet, every, others)
    print(f"{time.perf_counter() - started:.0f} seconds")
    return int(bool(others) or any(told.fails for told in every))


def _print_places(quiet: dict[At, list[Finding]], every: list[Told], others: list[str]) -> None:
    counts = Counter(at.table for at in quiet)
    print(textwrap.fill("Clean tables: " + ", ".join(f"{name} ({count})" for name, count in counts.items()), 80))
    for (table, kind), why in TRUE.items():
        print(f"True of a clean table: {table}, {kind}: {why}.")
    for line in (line for told in every for line in told.places()):
        print(line)
    for line in others:
        print(f"False alarm: {line}")


if __name__ == "__main__":
    sys.exit(main())
