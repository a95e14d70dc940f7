"""What the training rows hold, noted in their schema: shares of missing values, ranges, categories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.rows.schema import MOST_CATEGORIES, Column, Schema

if TYPE_CHECKING:
    import pandas as pd


def describe(schema: Schema, rows: pd.DataFrame) -> Schema:
    """Return the schema with what `rows`, training rows, hold: shares of missing values, ranges, categories."""
    description = Description(schema)
    description.add(rows)
    return description.schema()


class Description:
    """What the training rows hold, batch after batch."""

    def __init__(self, schema: Schema) -> None:
        self.of, self.rows = schema, 0
        self.missing = dict.fromkeys((column.name for column in schema.columns), 0)
        self.ranges: dict[str, tuple[float, float]] = {}
        self.counts: dict[str, dict[str, int] | None] = {}  # None: more than MOST_CATEGORIES words

    def add(self, rows: pd.DataFrame) -> None:
        """Note further training rows."""
        self.rows += len(rows)
        for column in self.of.columns:
            name, values = column.name, rows[column.name]
            self.missing[name] += int(values.isna().sum())
            if column.role == "key":
                continue  # whom the rows are about stays out of every output
            if column.kind == "number" and values.notna().any():
                low, high = self.ranges.get(name, (np.inf, -np.inf))
                self.ranges[name] = min(low, float(values.min())), max(high, float(values.max()))
            if column.kind in ("category", "text"):
                self.counts[name] = _counted(self.counts.get(name, {}), values)

    def schema(self) -> Schema:
        """Return the schema with all that was noted."""
        return replace(self.of, columns=[self._described(column) for column in self.of.columns], rows=self.rows)

    def _described(self, column: Column) -> Column:
        name = column.name
        column = replace(column, missing=self.missing[name] / self.rows if self.rows else 0.0)
        if name in self.ranges:
            low, high = self.ranges[name]
            return replace(column, low=low, high=high)
        if name not in self.counts:
            return column
        counts = self.counts[name]
        told = sorted(counts) if counts is not None and column.kind == "category" else []
        return replace(column, categories=told, distinct=MOST_CATEGORIES + 1 if counts is None else len(counts))


def _counted(counts: dict[str, int] | None, values: pd.Series) -> dict[str, int] | None:
    """Return how often each word was there, None where there are too many to list."""
    if counts is None:
        return None
    found = values.value_counts(sort=False)
    if len(found) <= MOST_CATEGORIES:
        for word, count in zip(found.index.tolist(), found.tolist(), strict=True):
            counts[word] = counts.get(word, 0) + count
    return counts if max(len(found), len(counts)) <= MOST_CATEGORIES else None
