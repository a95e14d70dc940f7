"""Columns that may tell more of the target than they should, alone, together, or ahead of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlworkflow.exploring import associations
from mlworkflow.exploring.associations import as_numbers
from mlworkflow.exploring.findings import Data, Finding
from mlworkflow.pages.templates import number, score
from mlworkflow.rows.cast import cast
from mlworkflow.rows.sampling import thin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.rows.schema import Column

LEAK = 0.98  # a column that tells this much of the target alone is suspected
LEAK_OF_CLASSES = 0.99  # the same for the nearest two of several classes
ASK = "Was it known before the outcome? If not, name it under problem.data.hidden."
MOST_SOLVED = 5000  # rows in which a sum of columns is looked for
UNEXPLAINED = 0.003  # standard deviations of the target that a sum may be off: no more than rounding makes
MOST_ORDERED = 50_000  # rows in the order of time
PART = 0.01  # standard deviations that a column must add to be named as a part of the sum
MOST_PARTS = 8  # columns of a sum that is worth naming; more are a model
AHEAD = 0.9  # how far a column must tell the target of the next row
HALVED = 0.5  # and how little that may leave untold, beside what the column leaves untold in its own row


def leaks(data: Data) -> list[Finding]:
    """Columns that nearly decide the target: together as a sum, or each alone."""
    if data.target is None:
        return []
    found = sums(data)
    told = {finding.column for finding in found}
    for column in data.inputs:
        if column.name not in told and (much := _too_much(data, column)):
            share, words = much
            what = f"{column.name!r} alone nearly decides {data.schema.target!r} ({words}). {ASK}"
            found.append(Finding("leak", "high", column.name, what, 3 + share))
    return found


def _too_much(data: Data, column: Column) -> tuple[float, str] | None:
    """Return how much of the target a column tells, and that in words, where it is too much."""
    values, target = data.sample[column.name], np.asarray(data.target)
    told = associations.strength(values, column, target, data.schema)
    if told is None:
        return None
    share, limit = told.value if told.measure == "AUC" else told.share, LEAK
    words = f"{told.measure} {score(told.value)}"
    if len(data.schema.classes) > 2 and column.kind != "category":
        share, limit = associations.nearest_classes(values, target), LEAK_OF_CLASSES
        words = f"AUC of the nearest two classes {score(share)}"
    if share > limit:
        return share, words
    if column.kind == "category":
        return None
    rule = associations.rule(values, target, data.schema)
    return (rule.share, f"a rule of its ranges: {rule.measure} {score(rule.value)}") if rule.share > LEAK else None


def sums(data: Data) -> list[Finding]:
    """Columns that give the target of a regression exactly when they are added, each with its own factor."""
    numbers = [column.name for column in data.inputs if column.kind == "number"]
    names = [name for name in numbers if data.sample[name].nunique() > 1]
    if data.schema.task != "regression" or len(names) < 2:
        return []
    known = data.sample[[*names, str(data.schema.target)]].dropna().astype("float64")
    table = thin(known, MOST_SOLVED)
    if len(table) < 10 * len(names) or table[data.schema.target].nunique() < 10:
        return []
    factors = _factors(table[names], table[data.schema.target])
    if not 1 < len(factors) <= MOST_PARTS:
        return []
    parts = (
        repr(name) if abs(factor - 1) < 1e-6 else f"{number(factor)} × {name!r}" for name, factor in factors.items()
    )
    what = f"{' + '.join(parts)} is exactly {data.schema.target!r}. {ASK}"
    return [Finding("leak", "high", name, f"{name!r} is a part of the target: {what}", 5) for name in factors]


def _factors(table: pd.DataFrame, target: pd.Series) -> dict[str, float]:
    """Return the columns and factors of a sum that is the target but for rounding, by least squares; or nothing."""
    inputs = table.to_numpy() - table.to_numpy().mean(axis=0)
    spread, truth = inputs.std(axis=0), (target - target.mean()).to_numpy()
    solved = np.linalg.lstsq(inputs / spread, truth, rcond=1e-9)[0]
    if np.std(truth - inputs / spread @ solved) > UNEXPLAINED * truth.std():
        return {}
    factors = zip(map(str, table), solved / spread, np.abs(solved) > PART * truth.std(), strict=True)
    return {name: float(factor) for name, factor, kept in factors if kept}


def future(data: Data) -> list[Finding]:
    """Columns that tell the target of the next row in time better than that of their own row."""
    if data.time is None or data.target is None or data.schema.target is None:
        return []
    ordered, follows = _followed(data)
    if follows.sum() < 50:
        return []
    rows, found = ordered.iloc[:-1][follows], []
    own, after = (ordered[data.schema.target].to_numpy()[start : len(ordered) - 1 + start][follows] for start in (0, 1))
    for column in data.inputs:
        now = _share(rows[column.name], column, own, data)
        ahead = _share(rows[column.name], column, after, data)
        if ahead > AHEAD and 1 - ahead < HALVED * (1 - now):
            what = (
                f"{column.name!r} tells {data.schema.target!r} of the next row in time better ({score(ahead)} of 1) "
                f"than of its own ({score(now)}): it seems to come from the future. {ASK}"
            )
            found.append(Finding("future", "high", column.name, what, 4 + ahead))
    return found


def _share(values: pd.Series, column: Column, target: NDArray[Any], data: Data) -> float:
    told = associations.strength(values, column, target, data.schema)
    return 0.0 if told is None else told.share


def _followed(data: Data) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return training rows by time, and for each but the last whether the one below comes next in all the rows.

    Rows of a group follow each other. Without groups rows between two training rows may be test rows, so that the
    time of the next row is looked up in the raw table; rows of one time have no next.
    """
    time, groups = str(data.time), [name for name in data.schema.with_role("group") if name in data.train]
    table = data.train.iloc[: 2 * MOST_ORDERED].dropna(subset=[time]).sort_values([*groups, time], kind="stable")
    if groups:
        return table, (table[groups[0]].to_numpy()[1:] == table[groups[0]].to_numpy()[:-1])
    times = cast(pd.DataFrame({time: data.raw[time]}), data.schema, only=[time])[time].dropna()
    places = np.searchsorted(np.sort(as_numbers(times)), as_numbers(table[time]))
    return table, np.diff(places) == 1
