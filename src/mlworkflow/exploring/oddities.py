"""Values that are odd: rare classes, columns that mix numbers and words or two decimal marks, values far out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlworkflow.exploring import associations
from mlworkflow.exploring.associations import as_numbers
from mlworkflow.exploring.findings import MOST_ROWS, Data, Finding, first_few, listed, many
from mlworkflow.pages.templates import number, percent
from mlworkflow.rows.reading import fit
from mlworkflow.rows.sampling import thinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_ROWS = 50  # of a class
SMALLEST_CLASS = 0.1
POINT, COMMA = r"[-+]?\d*\.\d+", r"[-+]?\d*,\d+"
THOUSANDS = r"[-+]?[1-9]\d{0,2},\d{3}"  # a comma that may as well be between thousands
FEWEST_MIXED = 3  # numbers written each way
MOSTLY = 0.5  # of the values are such numbers, else it is text
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
        found.append(Finding("imbalance", "medium" if share >= 0.01 else "high", data.schema.target, what, 1 - share))
    few = [f"{name} ({rows})" for name, rows in zip(names, counts, strict=True) if rows < FEWEST_ROWS]
    if few:
        count = "1 class" if len(few) == 1 else f"{len(few)} classes"
        what = f"{count} with fewer than {FEWEST_ROWS} training rows: {first_few(few)}. Intervals will be wide."
        found.append(Finding("few_rows", "medium" if counts.min() < 20 else "low", data.schema.target, what, 0.5))
    return found


def mixed(data: Data) -> list[Finding]:
    """Columns of words that are mostly numbers."""
    columns = [column for column in data.schema.columns if column.kind == "category" and column.role != "key"]
    words = [column.name for column in columns if column.name in data.raw.columns]
    keep = thinned(len(data.raw), MOST_ROWS)
    found = (_mix(data.raw[name].iloc[keep], data.schema.blanks) for name in words)
    return [finding for finding in found if finding]


def decimals(data: Data) -> list[Finding]:
    """Columns whose numbers are written with a decimal point in some rows and a decimal comma in others."""
    inputs = [column.name for column in data.schema.columns if column.role != "key" and column.name in data.raw.columns]
    keep, found = thinned(len(data.raw), MOST_ROWS), []
    for name in inputs:
        values = data.raw[name].iloc[keep]
        if values.dtype.kind in "iufbM":
            continue
        words = values.dropna().astype("str").str.strip()
        if not (written := fit(words, COMMA)).any():
            continue
        points, commas, thousands = fit(words, POINT).sum(), written.sum(), fit(words, THOUSANDS).sum()
        if min(points, commas) < FEWEST_MIXED or thousands == commas or points + commas < MOSTLY * len(words):
            continue
        what = (
            f"{name!r} writes {percent(points / len(words))} of its values with a decimal point and "
            f"{percent(commas / len(words))} with a decimal comma (such as "
            f"{words[written].iloc[0]!r}). Write all of them one way at the source."
        )
        found.append(Finding("mixed_decimals", "high", name, what, min(points, commas) / len(words)))
    return found


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
    return Finding("mixed_kinds", "medium" if share > 0.8 else "low", str(values.name), what, share)


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
        return Finding(
            "placeholder", "medium", name, f"{what} All of them are the same: a word for missing?", float(far.mean())
        )
    return Finding("outlier", "low", name, what, float(far.mean()))
