"""Values that are odd: rare classes, columns that moved over time, that mix numbers and words, that lie far out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlworkflow import associations
from mlworkflow.associations import as_numbers
from mlworkflow.findings import Data, Finding, first_few, listed, many
from mlworkflow.profile import lengths
from mlworkflow.templates import number, percent, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_ROWS = 50  # of a class
SMALLEST_CLASS = 0.1
MOVED = 0.25  # population stability index
FAR = 10  # interquartile ranges


def classes(data: Data) -> list[Finding]:
    """Classes that are rare, or have few rows to learn from."""
    if not data.schema.classes or data.target is None or data.train.empty:
        return []
    counts = np.bincount(data.train[str(data.schema.target)].astype("int64"), minlength=len(data.schema.classes))
    names = [repr(str(name)) for name in data.schema.classes]
    least, share, found = int(counts.argmin()), float(counts.min() / counts.sum()), []
    if share < min(SMALLEST_CLASS, 0.5 / len(counts)):
        what = (
            f"The class {names[least]} makes up {percent(share)} of the training rows "
            f"({number(int(counts[least]))} of {number(int(counts.sum()))}): accuracy says little, look at precision "
            "and recall."
        )
        found.append(Finding("medium" if share >= 0.01 else "high", data.schema.target, what, 1 - share))
    few = [f"{name} ({rows})" for name, rows in zip(names, counts, strict=True) if rows < FEWEST_ROWS]
    if few:
        count = "1 class" if len(few) == 1 else f"{len(few)} classes"
        what = f"{count} with fewer than {FEWEST_ROWS} training rows: {first_few(few)}. Intervals will be wide."
        found.append(Finding("medium" if counts.min() < 20 else "low", data.schema.target, what, 0.5))
    return found


def moved(data: Data) -> list[Finding]:
    """Columns whose values differ between the earlier and the later half of the training rows."""
    times = [name for name in data.schema.with_role("time") if name in data.train]
    if not times or len(data.sample) < 40:
        return []
    ordered = data.sample.iloc[data.sample[times[0]].argsort(kind="stable").to_numpy()]
    half, found = len(ordered) // 2, []
    for column in data.schema.columns:
        if column.name not in data.train or column.role not in ("input", "target"):
            continue
        words = column.kind == "category" or (column.role == "target" and bool(data.schema.classes))
        values = lengths(ordered[column.name]) if column.kind == "text" else ordered[column.name]
        index = associations.stability_index(values.iloc[:half], values.iloc[half:], words=words)
        if index > MOVED:
            what = (
                f"{column.name!r} moved between the earlier and the later half of the training rows "
                f"(population stability index {score(index)}, above {MOVED}): validate by time."
            )
            found.append(Finding("medium" if column.role == "target" or index > 1 else "low", column.name, what, index))
    return found


def mixed(data: Data) -> list[Finding]:
    """Columns of words that are mostly numbers."""
    words = [column.name for column in data.schema.columns if column.kind == "category" and column.name in data.raw]
    found = (_mix(data.raw[name], data.schema.blanks) for name in words)
    return [finding for finding in found if finding]


def _mix(values: pd.Series, blanks: list[str]) -> Finding | None:
    if pd.api.types.is_bool_dtype(values):
        return None
    counts = values.value_counts()
    counts.index = pd.Index(counts.index.astype(str)).str.strip()
    counts = counts[~counts.index.isin(blanks)]
    is_number = np.asarray(pd.to_numeric(pd.Series(counts.index), errors="coerce").notna())
    share = float(counts[is_number].sum() / counts.sum()) if len(counts) else 0.0
    if not 0.2 <= share < 1:
        return None
    what = (
        f"{values.name!r} mixes numbers ({percent(share)} of its values) and words "
        f"(such as {listed(list(associations.commonest(counts[~is_number]).index[:3]))}). "
        "If a word means missing, name it under problem.data.missing; else it stays a category."
    )
    return Finding("medium" if share > 0.8 else "low", str(values.name), what, share)


def outliers(data: Data) -> list[Finding]:
    """Numbers far beyond the middle half, also on a logarithmic scale where none is below zero."""
    found = []
    for column in data.inputs:
        values = data.train[column.name].dropna()
        if column.kind != "number" or len(values) < 20:
            continue
        numbers = as_numbers(values)
        far = _far(numbers)
        if numbers.min() >= 0 and np.median(numbers) > 0:
            far &= _far(np.log1p(numbers / np.median(numbers)))
        if far.any():
            found.append(_outlier(column.name, numbers, far))
    return found


def _far(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    low, high = np.quantile(numbers, [0.25, 0.75])
    span = FAR * (high - low)
    return (numbers < low - span) | (numbers > high + span) if span > 0 else np.zeros(len(numbers), dtype=bool)


def _outlier(name: str, numbers: NDArray[np.float64], far: NDArray[np.bool_]) -> Finding:
    odd, middle = numbers[far], float(np.median(numbers))
    furthest = float(odd[np.abs(odd - middle).argmax()])
    verb = "lies" if len(odd) == 1 else "lie"
    what = (
        f"{many(len(odd), 'value')} of {name!r} {verb} more than {FAR} interquartile ranges outside the middle half, "
        f"the furthest {number(furthest)} (median {number(middle)})."
    )
    if len(odd) > 2 and len(np.unique(odd)) == 1:
        return Finding("medium", name, f"{what} All of them are the same: a word for missing?", float(far.mean()))
    return Finding("low", name, what, float(far.mean()))
