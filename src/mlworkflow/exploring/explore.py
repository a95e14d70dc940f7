"""Look at the data and change nothing: what is doubtful in it, what each column holds, and the page that shows both.

A check is a function `(data) -> list[Finding]`; their thresholds are chosen so that clean tables stay quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlworkflow.exploring import chance, changes, findings, gaps, leaks, oddities, repeats
from mlworkflow.exploring.associations import Strength, as_numbers, commonest, strength
from mlworkflow.exploring.findings import Columns, Data, Finding, capped, worst_first
from mlworkflow.pages.charts import thinned, tiny
from mlworkflow.pages.templates import number, percent, render
from mlworkflow.rows.schema import cast
from mlworkflow.rows.split import is_test

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.core.problem import Data as DataSection
    from mlworkflow.core.problem import Split
    from mlworkflow.rows.schema import Column, Schema

BINS = 24
MOST_READ = 10_000  # evenly spaced rows whose words are counted
WORD = r"[^\W\d_]{4,}"  # letters, long enough to mean something
LONGEST = 40  # letters of a category that are shown
MOST_COLOURS = 6  # classes told apart in a picture
CHECKS: tuple[Callable[[Data], list[Finding]], ...] = (
    leaks.leaks,
    leaks.future,
    chance.nothing_tells,
    repeats.conflicts,
    repeats.across_split,
    repeats.duplicates,
    repeats.collisions,
    gaps.missing,
    changes.missing_moved,
    changes.units,
    changes.hours,
    changes.label_shift,
    changes.moved,
    oddities.classes,
    oddities.decimals,
    oddities.mixed,
    oddities.outliers,
    repeats.twins,
    repeats.constants,
)


def explore(
    raw: Columns,
    train: pd.DataFrame,
    schema: Schema,
    test: NDArray[np.bool_] | None = None,
    *,
    by_time: bool = False,
) -> list[Finding]:
    """Return what is suspicious in the table, the worst first; the tables stay as they are.

    Args:
        raw: all rows as they were collected.
        train: the prepared training rows, the target of a classification as codes.
        schema: their schema.
        test: (raw rows,) which of them are test rows, as `test_side` returns it.
        by_time: whether the rows are split by time already, which is no advice then.
    """
    data = Data(raw, train, schema, test, by_time)
    return worst_first(finding for check in CHECKS for finding in capped(check(data)))


def test_side(raw: Columns, schema: Schema, problem: DataSection, split: Split) -> NDArray[np.bool_] | None:
    """Return which raw rows are test rows, or None where equal rows are on one side whatever they are."""
    deciding = {"hash": problem.group or problem.key, "time": problem.time, "column": split.column}[split.scheme]
    wanted = deciding if isinstance(deciding, list) else [str(deciding)]
    if not wanted or not set(wanted) <= set(raw.columns):
        return None
    table = pd.DataFrame({name: cast(pd.DataFrame({name: raw[name]}), schema, only=[name])[name] for name in wanted})
    return is_test(table, problem, split)


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
    if column.role == "key":
        picture, holds = "", "not shown: it says whom a row is about"
    elif column.kind == "text":
        picture, holds = _lengths(data, values, column.name)
    elif column.kind == "category" or classed:
        picture, holds = _words(data, values, column.name, split=not classed)
    else:
        picture, holds = _range(data, values, column, distinct, split=column.role != "target")
    return Look(column.name, column.kind, column.role, missing, distinct, picture, holds, told)


def _words(data: Data, values: pd.Series, name: str, *, split: bool) -> tuple[str, str]:
    counts = commonest(values.value_counts())
    if len(counts) > BINS and counts.iloc[0] == 1:
        return "", "each value once"
    top = counts.index[:BINS]
    places = pd.Index(top).get_indexer(values)
    total = max(int(counts.sum()), 1)
    shown = zip(top[:3], counts.iloc[:3], strict=True)
    holds = ", ".join(f"{_cut(str(word))} {percent(count / total)}" for word, count in shown)
    parts = _counted(data, places, max(len(top), 1), split=split)
    return tiny(parts, title=f"{name}: rows by category"), holds + (", …" if len(counts) > 3 else "")


def _cut(word: str) -> str:
    return word if len(word) <= LONGEST else word[: LONGEST - 1] + "…"


def _lengths(data: Data, values: pd.Series, name: str) -> tuple[str, str]:
    """Return the rows by the number of words, on a logarithmic scale, and the words that most rows have."""
    known = values.dropna().astype("str")
    if known.empty:
        return "", "nothing"
    lengths = known.str.count(r"\S+").to_numpy(dtype="float64")
    places = np.full(len(values), -1)
    most = float(np.log1p(lengths.max())) or 1.0
    places[values.notna().to_numpy()] = np.minimum(np.log1p(lengths) / most * BINS, BINS - 1).astype("int64")
    some = known.iloc[thinned(len(known), MOST_READ)]
    words = some.str.lower().str.findall(WORD).map(lambda found: sorted(set(found))).explode().value_counts()
    shown = ", ".join(f"{word} {percent(count / len(some))}" for word, count in commonest(words).iloc[:3].items())
    holds = (
        f"{number(lengths.min())} · {number(float(np.median(lengths)))} · {number(lengths.max())} words; most rows: "
    )
    return tiny(_counted(data, places, BINS, split=True), title=f"{name}: rows by words"), holds + (shown or "none")


def _range(data: Data, values: pd.Series, column: Column, distinct: int, *, split: bool) -> tuple[str, str]:
    known = values.dropna()
    if known.empty:
        return "", "nothing"
    numbers = as_numbers(values)
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
    if not split or not 2 <= len(data.schema.classes) <= MOST_COLOURS or data.schema.target not in data.train.columns:
        return [np.bincount(places[places >= 0], minlength=bins).tolist()]
    truth = data.train[data.schema.target].to_numpy()
    own = (places[(places >= 0) & (truth == code)] for code in range(len(data.schema.classes)))
    return [np.bincount(one, minlength=bins).tolist() for one in own]


def page(name: str, rows: dict[str, int], found: list[Finding], looks: list[Look], schema: Schema) -> str:
    """Return the page: findings in words, then a line a column.

    Args:
        name: the name of the problem.
        rows: `raw` and `train`, the number of rows of each table, and `looked`, the training rows that were looked at.
        found: what `explore` returned.
        looks: what `columns` returned.
        schema: for the classes.
    """
    return render(
        "explore.html",
        name=name,
        rows=rows,
        sampled=findings.MOST_ROWS if rows["train"] > findings.MOST_ROWS else None,
        looked=rows.get("looked", rows["train"]),
        findings=[finding.to_dict() for finding in found],
        looks=looks,
        classes=schema.classes if 2 <= len(schema.classes) <= MOST_COLOURS else [],
        target=schema.target,
    )
