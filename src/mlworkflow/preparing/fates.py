"""What becomes of each row: dropped by which rule, or on which side of the split; a few numbers a row are held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.preparing.ledger import EXAMPLES, Ledger
from mlworkflow.rows.split import fingerprints, is_test, microseconds, newest, within_share

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem


@dataclass(frozen=True)
class Fate:
    """An (n,) bool each: which rows stay, which are test rows; and whether those that stay come in order of time."""

    kept: np.ndarray
    test: np.ndarray
    ordered: bool

    def of(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (kept, test) of `count` rows from `first` on."""
        part = slice(first, first + count)
        return self.kept[part], self.test[part]


class Judge:
    """Sees the typed and mended rows, batch after batch; then says what becomes of each."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.parts: dict[str, list[np.ndarray]] = {}

    def add(self, rows: pd.DataFrame) -> None:
        """Note of each row what its fate hangs on."""
        data, policy, split = self.problem.data, self.problem.prepare, self.problem.split
        noted = {"there": np.ones(len(rows), dtype=bool)}
        if data.target is not None:
            noted["target"] = rows[data.target].notna().to_numpy()
        if policy.duplicates == "drop":
            noted["content"] = fingerprints(rows)
        if data.key and policy.same_key != "keep":
            noted["key"] = fingerprints(rows[data.key])
            noted["keyed"] = rows[data.key].notna().all(axis=1).to_numpy()
        if split.scheme == "time":
            noted["timed"] = rows[data.time].notna().to_numpy()
            noted["time"] = microseconds(rows[data.time])
        else:
            noted["test"] = is_test(rows, data, split)
            if split.train_share < 1:
                noted["share"] = within_share(rows, data, split)
        for name, values in noted.items():
            self.parts.setdefault(name, []).append(values)

    def fate(self, ledger: Ledger) -> Fate:
        """Return what becomes of each row, and note in the ledger what drops rows."""
        data, policy, split = self.problem.data, self.problem.prepare, self.problem.split
        noted = {name: np.concatenate(self.parts.pop(name)) for name in list(self.parts)}
        kept = noted["there"]
        if "target" in noted:
            kept = _drop(kept, ~noted["target"], "rows without a target", ledger)
        if "content" in noted:
            kept = _drop(kept, _again(noted.pop("content"), kept), "exact duplicates", ledger)
        if "key" in noted:
            rule = f"{'a second' if policy.same_key == 'first' else 'an earlier'} row of one {', '.join(data.key)}"
            kept = _drop(kept, _again(noted.pop("key"), kept & noted["keyed"], policy.same_key), rule, ledger)
        timed = split.scheme == "time"
        if timed:
            kept = _drop(kept, ~noted["timed"], f"rows without {data.time}", ledger)
        test = newest(noted["time"], kept, split.test_fraction) if timed else noted["test"]
        if split.train_share < 1:
            used = newest(noted["time"], kept & ~test, split.train_share) if timed else noted["share"]
            rule = f"training rows beyond problem.split.train_share {split.train_share:g}"
            kept = _drop(kept, ~test & ~used, rule, ledger)
        place = np.arange(len(kept))
        for side, first, there in (("train", split.train_from, ~test), ("test", split.test_from, test)):
            if first:
                rule = f"{side} rows before problem.split.{side}_from {first}"
                kept = _drop(kept, there & (place < first), rule, ledger)
        ordered = not timed or bool((np.diff(noted["time"][kept]) >= 0).all())
        return _told(Fate(kept, test, ordered), split.scheme, ledger)


def _drop(kept: np.ndarray, bad: np.ndarray, rule: str, ledger: Ledger) -> np.ndarray:
    """Return which rows stay when those of `kept` that are `bad` are dropped."""
    dropped = np.flatnonzero(kept & bad)
    ledger.line(rule).note(int(kept.sum()), dropped=len(dropped), examples=named(dropped[:EXAMPLES]))
    return np.asarray(kept & ~bad)


def named(positions: Iterable[int]) -> list[str]:
    """Return rows as people count them."""
    return [f"row {position + 1}" for position in positions]


def _again(prints: np.ndarray, among: np.ndarray, stays: str = "first") -> np.ndarray:
    """Return an (n,) bool: True for rows of `among` whose (n, 2) fingerprint another one has, that stays."""
    rows = np.flatnonzero(among)
    order = rows[np.lexsort(prints[rows].T)]  # sorting takes a third of the memory of a table of hashes
    same = (prints[order[1:]] == prints[order[:-1]]).all(axis=1)
    again = np.zeros(len(prints), dtype=bool)
    again[order[:-1][same] if stays == "last" else order[1:][same]] = True
    return again


def _told(fate: Fate, scheme: str, ledger: Ledger) -> Fate:
    rows, test = int(fate.kept.sum()), int((fate.kept & fate.test).sum())
    ledger.line(f"split by {scheme}: {rows - test} train, {test} test").note(rows)
    return fate
