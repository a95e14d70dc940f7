"""The reference profile: how the training rows are spread, kept in the bundle so that drift can be told later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.rows.schema import Schema

DECILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
MOST_SHOWN = 50  # categories with a count of their own
MOST_KNOWN = 1000  # categories whose names are kept, to tell new ones


def profile(table: pd.DataFrame, schema: Schema, predictions: pd.Series | None = None) -> dict[str, Any]:
    """Return how the inputs of the typed `table`, and the model's predictions, are spread; plain JSON, no clock.

    Dates have no profile of their own: new rows are always later. `predictions` are values, probabilities or classes.
    What the bundle keeps has more beside it (bundling/reference.py).
    """
    kinds = {column.name: column.kind for column in schema.inputs if column.kind != "time"}
    columns = {
        name: text_profile(table[name]) if kind == "text" else column_profile(table[name])
        for name, kind in kinds.items()
    }
    return {
        "rows": len(table),
        "columns": columns,
        "predictions": None if predictions is None or predictions.empty else column_profile(predictions),
    }


def column_profile(values: pd.Series) -> dict[str, Any]:
    """Return the spread of one column: counts between deciles for numbers, counts by name for categories."""
    from pandas.api.types import is_numeric_dtype

    known = values.dropna()
    head = {"rows": len(values), "missing": len(values) - len(known)}
    if is_numeric_dtype(values):
        return {"kind": "number", **head, **_numbers(known.to_numpy(dtype="float64"))}
    return {"kind": "category", **head, **_categories(known.astype("str"))}


def text_profile(values: pd.Series) -> dict[str, Any]:
    """Return the spread of the number of words in each text; no text is kept."""
    return column_profile(lengths(values)) | {"kind": "text"}


def lengths(values: pd.Series) -> pd.Series:
    """Return the (n,) number of words in each text, missing where the text is."""
    import pandas as pd

    counts = [len(str(text).split()) for text in values]
    return pd.Series(counts, index=values.index, dtype="float64").where(values.notna())


def _numbers(values: np.ndarray) -> dict[str, Any]:
    """Counts in the bins that `edges` bound; the first and the last bin hold what is outside low..high: nothing yet."""
    if not len(values):
        return {"edges": [], "counts": [0], "mean": None, "std": None, "low": None, "high": None, "fine": None}
    edges = bin_edges(values)
    spread = {"mean": values.mean(), "std": values.std(), "low": values.min(), "high": values.max()}
    return {
        "edges": edges.tolist(),
        "counts": bin_counts(values, edges).tolist(),
        **{name: float(value) for name, value in spread.items()},
        "fine": _fine(values, edges),
    }


def _fine(values: np.ndarray, edges: np.ndarray) -> dict[str, Any]:
    """Return finer bins, between percentiles: their edges, and the count and sum of the values of each."""
    cuts = np.unique([*np.quantile(values, np.arange(101) / 100, method="inverted_cdf"), *edges])
    counts, sums = bin_sums(values, cuts)
    return {"edges": cuts.tolist(), "counts": counts.tolist(), "sums": sums.tolist()}


def bin_sums(values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the (len(edges) + 1,) number of values in each bin of `bin_counts`, and their sums."""
    codes = np.searchsorted(edges, values, side="right")
    return np.bincount(codes, minlength=len(edges) + 1), np.bincount(codes, values, minlength=len(edges) + 1)


def bin_edges(values: np.ndarray) -> np.ndarray:
    """Return the ascending edges of bins: each value where there are few, else deciles; then just above the highest."""
    distinct = np.unique(values)
    few = len(distinct) <= len(DECILES) + 1
    inner = distinct if few else np.quantile(values, [0.0, *DECILES], method="inverted_cdf")
    return np.unique([*inner, np.nextafter(distinct[-1], np.inf)])


def bin_counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the (len(edges) + 1,) number of values below the first edge, between the edges, from the last edge on."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def _categories(words: pd.Series) -> dict[str, Any]:
    counts = sorted(words.value_counts().items(), key=lambda pair: (-pair[1], str(pair[0])))
    shown = {str(name): int(count) for name, count in counts[:MOST_SHOWN]}
    known = sorted(str(name) for name, _ in counts) if len(counts) <= MOST_KNOWN else []
    return {"counts": shown, "other": len(words) - sum(shown.values()), "distinct": len(counts), "known": known}
