"""Missing values: how many, and whether it tells the target that a value is missing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlworkflow.exploring import associations
from mlworkflow.exploring.findings import Data, Finding, listed, many, only
from mlworkflow.pages.templates import number, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
            found.append(Finding("missing", "medium" if share > 0.4 else "low", name, what, share))
        elif share:
            few[name] = share
    if few:
        lack = "lacks" if len(few) == 1 else "lack"
        most, names = percent(max(few.values())), list(few)
        what = f"{many(len(few), 'column')} {lack} up to {most} of the values: {listed(names)}."
        found.append(Finding("missing", "low", only(names), what))
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
    return Finding("missing_tells_target", "high" if high - low > 0.9 else "medium", name, what, 1 + high - low)


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
    return Finding("missing_tells_target", "high" if abs(shift) > 2 else "medium", name, what, 1 + abs(shift))
