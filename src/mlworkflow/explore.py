"""Look at the table and change nothing: what is suspicious, in words with numbers, and what each column holds.

Read from the top: `explore` gathers the findings, each of a function `_..(data) -> list[Finding]`;
`strength` says how far one column tells the target; `columns` describes each column; `page` shows it all.
A finding is a reason to look, not a verdict: the thresholds are chosen so that clean tables stay quiet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mlworkflow.charts import thinned, tiny
from mlworkflow.templates import number, percent, render, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.schema import Column, Schema

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")

MOST_ROWS = 100_000  # associations are measured on this many evenly spaced rows
MOST_ALIKE = 6  # findings of one kind told one by one; further columns are named together
LEAK = 0.98  # a column that tells this much of the target alone is suspected
LEAK_OF_CLASSES = 0.99  # the same for the nearest two of several classes
ALIKE = 0.999  # correlation of two columns that hold the same
FEWEST_ROWS = 50  # of a class
SMALLEST_CLASS = 0.1
MOVED = 0.25  # population stability index
FAR = 10  # interquartile ranges
BINS = 24


@dataclass(frozen=True)
class Finding:
    """One thing to look at: how bad, in which column (None: the whole table), what it is in a sentence."""

    severity: Severity
    column: str | None
    what: str
    weight: float = field(default=0.0, compare=False)  # sorts findings that are equally bad

    def to_dict(self) -> dict[str, str | None]:
        """Return what goes into findings.json."""
        return {"severity": self.severity, "column": self.column, "what": self.what}


class Strength(NamedTuple):
    """How far one column tells the target: the measure's name, its value, and the value on a scale from 0 to 1."""

    measure: str
    value: float
    share: float


@dataclass(frozen=True)
class Look:
    """One column as the page shows it."""

    name: str
    kind: str
    role: str
    missing: float
    distinct: int
    picture: str
    holds: str
    strength: Strength | None


@dataclass(frozen=True)
class Data:
    """What is looked at: the raw table, the prepared training rows, their schema."""

    raw: pd.DataFrame
    train: pd.DataFrame
    schema: Schema

    @cached_property
    def sample(self) -> pd.DataFrame:
        """At most MOST_ROWS evenly spaced training rows."""
        return self.train.iloc[thinned(len(self.train), MOST_ROWS)] if len(self.train) else self.train

    @cached_property
    def target(self) -> NDArray[Any] | None:
        """The target of the sample: (n,) codes or values; None where there is none."""
        name = self.schema.target
        return None if name is None or name not in self.train else self.sample[name].to_numpy()

    @property
    def inputs(self) -> list[Column]:
        """The input columns that the training rows really have."""
        return [column for column in self.schema.inputs if column.name in self.train]


def explore(raw: pd.DataFrame, train: pd.DataFrame, schema: Schema) -> list[Finding]:
    """Return what is suspicious in the table, the worst first; the tables stay as they are.

    Args:
        raw: all rows as they were collected.
        train: the prepared training rows, the target of a classification as codes.
        schema: their schema.
    """
    data = Data(raw, train, schema)
    found = [finding for check in CHECKS for finding in _capped(check(data))]
    return sorted(found, key=lambda one: (SEVERITIES.index(one.severity), -one.weight))


def _capped(found: list[Finding]) -> list[Finding]:
    """Return the findings of one kind, those of many columns beyond the first few as one."""
    ordered = sorted(found, key=lambda one: (SEVERITIES.index(one.severity), -one.weight))
    first, rest = ordered[:MOST_ALIKE], ordered[MOST_ALIKE:]
    if len(rest) < 2:
        return ordered
    names = _listed([one.column or "?" for one in rest])
    what = f"{len(rest)} further columns likewise, less marked: {names}."
    return [*first, Finding(rest[0].severity, None, what, first[-1].weight)]


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _many(count: int, word: str) -> str:
    return f"{number(int(count))} {word}" + ("" if count == 1 else "s")


# Does one column tell the target?


def strength(values: pd.Series, column: Column, target: NDArray[Any], schema: Schema) -> Strength | None:
    """Return how far `values` (n,) alone tell the `target` (n,), or None where that cannot be measured.

    - a number against two classes: the area under the ROC curve, at least 0.5 whichever way it points;
    - against several classes, and categories against a number: the share of variance explained (eta squared,
      adjusted for the number of groups);
    - against a number: Spearman's rank correlation;
    - categories against classes: the share of the errors of guessing the commonest class that knowing the category
      takes away (Goodman and Kruskal's lambda, each row told by the other rows alone).
    """
    known = values.notna().to_numpy() & ~pd.isna(target)
    if known.sum() < 10 or values[known].nunique() < 2 or len(np.unique(target[known])) < 2:
        return None
    truth = target[known]
    if column.kind == "category":
        groups = pd.factorize(values[known])[0]
        if schema.classes:
            value = _errors_taken_away(groups, truth)
            return Strength("errors less", value, value)
        value = _explained(truth.astype(float), groups)
        return Strength("variance explained", value, value)
    numbers = _numbers(values[known])
    if len(schema.classes) == 2:
        area = _area(numbers, truth == 1)
        return None if math.isnan(area) else Strength("AUC", area, 2 * area - 1)
    if schema.classes:
        value = _explained(numbers, truth)
        return Strength("variance explained", value, value)
    value = float(np.corrcoef(_ranks(numbers), _ranks(truth.astype(float)))[0, 1])
    return Strength("rank correlation", value, abs(value))


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    """Return numbers as they are, and times as seconds."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.to_numpy().astype("datetime64[s]").astype("float64")
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64")


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(pd.Series(values).rank(), dtype="float64")


def _area(numbers: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, at least 0.5; NaN with fewer than 5 rows on a side."""
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if min(ones, zeros) < 5:
        return math.nan
    area = (_ranks(numbers)[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    return float(max(area, 1 - area))


def _nearest_classes(numbers: NDArray[np.float64], truth: NDArray[Any]) -> float:
    """Return the AUC between the two classes that the numbers tell apart least, of neighbours by their median."""
    medians = pd.Series(numbers).groupby(truth).median().sort_values(kind="stable")
    areas = []
    for low, high in zip(medians.index, medians.index[1:], strict=False):
        both = (truth == low) | (truth == high)
        areas.append(_area(numbers[both], truth[both] == high))
    return float(np.min(areas)) if areas else math.nan


def _explained(numbers: NDArray[np.float64], groups: NDArray[Any]) -> float:
    """Return the share of the variance of `numbers` that lies between groups, adjusted; at least 0."""
    rows = len(numbers)
    means = pd.Series(numbers).groupby(groups).transform("mean").to_numpy()
    kinds, total = len(np.unique(groups)), float(((numbers - numbers.mean()) ** 2).sum())
    if total == 0 or rows <= kinds:
        return 0.0
    within = float(((numbers - means) ** 2).sum())
    return max(0.0, 1 - within / total * (rows - 1) / (rows - kinds))


def _errors_taken_away(groups: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the share of errors that guessing by group saves; each row is told by the others of its group."""
    classes = np.unique(truth)
    counts = pd.crosstab(groups, truth).reindex(columns=classes).to_numpy()[groups]
    own = truth[:, None] == classes[None, :]
    others = counts - own
    guess = others + 1e-6 * (own.sum(axis=0) / len(truth))  # alone in its group: the commonest class
    errors = int((classes[guess.argmax(axis=1)] != truth).sum())
    base = len(truth) - int(own.sum(axis=0).max())
    return max(0.0, 1 - errors / base) if base else 0.0


def _leaks(data: Data) -> list[Finding]:
    """A column that nearly decides the target alone."""
    found: list[Finding] = []
    if data.target is None:
        return found
    ask = "Was it known before the outcome? If not, name it under problem.data.hidden."
    for column in data.inputs:
        values = data.sample[column.name]
        told = strength(values, column, data.target, data.schema)
        if told is None:
            continue
        share, limit = told.value if told.measure == "AUC" else told.share, LEAK
        words = f"{told.measure} {score(told.value)}"
        if len(data.schema.classes) > 2 and column.kind != "category":
            known = values.notna().to_numpy()
            share, limit = _nearest_classes(_numbers(values[known]), data.target[known]), LEAK_OF_CLASSES
            words = f"AUC of the nearest two classes {score(share)}"
        if share > limit:
            what = f"{column.name!r} alone nearly decides {data.schema.target!r} ({words}). {ask}"
            found.append(Finding("high", column.name, what, 3 + share))
    return found


# The whole table


def _conflicts(data: Data) -> list[Finding]:
    """Rows that are the same for a model: with different targets, or with the same."""
    names = [column.name for column in data.inputs]
    if not names or not len(data.train):
        return []
    same = pd.util.hash_pandas_object(data.train[names], index=False).to_numpy()
    repeated = pd.Series(same).duplicated(keep=False).to_numpy()
    rows, share = int(repeated.sum()), float(repeated.mean())
    found = []
    if data.schema.target in data.train.columns:
        truth = data.train[data.schema.target]
        clash = truth.groupby(same).transform("nunique").to_numpy() > 1
        if clash.any():
            found.append(_clash(data, clash, same))
            rows -= int(clash.sum())
    if rows and rows / len(data.train) > 0.05:
        what = (
            f"{_many(rows, 'training row')} ({percent(rows / len(data.train))}) have the same inputs and target as "
            "another. "
            "Test rows will repeat training rows too: scores on rows that are really new may be lower."
        )
        found.append(Finding("medium" if share > 0.2 else "low", None, what, share))
    return found


def _clash(data: Data, clash: NDArray[np.bool_], same: NDArray[Any]) -> Finding:
    rows, share = int(clash.sum()), float(clash.mean())
    what = f"{_many(rows, 'training row')} ({percent(share)}) have the same inputs as another but a different target"
    if data.schema.classes:
        truth = data.train.loc[clash, str(data.schema.target)]
        most = truth.groupby(same[clash]).agg(lambda codes: codes.value_counts().iloc[0])
        what += f": no model can get {number(rows - int(most.sum()))} of them right"
    return Finding("high" if share > 0.2 else "medium" if share > 0.01 else "low", None, f"{what}.", 1 + share)


def _duplicates(data: Data) -> list[Finding]:
    """Raw rows that repeat another row, but for their key."""
    keys = data.schema.with_role("key")
    names = [name for name in data.raw.columns if name not in keys]
    if not names or data.raw.empty:
        return []
    again = pd.Series(pd.util.hash_pandas_object(data.raw[names], index=False)).duplicated()
    if not again.any():
        return []
    rows, share = int(again.sum()), float(again.mean())
    but = f" but {_listed(keys)}" if keys else ""
    repeat = "repeats" if rows == 1 else "repeat"
    what = f"{_many(rows, 'row')} of the raw table ({percent(share)}) {repeat} an earlier row in every column{but}."
    return [Finding("medium" if share > 0.01 else "low", None, what, share)]


def _constants(data: Data) -> list[Finding]:
    """Columns that hold one value only."""
    names = [column.name for column in data.inputs if _single(data.train[column.name])]
    if not names:
        return []
    hold = "holds" if len(names) == 1 else "hold"
    what = f"{_many(len(names), 'column')} {hold} a single value and can tell nothing: {_listed(names)}."
    return [Finding("low", names[0] if len(names) == 1 else None, what, len(names) / len(data.inputs))]


def _single(values: pd.Series) -> bool:
    """Return whether all values are the same, or all are missing."""
    return values.empty or bool(values.isna().all() or (values == values.iloc[0]).all())


def _twins(data: Data) -> list[Finding]:
    """Pairs of columns that hold the same."""
    found = []
    numbers = [c.name for c in data.inputs if c.kind == "number" and data.sample[c.name].nunique() > 1]
    if len(numbers) > 1:
        matrix = data.sample[numbers].to_numpy(dtype="float64")
        matrix = matrix - np.nanmean(matrix, axis=0)
        matrix = np.nan_to_num(matrix / np.maximum(np.nanstd(matrix, axis=0), 1e-300))
        together = matrix.T @ matrix / np.sqrt(np.outer((matrix**2).sum(axis=0), (matrix**2).sum(axis=0)))
        for left, right in zip(*np.nonzero(np.triu(np.abs(together) > ALIKE, 1)), strict=True):
            found.append(_twin(numbers[left], numbers[right], f"correlation {score(float(together[left, right]))}"))
    coded: dict[bytes, str] = {}
    for column in data.inputs:
        if column.kind == "category" and data.sample[column.name].nunique() > 1:
            first = coded.setdefault(pd.factorize(data.sample[column.name])[0].tobytes(), column.name)
            if first != column.name:
                found.append(_twin(first, column.name, "each category of one goes with one of the other"))
    return found


def _twin(left: str, right: str, why: str) -> Finding:
    return Finding("low", right, f"{right!r} holds nearly the same as {left!r} ({why}): one of them is enough.", 0.5)


# Missing values, classes, times, kinds


def _missing(data: Data) -> list[Finding]:
    """Columns with many missing values, and those whose missing values go with the target."""
    found: list[Finding] = []
    few: list[str] = []
    for column in data.inputs:
        share = float(data.train[column.name].isna().mean())
        tells = _missing_tells(data, column.name) if share else None
        if tells:
            found.append(tells)
        elif share > 0.05:
            what = f"{column.name!r} is missing in {percent(share)} of the training rows."
            found.append(Finding("medium" if share > 0.4 else "low", column.name, what, share))
        elif share:
            few.append(column.name)
    if few:
        most = max(float(data.train[name].isna().mean()) for name in few)
        lack = "lacks" if len(few) == 1 else "lack"
        what = f"{_many(len(few), 'column')} {lack} up to {percent(most)} of the values: {_listed(few)}."
        found.append(Finding("low", few[0] if len(few) == 1 else None, what, 0.0))
    return found


def _missing_tells(data: Data, name: str) -> Finding | None:
    """A finding where values are missing more often for one class, or where the target is higher without them."""
    gone = data.sample[name].isna().to_numpy()
    if data.target is None or min(gone.sum(), (~gone).sum()) < 10:
        return None
    if not data.schema.classes:
        return _missing_shifts(data, name, gone)
    table = pd.crosstab(data.target, gone).to_numpy(dtype="float64")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    freedom = len(table) - 1
    surprise = (float(((table - expected) ** 2 / expected).sum()) - freedom) / math.sqrt(2 * freedom)
    shares = pd.Series(gone).groupby(data.target).mean()
    low, high = float(shares.min()), float(shares.max())
    if surprise < 6 or high - low < 0.1:
        return None
    classes = data.schema.classes
    most, least = (str(classes[int(shares.index[int(place)])]) for place in (shares.argmax(), shares.argmin()))
    what = (
        f"{name!r} is missing in {percent(high)} of the rows of class {most!r} but in {percent(low)} of {least!r}: "
        "that it is missing tells the target. Is it filled in afterwards?"
    )
    return Finding("high" if high - low > 0.9 else "medium", name, what, 1 + high - low)


def _missing_shifts(data: Data, name: str, gone: NDArray[np.bool_]) -> Finding | None:
    truth = np.asarray(data.target, dtype="float64")
    without, with_it = truth[gone], truth[~gone]
    spread = float(truth.std()) or 1.0
    shift = float(without.mean() - with_it.mean()) / spread
    if abs(shift) < 0.3 or abs(shift) / math.sqrt(1 / len(without) + 1 / len(with_it)) < 5:
        return None
    what = (
        f"{name!r} is missing in {percent(float(gone.mean()))} of the rows, and there {data.schema.target!r} is "
        f"{number(float(without.mean()))} on average, else {number(float(with_it.mean()))}: that it is missing tells "
        "the target."
    )
    return Finding("high" if abs(shift) > 2 else "medium", name, what, 1 + abs(shift))


def _classes(data: Data) -> list[Finding]:
    """Classes that are rare, or have few rows to learn from."""
    if not data.schema.classes or data.target is None or data.train.empty:
        return []
    counts = np.bincount(data.train[str(data.schema.target)].astype("int64"), minlength=len(data.schema.classes))
    least, share, found = int(counts.argmin()), float(counts.min() / counts.sum()), []
    if share < min(SMALLEST_CLASS, 0.5 / len(counts)):
        what = (
            f"The class {str(data.schema.classes[least])!r} makes up {percent(share)} of the training rows "
            f"({number(int(counts[least]))} of {number(int(counts.sum()))}): accuracy says little, look at precision "
            "and recall."
        )
        found.append(Finding("medium" if share >= 0.01 else "high", data.schema.target, what, 1 - share))
    few = np.nonzero(counts < FEWEST_ROWS)[0]
    if len(few):
        names = ", ".join(f"{str(data.schema.classes[code])!r} ({counts[code]})" for code in few[:12])
        more = f" and {len(few) - 12} more" if len(few) > 12 else ""
        count = "1 class" if len(few) == 1 else f"{len(few)} classes"
        what = f"{count} with fewer than {FEWEST_ROWS} training rows: {names}{more}. Intervals will be wide."
        found.append(Finding("medium" if counts.min() < 20 else "low", data.schema.target, what, 0.5))
    return found


def _moved(data: Data) -> list[Finding]:
    """Columns whose values differ between the earlier and the later half of the training rows."""
    times = [column.name for column in data.schema.columns if column.role == "time" and column.name in data.train]
    if not times or len(data.sample) < 40:
        return []
    order = data.sample[times[0]].argsort(kind="stable").to_numpy()
    half = len(order) // 2
    found = []
    wanted = [c for c in data.schema.columns if c.name in data.train and c.role in ("input", "target")]
    for column in wanted:
        values = data.sample[column.name]
        words = column.kind == "category" or (column.role == "target" and bool(data.schema.classes))
        index = stability_index(values.iloc[order[:half]], values.iloc[order[half:]], words=words)
        if index > MOVED:
            what = (
                f"{column.name!r} moved between the earlier and the later half of the training rows "
                f"(population stability index {score(index)}, above {MOVED}): validate by time."
            )
            found.append(Finding("medium" if column.role == "target" or index > 1 else "low", column.name, what, index))
    return found


def stability_index(before: pd.Series, after: pd.Series, *, words: bool) -> float:
    """Return the population stability index of (n,) and (m,) values, less what chance alone makes of it; at least 0.

    Numbers are counted in tenths of `before`, words by category (the 20 commonest); missing is a place of its own.
    """
    if words:
        common = before.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[:20]
        places = [np.where(values.isna(), -2, common.get_indexer(pd.Index(values))) for values in (before, after)]
    else:
        both = [_numbers(values) for values in (before, after)]
        edges = (
            np.unique(np.nanquantile(both[0], np.arange(1, 10) / 10)) if not np.isnan(both[0]).all() else np.zeros(0)
        )
        places = [np.where(np.isnan(one), -2, np.searchsorted(edges, one, side="left")) for one in both]
    kinds = np.unique(np.concatenate(places))
    shares = []
    for place in places:
        counts = (place[:, None] == kinds[None, :]).sum(axis=0) + 0.5
        shares.append(counts / counts.sum())
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    return max(0.0, index - (len(kinds) - 1) * (1 / len(before) + 1 / len(after)))


def _mixed(data: Data) -> list[Finding]:
    """Columns of words that are mostly numbers."""
    found = []
    for column in data.schema.columns:
        if (
            column.kind != "category"
            or column.name not in data.raw
            or pd.api.types.is_bool_dtype(data.raw[column.name])
        ):
            continue
        counts = data.raw[column.name].value_counts()
        words = pd.Series(counts.index.astype(str)).str.strip()
        counts = pd.Series(counts.to_numpy(), index=words)[(~words.isin(data.schema.blanks)).to_numpy()]
        is_number = np.asarray(pd.to_numeric(pd.Series(counts.index), errors="coerce").notna())
        share = float(counts[is_number].sum() / counts.sum()) if len(counts) else 0.0
        if 0.2 <= share < 1:
            odd = counts[~is_number].sort_index().sort_values(ascending=False, kind="stable")
            what = (
                f"{column.name!r} mixes numbers ({percent(share)} of its values) and words "
                f"(such as {_listed(list(odd.index[:3]))}). "
                "If a word means missing, name it under problem.data.missing; else it stays a category."
            )
            found.append(Finding("medium" if share > 0.8 else "low", column.name, what, share))
    return found


def _outliers(data: Data) -> list[Finding]:
    """Numbers far beyond the middle half, also on a logarithmic scale where none is below zero."""
    found = []
    for column in data.inputs:
        values = data.train[column.name].dropna()
        if column.kind != "number" or len(values) < 20:
            continue
        numbers = _numbers(values)
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
    odd = numbers[far]
    furthest = float(odd[np.abs(odd - np.median(numbers)).argmax()])
    verb = "lies" if len(odd) == 1 else "lie"
    what = (
        f"{_many(len(odd), 'value')} of {name!r} {verb} more than {FAR} interquartile ranges outside the middle half, "
        f"the furthest {number(furthest)} (median {number(float(np.median(numbers)))})."
    )
    if len(odd) > 2 and len(np.unique(odd)) == 1:
        return Finding("medium", name, f"{what} All of them are the same: a word for missing?", float(far.mean()))
    return Finding("low", name, what, float(far.mean()))


CHECKS: tuple[Callable[[Data], list[Finding]], ...] = (
    _leaks,
    _conflicts,
    _duplicates,
    _missing,
    _classes,
    _moved,
    _mixed,
    _outliers,
    _twins,
    _constants,
)

# What each column holds


def columns(train: pd.DataFrame, schema: Schema) -> list[Look]:
    """Return each column of the schema as the page shows it: the target first, then in their order."""
    data = Data(train, train, schema)
    ordered = sorted(schema.columns, key=lambda column: column.role != "target")
    return [_look(data, column) for column in ordered if column.name in train]


def _look(data: Data, column: Column) -> Look:
    values = data.train[column.name]
    told = None
    if column.role == "input" and data.target is not None:
        told = strength(data.sample[column.name], column, data.target, data.schema)
    classed = column.role == "target" and bool(data.schema.classes)
    if classed:
        values = pd.Series(pd.Index(data.schema.classes)[data.train[column.name].astype("int64")].astype(str))
    missing, distinct = float(values.isna().mean()) if len(values) else 0.0, int(values.nunique())
    if column.kind == "category" or classed:
        picture, holds = _words(data, values, column.name, split=not classed)
    else:
        picture, holds = _range(data, values, column, distinct, split=column.role != "target")
    return Look(column.name, column.kind, column.role, missing, distinct, picture, holds, told)


def _words(data: Data, values: pd.Series, name: str, *, split: bool) -> tuple[str, str]:
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    top = counts.index[:BINS]
    places = pd.Index(top).get_indexer(values)
    total = max(int(counts.sum()), 1)
    holds = ", ".join(f"{word} {percent(count / total)}" for word, count in zip(top[:3], counts.iloc[:3], strict=True))
    parts = _counted(data, places, max(len(top), 1), split=split)
    return tiny(parts, title=f"{name}: rows by category"), holds + (", …" if len(counts) > 3 else "")


def _range(data: Data, values: pd.Series, column: Column, distinct: int, *, split: bool) -> tuple[str, str]:
    known = values.dropna()
    if known.empty:
        return "", "nothing"
    numbers = _numbers(values)
    low, high = np.nanquantile(numbers, [0.005, 0.995])
    if np.nanmax(numbers) - np.nanmin(numbers) <= 4 * (high - low) or low == high:
        low, high = np.nanmin(numbers), np.nanmax(numbers)
    bins = min(BINS, distinct)
    scaled = (np.clip(numbers, low, high) - low) / ((high - low) or 1.0) * bins
    places = np.where(np.isnan(scaled), -1, np.minimum(np.nan_to_num(scaled), bins - 1)).astype("int64")
    middle = known.sort_values().iloc[(len(known) - 1) // 2] if column.kind == "time" else float(known.median())
    days = column.kind == "time" and known.max() - known.min() > pd.Timedelta(days=7)
    holds = " · ".join(_shown(value, days) for value in (known.min(), middle, known.max()))
    return tiny(_counted(data, places, bins, split=split), title=f"{column.name}: rows by value"), holds


def _shown(value: Any, days: bool) -> str:
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if days else value.isoformat(" ")
    return number(float(value))


def _counted(data: Data, places: NDArray[Any], bins: int, *, split: bool) -> list[list[int]]:
    """Return the rows in each of the bins (place -1: none), by class where there are few."""
    if not split or not 2 <= len(data.schema.classes) <= 6 or data.schema.target not in data.train.columns:
        return [np.bincount(places[places >= 0], minlength=bins).tolist()]
    truth = data.train[data.schema.target].to_numpy()
    codes: Iterable[int] = range(len(data.schema.classes))
    return [np.bincount(places[(places >= 0) & (truth == code)], minlength=bins).tolist() for code in codes]


def page(name: str, rows: dict[str, int], found: list[Finding], looks: list[Look], schema: Schema) -> str:
    """Return the page: findings in words, then a line a column.

    Args:
        name: the name of the problem.
        rows: `raw` and `train`, the number of rows of each table.
        found: what `explore` returned.
        looks: what `columns` returned.
        schema: for the classes.
    """
    return render(
        "explore.html",
        name=name,
        rows=rows,
        sampled=MOST_ROWS if rows["train"] > MOST_ROWS else None,
        findings=[finding.to_dict() for finding in found],
        looks=looks,
        classes=schema.classes if 2 <= len(schema.classes) <= 6 else [],
        target=schema.target,
    )
