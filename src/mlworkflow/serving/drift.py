"""How far new rows are from the rows learnt from: the population stability index of each column, and its noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.distances import noise, psi
from mlworkflow.rows.profile import bin_counts, lengths

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05  # of all columns together: how often rows without drift may pass the noise
COLUMNS = ["column", "kind", "rows", "psi", "noise", "missing", "missing_change", "out_of_range", "new", "new_words"]


def drift(reference: dict[str, Any], table: pd.DataFrame, predictions: pd.Series | None = None) -> pd.DataFrame:
    """Return a row a column, furthest drifted first: its index with noise, and what was not seen in training.

    Args:
        reference: what `profile` returned.
        table: typed new rows, with the columns of the profile.
        predictions: the model's for these rows; they come as the column `(predictions)`.

    Returns:
        column, kind, rows (not missing), psi, noise, missing (share), missing_change (share now minus share then),
        out_of_range (share of the values outside the training rows' range), new (share of the values whose category
        training never saw), new_words (up to five of them).
    """
    import pandas as pd

    pairs = [(name, then, table[name]) for name, then in reference["columns"].items()]
    if predictions is not None and reference["predictions"] is not None:
        pairs.append(("(predictions)", reference["predictions"], predictions))
    level = LEVEL / max(len(pairs), 1)  # Bonferroni
    lines = [{"column": name, **column_drift(then, values, level)} for name, then, values in pairs]
    order = sorted(lines, key=lambda line: (-line["psi"], line["column"]))
    return pd.DataFrame(order, columns=COLUMNS)


def column_drift(then: dict[str, Any], values: pd.Series, level: float = LEVEL) -> dict[str, Any]:
    """Return the drift of one column against its profile; of text that of the number of words."""
    known = (lengths(values) if then["kind"] == "text" else values).dropna()
    missing = len(values) - len(known)
    told = _categories(then, known.astype("str")) if then["kind"] == "category" else _numbers(then, known)
    expected, found = [*told.pop("expected"), then["missing"]], [*told.pop("found"), missing]
    share = missing / len(values) if len(values) else 0.0
    return {
        "kind": then["kind"],
        "rows": len(known),
        "psi": psi(expected, found),
        "noise": noise(expected, found, level),
        "missing": share,
        "missing_change": share - then["missing"] / then["rows"] if then["rows"] and len(values) else 0.0,
        **told,
    }


def _numbers(then: dict[str, Any], known: pd.Series) -> dict[str, Any]:
    found = bin_counts(known.to_numpy(dtype="float64"), np.array(then["edges"]))
    outside = (found[0] + found[-1]) / max(len(known), 1) if then["edges"] else 0.0
    return {"expected": then["counts"], "found": found, "out_of_range": float(outside), "new": 0.0, "new_words": ""}


def _categories(then: dict[str, Any], known: pd.Series) -> dict[str, Any]:
    counts = known.value_counts()
    shown = [int(counts.get(name, 0)) for name in then["counts"]]
    fresh = counts[~counts.index.isin(then["known"])] if then["known"] or not then["distinct"] else counts[:0]
    words = sorted(fresh.index, key=lambda word: (-int(fresh[word]), word))[:5]
    return {
        "expected": [*then["counts"].values(), then["other"]],
        "found": [*shown, len(known) - sum(shown)],
        "out_of_range": 0.0,
        "new": float(fresh.sum() / max(len(known), 1)),
        "new_words": ", ".join(words),
    }
