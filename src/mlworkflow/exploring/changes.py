"""What changes between the earlier and the later rows: values, units, hours, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.exploring import associations, shifts
from mlworkflow.exploring.associations import as_numbers
from mlworkflow.exploring.findings import Data, Finding, Severity
from mlworkflow.pages.templates import percent, score
from mlworkflow.rows.sampling import thin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.rows.schema import Column

MOVED = 0.25  # population stability index
FEWEST_ROWS = 40  # to tell early from late
MOST_COMPARED = 4000  # evenly spaced rows in order in which a change of units is looked for
SEVERAL = 10  # distinct values that a measured number has; counts and codes have fewer
ALL_MOVE = 1 / 3  # where more of the other numbers change at a cut, the rows are sorted, and no unit changed
SHARE_MOVED = 0.1  # how far the share of a class, or of what is missing, must move to be told
SURPRISE = 6  # standard deviations of chi squared


def moved(data: Data) -> list[Finding]:
    """Columns whose values differ between the earlier and the later half of the training rows."""
    if data.time is None or len(data.sample) < FEWEST_ROWS:
        return []
    told = (_moved(data, column) for column in data.schema.columns if _can_move(data, column))
    return [finding for finding in told if finding]


def _can_move(data: Data, column: Column) -> bool:
    """Return whether a column is looked at: dates always move, and classes are told by label_shift."""
    if column.name not in data.train or column.role not in ("input", "target") or column.kind in ("text", "time"):
        return False
    return column.role == "input" or not data.schema.classes


def _moved(data: Data, column: Column) -> Finding | None:
    values, half = data.ordered[column.name], len(data.ordered) // 2
    early, late = values.iloc[:half].dropna(), values.iloc[half:].dropna()  # what is missing is told by missing_moved
    if min(len(early), len(late)) < FEWEST_ROWS / 2:
        return None
    index = associations.stability_index(early, late, words=column.kind == "category")
    if index <= MOVED:
        return None
    what = (
        f"{column.name!r} moved between the earlier and the later half of the training rows "
        f"(population stability index {score(index)}, above {MOVED}): "
        + ("as it may do again in later rows." if data.by_time else "validate by time.")
    )
    severity: Severity = "medium" if column.role == "target" or index > 1 else "low"
    return Finding("drift", severity, column.name, what, index)


def missing_moved(data: Data) -> list[Finding]:
    """Columns that are missing far more often in the earlier or the later half of the training rows."""
    if data.time is None or len(data.sample) < FEWEST_ROWS:
        return []
    half, found = len(data.ordered) // 2, []
    late = np.arange(len(data.ordered)) >= half
    for column in data.inputs:
        gone = data.ordered[column.name].isna().to_numpy()
        early, later = float(gone[:half].mean()), float(gone[half:].mean())
        if abs(early - later) < SHARE_MOVED or associations.surprise(late.astype(int), gone) < SURPRISE:
            continue
        what = (
            f"{column.name!r} is missing in {percent(early)} of the earlier half of the training rows and in "
            f"{percent(later)} of the later: something changed in how it is recorded."
        )
        severity: Severity = "medium" if abs(early - later) > 0.3 else "low"
        found.append(Finding("missing_over_time", severity, column.name, what, abs(early - later)))
    return found


def units(data: Data) -> list[Finding]:
    """Numbers that continue in another unit from some row on, or stand in two units side by side."""
    table = thin(data.ordered, MOST_COMPARED)
    if len(table) < FEWEST_ROWS:
        return []
    classes = np.zeros(len(table), dtype="int64")
    if data.schema.classes and data.schema.target in table:
        classes = table[data.schema.target].to_numpy(dtype="int64")
    columns = [column.name for column in data.inputs if column.kind == "number"]
    numbers = {name: as_numbers(table[name]) for name in columns}
    measured = {name: values for name, values in numbers.items() if len(np.unique(values)) > SEVERAL}
    found = []
    for name, values in measured.items():
        others = [other for key, other in measured.items() if key != name]
        told = _changed(data, name, values, classes, others) or _two(data, name, values)
        found += [told] if told else []
    return found


def _changed(
    data: Data, name: str, values: NDArray[np.float64], classes: NDArray[np.int64], others: list[NDArray[np.float64]]
) -> Finding | None:
    change = shifts.unit_change(values, classes)
    if change is None:
        return None
    parts = [shifts.sides(other, classes, change.cut) for other in others]
    also = [part.apart() > max(shifts.LARGE, part.noise) for part in parts]
    if also and np.mean(also) > ALL_MOVE:
        return None
    order = f"in the order of {data.time!r}" if data.time else "in the order of the file"
    what = (
        f"{name!r} changes its unit after about {percent(change.cut)} of the training rows {order}: what comes later "
        f"is like what came before times {score(change.factor)}"
        + (f" plus {score(change.offset)}" if change.offset else "")
        + f" ({change.words}; distance {score(change.apart)}, {score(change.mended)} once converted). "
        "Convert one part at the source."
    )
    return Finding("unit_change", "high", name, what, 1 + change.apart)


def _two(data: Data, name: str, values: NDArray[np.float64]) -> Finding | None:
    told = shifts.two_units(values[~np.isnan(values)])
    if told is None:
        return None
    what = (
        f"{name!r} seems to hold two units: {percent(told[1])} of its values form a heap of their own that is like the "
        f"others converted ({told[0]}). Convert one part at the source."
    )
    return Finding("mixed_units", "medium", name, what, 1 + told[1])


def hours(data: Data) -> list[Finding]:
    """Times whose hours of day shift by whole hours from some row on."""
    times = (column for column in data.schema.columns if column.kind == "time" and column.role in ("time", "input"))
    told = (_shifted(data, column) for column in times if column.name in data.train)
    return [finding for finding in told if finding]


def _shifted(data: Data, column: Column) -> Finding | None:
    times = data.ordered[column.name].dropna()
    hours = times.dt.hour.to_numpy(dtype="int64")
    if len(hours) < 5 * FEWEST_ROWS or len(np.unique(hours)) < 3:
        return None
    told = shifts.hour_shift(hours)
    if told is None:
        return None
    change, shift = told
    what = (
        f"The hours of day in {column.name!r} shift by {shift:+d} h after about {percent(change.cut)} of the training "
        f"rows (distance of the hours {score(change.apart)}, {score(change.mended)} once shifted): another time zone, "
        "or summer time? Write all times in one zone at the source."
    )
    return Finding("time_shift", "high", column.name, what, change.apart)
