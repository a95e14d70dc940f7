"""How far parts of the training rows were from the whole: what has come and gone before is no drift.

Parts are those of the calendar (hour of the day, weekday, month of the year), and twelve of the same size in the order
of time. Of each column the farthest part is kept, where chance does not explain it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.distances import noise, psi

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 200  # rows of a part
MOST = 200_000  # rows that are looked at, evenly spaced
TWELFTHS = 12


def seen(
    columns: Mapping[str, np.ndarray], spreads: Mapping[str, Any], times: pd.Series
) -> dict[str, dict[str, float]]:
    """Return for each column {psi, missing}: the farthest that a part of the rows was from all of them.

    Args:
        columns: (n,) numbers or words, NaN or None where missing; texts as their numbers of words.
        spreads: what `profile` says of them.
        times: (n,) when the rows were.
    """
    places = np.arange(len(times))[:: max(1, -(-len(times) // MOST))]
    groups = list(_groups(times.iloc[places]))
    return {name: _farthest(values[places], spreads[name], groups) for name, values in columns.items()}


def _groups(times: pd.Series) -> Iterator[np.ndarray]:
    """Yield (n,) codes of parts, those of one kind together; -1 for a part with too few rows."""
    ranks = times.rank(method="first").to_numpy()
    yield _large(np.floor((ranks - 1) * TWELFTHS / max(len(ranks), 1)).astype("int64"))
    for part in ("hour", "day_of_week", "month"):
        codes = _large(getattr(times.dt, part).fillna(-1).to_numpy().astype("int64"))
        if len(np.unique(codes[codes >= 0])) > 1:
            yield codes


def _large(codes: np.ndarray) -> np.ndarray:
    """Return the codes with those of small parts taken out."""
    counts = np.bincount(codes[codes >= 0], minlength=1)
    return np.where((codes >= 0) & (counts[np.maximum(codes, 0)] >= FEWEST), codes, -1)


def _farthest(values: np.ndarray, spread: Mapping[str, Any], groups: list[np.ndarray]) -> dict[str, float]:
    codes, bins = _binned(values, spread)
    tables = [_table(group, codes, bins) for group in groups]
    parts = [(line, table.sum(axis=0)) for table in tables for line in table if line.sum()]
    level = 0.05 / max(len(parts), 1)
    return {
        "psi": max((_beyond_chance(part[:-1], whole[:-1], level) for part, whole in parts), default=0.0),
        "missing": max((_missing(part, whole) for part, whole in parts), default=0.0),
    }


def _table(group: np.ndarray, codes: np.ndarray, bins: int) -> np.ndarray:
    """Return (parts, bins + 1) counts; the last column counts the missing values."""
    used = group >= 0
    count = int(group.max(initial=-1)) + 1
    flat = np.bincount(group[used] * (bins + 1) + codes[used], minlength=count * (bins + 1))
    return flat.reshape(count, bins + 1)


def _binned(values: np.ndarray, spread: Mapping[str, Any]) -> tuple[np.ndarray, int]:
    """Return ((n,) codes of the bins of the profile, how many there are); missing values come after the last."""
    import pandas as pd

    missing = pd.isna(values)
    if spread["kind"] == "category":
        bins = len(spread["counts"]) + 1
        codes = pd.Index(list(spread["counts"])).get_indexer(pd.Index(np.where(missing, "", values)))
        return np.where(missing, bins, np.where(codes < 0, bins - 1, codes)), bins
    edges = np.array(spread["edges"])
    codes = np.searchsorted(edges, values.astype("float64"), side="right")
    return np.where(missing, len(edges) + 1, codes), len(edges) + 1


def _beyond_chance(part: np.ndarray, whole: np.ndarray, level: float) -> float:
    """Return the index without what chance adds to it, 0 where chance explains all of it."""
    if not part.sum():
        return 0.0
    found, bins = psi(whole, part), int((whole > 0).sum())
    return max(found - (bins - 1) / int(part.sum()), 0.0) if found > noise(whole, part, level) else 0.0


def _missing(part: np.ndarray, whole: np.ndarray) -> float:
    """Return how far the share of missing values is from that of all rows, less five standard errors."""
    rows, share = int(part.sum()), whole[-1] / whole.sum()
    apart = abs(part[-1] / rows - share)
    return float(apart) if apart > 5 * (share * (1 - share) / rows) ** 0.5 else 0.0
