"""Rows that are there twice or contradict each other, and columns that say nothing or the same as another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlworkflow import associations
from mlworkflow.findings import Data, Finding, listed, many, only
from mlworkflow.templates import number, percent, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIKE = 0.999  # correlation of two columns that hold the same


def conflicts(data: Data) -> list[Finding]:
    """Rows that are the same for a model: with different targets, or with the same."""
    names = [column.name for column in data.inputs]
    if not names or not len(data.train):
        return []
    same = pd.util.hash_pandas_object(data.train[names], index=False).to_numpy()
    repeated = pd.Series(same).duplicated(keep=False).to_numpy()
    rows, found = int(repeated.sum()), []
    if data.schema.target in data.train.columns:
        clash = data.train[data.schema.target].groupby(same).transform("nunique").to_numpy() > 1
        found += [_clash(data, clash, same)] if clash.any() else []
        rows -= int(clash.sum())
    if rows / len(data.train) > 0.05:
        what = (
            f"{many(rows, 'training row')} ({percent(rows / len(data.train))}) have the same inputs and target as "
            "another. Test rows will repeat training rows too: scores on rows that are really new may be lower."
        )
        share = float(repeated.mean())
        found.append(Finding("medium" if share > 0.2 else "low", None, what, share))
    return found


def _clash(data: Data, clash: NDArray[np.bool_], same: NDArray[Any]) -> Finding:
    rows, share = int(clash.sum()), float(clash.mean())
    what = f"{many(rows, 'training row')} ({percent(share)}) have the same inputs as another but a different target"
    if data.schema.classes:
        truth = data.train.loc[clash, str(data.schema.target)]
        most = truth.groupby(same[clash]).agg(lambda codes: codes.value_counts().iloc[0])
        what += f": no model can get {number(rows - int(most.sum()))} of them right"
    return Finding("high" if share > 0.2 else "medium" if share > 0.01 else "low", None, f"{what}.", 1 + share)


def duplicates(data: Data) -> list[Finding]:
    """Raw rows that repeat another row, but for their key."""
    keys = data.schema.with_role("key")
    names = [name for name in data.raw.columns if name not in keys]
    if not names or data.raw.empty:
        return []
    again = pd.Series(pd.util.hash_pandas_object(data.raw[names], index=False)).duplicated()
    rows, share = int(again.sum()), float(again.mean())
    if not rows:
        return []
    but = f" but {listed(keys)}" if keys else ""
    repeat = "repeats" if rows == 1 else "repeat"
    what = f"{many(rows, 'row')} of the raw table ({percent(share)}) {repeat} an earlier row in every column{but}."
    return [Finding("medium" if share > 0.01 else "low", None, what, share)]


def twins(data: Data) -> list[Finding]:
    """Pairs of columns that hold the same."""
    varied = [column for column in data.inputs if data.sample[column.name].nunique() > 1]
    numbers = [column.name for column in varied if column.kind == "number"]
    words = [column.name for column in varied if column.kind == "category"]
    return [
        Finding("low", right, f"{right!r} holds nearly the same as {left!r} ({why}): one of them is enough.", 0.5)
        for left, right, why in (*_twin_numbers(data.sample, numbers), *_twin_words(data.sample, words))
    ]


def _twin_numbers(table: pd.DataFrame, names: list[str]) -> Iterator[tuple[str, str, str]]:
    if len(names) > 1:
        together = associations.correlations(table[names])
        for left, right in zip(*np.nonzero(np.triu(np.abs(together) > ALIKE, 1)), strict=True):
            yield names[left], names[right], f"correlation {score(float(together[left, right]))}"


def _twin_words(table: pd.DataFrame, names: list[str]) -> Iterator[tuple[str, str, str]]:
    coded: dict[bytes, str] = {}
    for name in names:
        first = coded.setdefault(pd.factorize(table[name])[0].tobytes(), name)
        if first != name:
            yield first, name, "each category of one goes with one of the other"


def constants(data: Data) -> list[Finding]:
    """Columns that hold one value only."""
    names = [column.name for column in data.inputs if _single(data.train[column.name])]
    if not names:
        return []
    hold = "holds" if len(names) == 1 else "hold"
    what = f"{many(len(names), 'column')} {hold} a single value and can tell nothing: {listed(names)}."
    return [Finding("low", only(names), what, len(names) / len(data.inputs))]


def _single(values: pd.Series) -> bool:
    """Return whether all values are the same, or all are missing."""
    return values.empty or bool(values.isna().all() or (values == values.iloc[0]).all())
