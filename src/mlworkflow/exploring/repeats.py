"""Rows that are there twice or contradict each other, and columns that say nothing or the same as another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlworkflow.exploring import associations
from mlworkflow.exploring.findings import Columns, Data, Finding, Severity, listed, many, only
from mlworkflow.pages.templates import number, percent, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIKE = 0.999  # correlation of two columns that hold the same
HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no column's hash is lost when the next is added


def conflicts(data: Data) -> list[Finding]:
    """Rows that are the same for a model: with different targets, or with the same."""
    names = [column.name for column in data.inputs]
    if not names or not len(data.train):
        return []
    names += [data.time] if data.time else []  # a model sees its parts
    same = row_hashes(data.train, names)
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
        found.append(Finding("repeated_inputs", "medium" if share > 0.2 else "low", None, what, share))
    return found


def row_hashes(table: Columns, names: Sequence[str]) -> NDArray[np.uint64]:
    """Return an (n,) hash of the named columns of each row, a column at a time."""
    mixed = np.zeros(len(table), dtype="uint64")
    for name in names:
        mixed = mixed * HASH_FACTOR + pd.util.hash_pandas_object(table[name], index=False).to_numpy()
    return mixed


def _clash(data: Data, clash: NDArray[np.bool_], same: NDArray[Any]) -> Finding:
    rows, share = int(clash.sum()), float(clash.mean())
    what = f"{many(rows, 'training row')} ({percent(share)}) have the same inputs as another but a different target"
    if data.schema.classes:
        truth = data.train.loc[clash, str(data.schema.target)]
        most = truth.groupby(same[clash]).agg(lambda codes: codes.value_counts().iloc[0])
        what += f": no model can get {number(rows - int(most.sum()))} of them right"
    severity: Severity = "high" if share > 0.2 else "medium" if share > 0.01 else "low"
    return Finding("conflict", severity, None, f"{what}.", 1 + share)


def duplicates(data: Data) -> list[Finding]:
    """Raw rows that repeat another row, but for their key."""
    keys = data.schema.with_role("key")
    names = [name for name in data.raw.columns if name not in keys]
    if not names or not len(data.raw):
        return []
    same = row_hashes(data.raw, names)
    again = pd.Series(same).duplicated()
    rows, share = int(again.sum()), float(again.mean())
    if not rows:
        return []
    but = f" but {listed(keys)}" if keys else ""
    repeat = "repeats" if rows == 1 else "repeat"
    what = f"{many(rows, 'row')} of the raw table ({percent(share)}) {repeat} an earlier row in every column{but}."
    return [Finding("duplicate", "medium" if share > 0.01 else "low", None, what, share)]


def across_split(data: Data) -> list[Finding]:
    """Test rows whose inputs and target are those of a training row under another key."""
    names = [column.name for column in data.schema.columns if column.role in ("input", "target", "time")]
    names = [name for name in names if name in data.raw.columns]
    if data.test is None or not names:
        return []
    same = row_hashes(data.raw, names)
    seen = np.isin(same[data.test], same[~data.test])
    rows, share = int(seen.sum()), float(seen.mean()) if len(seen) else 0.0
    if not rows:
        return []
    keys = data.schema.with_role("key")
    but = f", under another {listed(keys)}" if keys else ""
    verb = "is a copy" if rows == 1 else "are copies"
    what = (
        f"{many(rows, 'test row')} ({percent(share)}) {verb} of a training row in all inputs and the target{but}: "
        "the test score is too good by that. Name a group that keeps copies together, or drop them at the source."
    )
    severity: Severity = "high" if share > 0.1 else "medium" if share > 0.01 else "low"
    return [Finding("duplicate_across_split", severity, None, what, 1 + share)]


def collisions(data: Data) -> list[Finding]:
    """Keys with several different rows. A history, most keys with several rows, is told by key and time."""
    keys = [name for name in data.schema.with_role("key") if name in data.raw.columns]
    if not keys or not len(data.raw):
        return []
    whose = row_hashes(data.raw, keys)
    if data.time and pd.Series(whose).duplicated(keep=False).mean() > 0.5:
        keys = [*keys, data.time]
        whose = row_hashes(data.raw, keys)
    several = pd.Series(whose).duplicated(keep=False).to_numpy()
    if not several.any():
        return []
    content = row_hashes(data.raw, list(data.raw.columns))
    different = pd.DataFrame({"key": whose[several], "row": content[several]}).groupby("key")["row"].nunique()
    count, rows = int((different > 1).sum()), int(different[different > 1].sum())
    if not count:
        return []
    what = (
        f"{many(count, 'value')} of the key {listed(keys)} stand{'s' if count == 1 else ''} for several different rows "
        f"({number(rows)} in all): which of them is right? problem.prepare.same_key says which one stays."
    )
    share = rows / len(data.raw)
    return [Finding("key_collision", "high" if share > 0.2 else "medium", only(keys), what, share)]


def twins(data: Data) -> list[Finding]:
    """Pairs of columns that hold the same."""
    varied = [column for column in data.inputs if data.sample[column.name].nunique() > 1]
    numbers = [column.name for column in varied if column.kind == "number"]
    words = [column.name for column in varied if column.kind == "category"]
    pairs = (*_twin_numbers(data.sample, numbers), *_twin_words(data.sample, words))
    told = ((name, f"{name!r} holds nearly the same as {left!r} ({why}): one is enough.") for left, name, why in pairs)
    return [Finding("identical", "low", name, what, 0.5) for name, what in told]


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
    return [Finding("constant", "low", only(names), what, len(names) / len(data.inputs))]


def _single(values: pd.Series) -> bool:
    """Return whether all values are the same, or all are missing."""
    return values.empty or bool(values.isna().all() or (values == values.iloc[0]).all())
