"""Columns that may tell more of the target than they should: by their values, and by which are missing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlworkflow import associations
from mlworkflow.findings import Data, Finding, listed, many, only
from mlworkflow.templates import number, percent, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.schema import Column

LEAK = 0.98  # a column that tells this much of the target alone is suspected
LEAK_OF_CLASSES = 0.99  # the same for the nearest two of several classes


def leaks(data: Data) -> list[Finding]:
    """A column that nearly decides the target alone."""
    found: list[Finding] = []
    ask = "Was it known before the outcome? If not, name it under problem.data.hidden."
    for column in data.inputs if data.target is not None else ():
        share, limit, words = _told(data, column)
        if share > limit:
            what = f"{column.name!r} alone nearly decides {data.schema.target!r} ({words}). {ask}"
            found.append(Finding("high", column.name, what, 3 + share))
    return found


def _told(data: Data, column: Column) -> tuple[float, float, str]:
    """Return how much of the target a column tells, how much is too much, and that in words."""
    values, target = data.sample[column.name], np.asarray(data.target)
    told = associations.strength(values, column, target, data.schema)
    if told is None:
        return math.nan, LEAK, ""
    if len(data.schema.classes) > 2 and column.kind != "category":
        share = associations.nearest_classes(values, target)
        return share, LEAK_OF_CLASSES, f"AUC of the nearest two classes {score(share)}"
    return told.value if told.measure == "AUC" else told.share, LEAK, f"{told.measure} {score(told.value)}"


def missing(data: Data) -> list[Finding]:
    """Columns with many missing values, and those whose missing values go with the target."""
    found: list[Finding] = []
    shares = {column.name: float(data.train[column.name].isna().mean()) for column in data.inputs}
    few = {}
    for name, share in shares.items():
        if tells := _missing_tells(data, name) if share else None:
            found.append(tells)
        elif share > 0.05:
            what = f"{name!r} is missing in {percent(share)} of the training rows."
            found.append(Finding("medium" if share > 0.4 else "low", name, what, share))
        elif share:
            few[name] = share
    if few:
        lack = "lacks" if len(few) == 1 else "lack"
        most, names = percent(max(few.values())), list(few)
        what = f"{many(len(few), 'column')} {lack} up to {most} of the values: {listed(names)}."
        found.append(Finding("low", only(names), what))
    return found


def _missing_tells(data: Data, name: str) -> Finding | None:
    """A finding where values are missing more often for one class, or where the target is higher without them."""
    gone = data.sample[name].isna().to_numpy()
    if data.target is None or min(gone.sum(), (~gone).sum()) < 10:
        return None
    return (_missing_by_class if data.schema.classes else _missing_shifts)(data, name, gone, data.target)


def _missing_by_class(data: Data, name: str, gone: NDArray[np.bool_], target: NDArray[Any]) -> Finding | None:
    shares = pd.Series(gone).groupby(target).mean()
    low, high = float(shares.min()), float(shares.max())
    if high - low < 0.1 or associations.surprise(target, gone) < 6:
        return None
    most, least = (str(data.schema.classes[int(shares.index[int(at)])]) for at in (shares.argmax(), shares.argmin()))
    what = (
        f"{name!r} is missing in {percent(high)} of the rows of class {most!r} but in {percent(low)} of {least!r}: "
        "that it is missing tells the target. Is it filled in afterwards?"
    )
    return Finding("high" if high - low > 0.9 else "medium", name, what, 1 + high - low)


def _missing_shifts(data: Data, name: str, gone: NDArray[np.bool_], target: NDArray[Any]) -> Finding | None:
    truth = np.asarray(target, dtype="float64")
    without, with_it = truth[gone], truth[~gone]
    shift = float(without.mean() - with_it.mean()) / (float(truth.std()) or 1.0)
    if abs(shift) < 0.3 or abs(shift) / math.sqrt(1 / len(without) + 1 / len(with_it)) < 5:
        return None
    what = (
        f"{name!r} is missing in {percent(float(gone.mean()))} of the rows, and there {data.schema.target!r} is "
        f"{number(float(without.mean()))} on average, else {number(float(with_it.mean()))}: that it is missing tells "
        "the target."
    )
    return Finding("high" if abs(shift) > 2 else "medium", name, what, 1 + abs(shift))
