"""Slices: where the model is worse than on the whole, by category and by quarter of each column."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.intervals import intervals
from mlworkflow.measures.metrics import NAN, gain, score
from mlworkflow.rows.profile import lengths

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from mlworkflow.measures.metrics import Scored

Slice = tuple[str, "NDArray[Any]"]  # label, mask (n,)
COLUMNS = ["column", "slice", "rows", "share", "value", "gap", "low", "high", "too_small"]
MOST_COLUMNS, MOST_CATEGORIES, LONGEST = 20, 10, 40
RESAMPLES, SAMPLE = 200, 2000  # of a slice with more rows, 2000 drawn ones give the interval's width


def slices(
    inputs: pd.DataFrame,
    scored: Scored,
    metric: str,
    *,
    important: list[str],
    texts: Collection[str] = (),
    fewest: int = 30,
    seed: int,
) -> pd.DataFrame:
    """Return the metric on each slice of the rows, worst first; gap > 0: worse than on all rows; too small ones last.

    Slices: each of the 10 most frequent categories and the others together, each quarter of a column of numbers or
    times, and missing values; a column of `texts` by its number of words; of the first 20 `important` columns (of all,
    where none is named). low and high: 95% interval. too_small: fewer than `fewest` rows, or no value. inputs: n rows
    in the order of `scored`.
    Clusters have no slices: the table is empty.
    """
    import pandas as pd

    if scored.truth.ndim > 1 or not len(scored):
        return pd.DataFrame([], columns=COLUMNS)
    whole = score([metric], scored).get(metric, NAN)
    lines = []
    for name, label, mask in parts(inputs, important, texts):
        line = {"column": name, "slice": label, "rows": int(mask.sum()), "share": float(mask.mean())}
        lines.append(line | _measured(metric, scored.take(mask), whole, fewest, seed))
    table = pd.DataFrame(lines, columns=COLUMNS)
    return table.sort_values(["too_small", "gap"], ascending=[True, False], kind="stable", ignore_index=True)


def parts(
    inputs: pd.DataFrame, important: Sequence[str], texts: Collection[str] = ()
) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield (column, label, (n,) mask) of each slice of the rows: see `slices`."""
    for name in [name for name in important or inputs.columns if name in inputs.columns][:MOST_COLUMNS]:
        column = lengths(inputs[name]).rename(f"words of {name}") if name in texts else inputs[name]
        for label, mask in _slices_of(column):
            yield str(name), label, mask


def _measured(metric: str, part: Scored, whole: float, fewest: int, seed: int) -> dict[str, Any]:
    """Return value, gap to the whole in the bad direction, interval, and whether the slice is too small to tell."""
    value = score([metric], part)[metric]
    low, high = _interval(metric, part, value, seed)
    too_small = len(part) < fewest or bool(np.isnan(value))
    return {"value": value, "gap": gain(metric, whole, value), "low": low, "high": high, "too_small": too_small}


def _interval(metric: str, part: Scored, value: float, seed: int) -> tuple[float, float]:
    """Return (low, high); of many rows from some drawn ones, its halves shrunk by the root of their share."""
    n = len(part)
    sample = part if n <= SAMPLE else part.take(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
    found = intervals([metric], sample, seed=seed, resamples=RESAMPLES)["metrics"][metric]
    shrink = float(np.sqrt(len(sample) / n)) if n else 1.0
    return value + (found["low"] - found["value"]) * shrink, value + (found["high"] - found["value"]) * shrink


def _slices_of(column: pd.Series[Any]) -> Iterator[Slice]:
    """Yield the slices of one column; together they hold every row once."""
    import pandas.api.types as types

    missing = column.isna().to_numpy()
    ordered = types.is_numeric_dtype(column) and not types.is_bool_dtype(column)
    ordered = ordered or types.is_datetime64_any_dtype(column)
    if ordered and column.nunique() > MOST_CATEGORIES:
        yield from _quarters(column)
    else:
        yield from _categories(column)
    if missing.any():
        yield _short(str(column.name), " is missing"), missing


def _categories(column: pd.Series[Any]) -> Iterator[Slice]:
    """Yield the most frequent categories (ties in the order of their names), then all others as one slice."""
    words = column.astype(object).map(str, na_action="ignore")
    counts = words.value_counts()
    ranked = sorted(counts.index, key=lambda word: (-counts[word], word))
    kept = ranked[:MOST_CATEGORIES]
    taken: set[str] = set()
    for word in kept:
        label = _short(str(column.name), f" = {word}")
        if label in taken:
            label = _short(label, f" #{len(taken) + 1}")
        taken.add(label)
        yield label, (words == word).fillna(False).to_numpy(dtype=bool)
    if len(ranked) > len(kept):
        others = words.notna() & ~words.isin(kept)
        yield _short(str(column.name), " = other"), others.to_numpy(dtype=bool)


def _quarters(column: pd.Series[Any]) -> Iterator[Slice]:
    """Yield the quarters of a column of numbers or times; equal quartiles make fewer."""
    edges = sorted({edge for edge in column.quantile([0.25, 0.5, 0.75], interpolation="lower") if edge < column.max()})
    written, name = _written(edges), str(column.name)
    labels = [f" ≤ {written[0]}"] if written else [" any"]
    labels += [f" in ({low}, {high}]" for low, high in pairwise(written)]
    labels += [f" > {written[-1]}"] if written else []
    for label, low, high in zip(labels, [None, *edges], [*edges, None], strict=True):
        inside = column.notna()
        if low is not None:
            inside &= column > low
        if high is not None:
            inside &= column <= high
        yield _short(name, label), inside.fillna(False).to_numpy(dtype=bool)


def _written(edges: list[Any]) -> list[str]:
    """Return the edges in as few digits as tell them apart, at least three; times as days or to the second."""
    if edges and hasattr(edges[0], "strftime"):
        days = [edge.strftime("%Y-%m-%d") for edge in edges]
        return days if len(set(days)) == len(edges) else [edge.strftime("%Y-%m-%d %H:%M:%S") for edge in edges]
    for digits in range(3, 17):
        texts = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(texts)) == len(edges):
            break
    return texts


def _short(name: str, rest: str) -> str:
    """Return name + rest in at most 40 characters, cutting the longer of the two with an ellipsis."""
    over = len(name) + len(rest) - LONGEST
    if over <= 0:
        return name + rest
    if len(name) >= len(rest):
        keep = max(len(name) - over - 1, 12)
        name = name[:keep] + "…"
    return (name + rest) if len(name + rest) <= LONGEST else (name + rest)[: LONGEST - 1] + "…"
