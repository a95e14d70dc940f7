"""The sketch of a window: all that is asked of its rows later, in counts; the rows themselves are read once.

Numbers are counted between the percentiles of the training rows, with the sum of each bin, so that a value beyond the
ends counts in full; categories by name. Of the rows a sample is kept, where the bundle has one to set it against: those
with the smallest hashes of their ids, so that neither the order of the rows nor the chunks that they come in matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mlworkflow.rows.arrays import Columns

SAMPLED = 1_000  # rows of the sample
CELLS, CROWD = 2_048, 6  # of a grid; edges that may lie in three of its cells
MOST_UNSEEN = 200  # different words that training never saw, of which counts are kept
Spread = Mapping[str, Any]  # what `profile` says of one column


@dataclass(frozen=True)
class Grid:
    """Finds the bins of many values in a third of the time of np.searchsorted.

    Equal cells between the ends say below how many edges a value is at least; the few edges of its cell are looked at
    one after the other. Where the edges crowd in a cell, np.searchsorted is asked.

    Attributes:
        edges: ascending, infinity at the end.
        first: for each cell the number of edges below the cell before it; one cell aside, rounding does no harm.
        steps: the most edges that are left to be looked at; None where they crowd.
        scale: cells a unit.
    """

    edges: np.ndarray
    first: np.ndarray
    steps: int | None
    scale: float

    @classmethod
    @lru_cache(maxsize=4_096)
    def of(cls, edges: tuple[float, ...]) -> Grid:
        """Return the grid of ascending edges."""
        padded = np.array([*edges, np.inf])
        wide = len(edges) > 1 and 0.0 < edges[-1] - edges[0] < np.inf
        scale = CELLS / (edges[-1] - edges[0]) if wide else 0.0
        if not 0.0 < scale < np.inf:
            return cls(padded, np.zeros(1, dtype="int64"), None, 0.0)
        starts = edges[0] + np.arange(-1, CELLS + 2) / scale  # of the cell before the first one, ..., after the last
        below = np.searchsorted(padded[:-1], starts, side="right")
        below[0], last = 0, np.append(below[2:], len(edges))
        steps = int((last[: CELLS + 1] - below[: CELLS + 1]).max())
        return cls(padded, below[: CELLS + 1], steps if steps <= CROWD else None, scale)

    def places(self, values: np.ndarray) -> np.ndarray:
        """Return np.searchsorted(edges, values, side="right") of (n,) finite values."""
        if self.steps is None:
            return np.asarray(np.searchsorted(self.edges[:-1], values, side="right"))
        with np.errstate(over="ignore"):
            cells = np.clip((values - self.edges[0]) * self.scale, 0, CELLS).astype("int64")
        found: np.ndarray = self.first[cells]
        for _ in range(self.steps):
            found += self.edges[found] <= values
        return found


@dataclass
class Numbers:
    """The counts and sums of the values of one column, in the bins between `edges`."""

    edges: np.ndarray
    counts: np.ndarray
    sums: np.ndarray
    missing: int = 0
    grid: Grid = field(init=False)

    def __post_init__(self) -> None:
        self.grid = Grid.of(tuple(self.edges.tolist()))

    @classmethod
    def empty(cls, spread: Spread) -> Numbers:
        """Return no values of a column of numbers, or of texts as their numbers of words."""
        fine = spread.get("fine") or {}
        edges = np.array(fine.get("edges", spread["edges"]), dtype="float64")
        return cls(edges, np.zeros(len(edges) + 1, dtype="int64"), np.zeros(len(edges) + 1))

    def add(self, values: np.ndarray) -> None:
        """Count (n,) values; NaN is missing."""
        known = values[np.isfinite(values)]
        bins, size = self.grid.places(known), len(self.counts)
        self.counts += np.bincount(bins, minlength=size)
        self.sums += np.bincount(bins, known, minlength=size)
        self.missing += len(values) - len(known)

    @property
    def known(self) -> int:
        """The number of values that are not missing."""
        return int(self.counts.sum())

    def between(self, edges: Sequence[float]) -> np.ndarray:
        """Return the counts in wider bins, whose edges are some of these."""
        if not len(edges):
            return np.array([self.known])
        starts = np.searchsorted(self.edges, edges) + 1
        return np.add.reduceat(self.counts, [0, *starts])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; the edges are the reference's."""
        return {"counts": self.counts.tolist(), "sums": self.sums.tolist(), "missing": self.missing}

    def take(self, told: Mapping[str, Any]) -> None:
        """Become what `to_dict` told."""
        self.counts, self.sums = np.array(told["counts"], dtype="int64"), np.array(told["sums"], dtype="float64")
        self.missing = int(told["missing"])


@dataclass
class Words:
    """The counts of the categories of one column: those that the reference counts by name, and all others."""

    shown: tuple[str, ...]
    known_words: frozenset[str]
    counts: Counter[str] = field(default_factory=Counter)
    other: int = 0  # known to training, but without a count of their own there
    unseen: Counter[str] = field(default_factory=Counter)
    unseen_rows: int = 0
    missing: int = 0

    @classmethod
    def empty(cls, spread: Spread) -> Words:
        """Return no values of a column of categories."""
        return cls(tuple(spread["counts"]), frozenset(spread["known"]) | frozenset(spread["counts"]))

    def add(self, values: np.ndarray) -> None:
        """Count (n,) words; None is missing."""
        words, counts = _counted(values)
        told = dict(zip(words, counts, strict=True))
        self.missing += len(values) - sum(counts)
        for word in self.shown:
            self.counts[word] += told.pop(word, 0)
        for word, count in told.items():
            if word in self.known_words:
                self.other += count
            else:
                self.unseen[word] += count
                self.unseen_rows += count
        self.unseen = Counter(dict(self.unseen.most_common(MOST_UNSEEN)))

    @property
    def known(self) -> int:
        """The number of values that are not missing."""
        return sum(self.counts.values()) + self.other + self.unseen_rows

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        parts = {"counts": dict(self.counts), "unseen": dict(self.unseen)}
        return parts | {"other": self.other, "unseen_rows": self.unseen_rows, "missing": self.missing}

    def take(self, told: Mapping[str, Any]) -> None:
        """Become what `to_dict` told."""
        self.counts, self.unseen = Counter(told["counts"]), Counter(told["unseen"])
        self.other, self.unseen_rows, self.missing = told["other"], told["unseen_rows"], told["missing"]


def _counted(values: np.ndarray) -> tuple[list[str], list[int]]:
    """Return the distinct words of (n,) values, and how often each is there; missing ones are left out."""
    import pandas as pd

    codes, words = pd.factorize(values)  # NaN and None are -1
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    return [str(word) for word in words], counts.tolist()


@dataclass
class Sample:
    """The rows whose ids have the smallest hashes: {column: values}, and the hashes."""

    columns: dict[str, np.ndarray]
    hashes: np.ndarray

    def add(self, columns: Columns, hashes: np.ndarray) -> None:
        """Take (n,) rows with their (n,) hashes, and keep the smallest."""
        able = np.argsort(hashes, kind="stable")[:SAMPLED]
        merged = np.concatenate([self.hashes, hashes[able]])
        order = np.argsort(merged, kind="stable")[:SAMPLED]
        self.hashes = merged[order]
        self.columns = {name: np.concatenate([old, columns[name][able]])[order] for name, old in self.columns.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; missing is null."""
        columns = {name: _plain(values) for name, values in self.columns.items()}
        return {"hashes": self.hashes.tolist(), "columns": columns}

    def take(self, told: Mapping[str, Any]) -> None:
        """Become what `to_dict` told."""
        self.hashes = np.array(told["hashes"], dtype="uint64")
        self.columns = {name: np.array(told["columns"][name], old.dtype) for name, old in self.columns.items()}


def _plain(values: np.ndarray) -> list[Any]:
    if values.dtype.kind == "f" and not np.isnan(values).any():
        return [*values.tolist()]
    return [None if value != value else value for value in values.tolist()]


@dataclass
class Sketch:
    """The sketch of one window.

    Attributes:
        rows: that were added.
        columns: the spread of each column.
        said: the spread of the predictions; None where the reference has none.
        impossible: column -> how many numbers could not be.
        sample: some of the rows; None where there is nothing to set them against.
    """

    rows: int
    columns: dict[str, Numbers | Words]
    said: Numbers | Words | None
    impossible: Counter[str]
    sample: Sample | None

    @classmethod
    def empty(cls, profile: Mapping[str, Any], sampled: Sequence[str] = ()) -> Sketch:
        """Return the sketch of no rows.

        Args:
            profile: the reference (rows/profile.py).
            sampled: the columns of the reference's sample; none: no rows are kept.
        """
        columns = {name: _empty(spread) for name, spread in profile["columns"].items()}
        said = None if profile["predictions"] is None else _empty(profile["predictions"])
        kinds = {name: "object" if isinstance(columns[name], Words) else "float64" for name in sampled}
        kept = {name: np.empty(0, kind) for name, kind in kinds.items()}
        return cls(0, columns, said, Counter(), Sample(kept, np.empty(0, "uint64")) if kept else None)

    def add(
        self,
        columns: Columns,
        said: np.ndarray | None = None,
        hashes: np.ndarray | None = None,
        impossible: Columns | None = None,
    ) -> None:
        """Add typed (n,) columns.

        Args:
            columns: texts may be words or their numbers of words.
            said: the (n,) watched predictions.
            hashes: of the ids, as `hashed` makes them; without them no rows are kept.
            impossible: {column: (n,) bool} of `Model.impossible`.
        """
        ready = {name: _countable(columns[name], held) for name, held in self.columns.items()}
        for name, held in self.columns.items():
            held.add(ready[name])
        if self.said is not None and said is not None:
            self.said.add(_countable(said, self.said))
        for name, bad in (impossible or {}).items():
            self.impossible[name] += int(bad.sum())
        if self.sample is not None and hashes is not None:
            self.sample.add(ready, hashes)
        self.rows += len(next(iter(columns.values())))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "rows": self.rows,
            "columns": {name: held.to_dict() for name, held in self.columns.items()},
            "said": self.said.to_dict() if self.said else None,
            "impossible": dict(self.impossible),
            "sample": self.sample.to_dict() if self.sample else None,
        }

    def take(self, told: Mapping[str, Any]) -> Sketch:
        """Become what `to_dict` told, of the same reference; return itself."""
        self.rows, self.impossible = told["rows"], Counter(told["impossible"])
        for name, held in self.columns.items():
            held.take(told["columns"][name])
        if self.said is not None:
            self.said.take(told["said"])
        if self.sample is not None:
            self.sample.take(told["sample"])
        return self


def _empty(spread: Spread) -> Numbers | Words:
    return Words.empty(spread) if spread["kind"] == "category" else Numbers.empty(spread)


def _countable(values: np.ndarray, held: Numbers | Words) -> np.ndarray:
    """Return values as they are counted: words, numbers, or the numbers of words of texts."""
    if isinstance(held, Words):
        return values
    if values.dtype.kind not in "OUT":
        return values.astype("float64", copy=False)
    return np.array([np.nan if text is None or text != text else len(str(text).split()) for text in values], "float64")


def hashed(ids: Sequence[str]) -> np.ndarray:
    """Return an (n,) 64-bit hash of each id, the same in each process."""
    from pandas.util import hash_array

    return np.asarray(hash_array(np.array([*ids, ""], dtype="object")[:-1], categorize=False), dtype="uint64")
