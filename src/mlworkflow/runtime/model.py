"""A loaded bundle: typed columns in, predictions out; the same steps in the same order whatever computes the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.features import Feature, row_wise
from mlworkflow.rows.possible import LARGEST, Ranges, impossible
from mlworkflow.runtime.fields import Field, Fields

if TYPE_CHECKING:
    from pathlib import Path

    from mlworkflow.learning.threshold import Threshold
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.rows.schema import Schema

Backend = Callable[["Columns"], np.ndarray]
LookBack = Callable[["Columns"], "Columns"]


@dataclass(frozen=True)
class Scored:
    """Predictions of n rows.

    predictions: classes as they are called, values, or numbers of clusters.
    probabilities: (n, K) in the order of `Schema.classes`, each row's sum one; None where there are no classes.
    """

    predictions: list[Any]
    probabilities: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.predictions)


@dataclass(frozen=True)
class Model:
    """A loaded bundle.

    Attributes:
        manifest: what the bundle is: problem, task, model, hashes, versions of packages.
        schema: the raw columns.
        wide: the columns with the features, as the model takes them.
        fields: what a row must have.
        ranges: column -> (low, high) of possible values; others are missing.
        features: made of each row by itself.
        threshold: how probabilities become a class; None without classes.
        backend: what computes: `onnx` or `skops`.
        compute: wide columns -> (n, K) probabilities, or (n,) values or clusters.
        look_back: the columns that features make of earlier rows; None where no feature looks back.
        card: the model card, in Markdown.
        profile: how the training rows were spread (rows/profile.py).
        folder: where it was loaded from.
    """

    manifest: Mapping[str, Any]
    schema: Schema
    wide: Schema
    fields: Fields
    ranges: Ranges
    features: Sequence[Feature]
    threshold: Threshold | None
    backend: str
    compute: Backend
    look_back: LookBack | None
    card: str
    profile: Mapping[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        """The name of the problem."""
        return str(self.manifest["problem"])

    @property
    def task(self) -> str:
        """The kind of question: binary, multiclass, regression or clustering."""
        return self.schema.task

    @property
    def classes(self) -> list[Any]:
        """The classes in the order of their probabilities; none for values and clusters."""
        return self.schema.classes

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return `prediction`, and for classes `probabilities` {class: probability}, of rows {field: value}.

        Raises:
            RowsError: rows do not fit the schema; all that is wrong.
        """
        scored = self.score(self.fields.read(rows))
        if scored.probabilities is None:
            return [{"prediction": said} for said in scored.predictions]
        names, table = [str(name) for name in self.classes], scored.probabilities.tolist()
        pairs = zip(scored.predictions, table, strict=True)
        return [{"prediction": said, "probabilities": dict(zip(names, line, strict=True))} for said, line in pairs]

    def score(self, columns: Columns) -> Scored:
        """Return the predictions of typed columns, as `Fields.read` makes them."""
        if not len(next(iter(columns.values()))):
            return Scored([], np.zeros((0, len(self.classes))) if self.classes else None)
        return self.decided(self.compute(self.wider(columns)))

    def score_with_notes(self, columns: Columns) -> tuple[Scored, dict[int, list[str]]]:
        """Return what `score` and `notes` do; rows within what training held are looked at once."""
        if self.look_back or not len(next(iter(columns.values()))) or self._strange(columns).any():
            return self.score(columns), self.notes(columns)
        wide = {**columns, **row_wise(columns, self.features)}
        return self.decided(self.compute(wide)), self._unseen(columns, {})

    def decided(self, said: np.ndarray) -> Scored:
        """Return predictions from what `compute` returned."""
        if not self.classes:
            return Scored(said.tolist())
        probabilities, codes = self.codes(said)
        return Scored([self.classes[code] for code in codes.tolist()], probabilities)

    def codes(self, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n, K) probabilities, each row's sum one, and the (n,) codes of the classes decided on."""
        probabilities = said / said.sum(axis=1, keepdims=True)
        return probabilities, self.threshold.labels(probabilities) if self.threshold else probabilities.argmax(axis=1)

    def wider(self, columns: Columns, back: Columns | None = None) -> Columns:
        """Return typed columns with impossible numbers made missing, and with every feature.

        `back`: what features that look back made, where it is known already.
        """
        known = self.possible(columns)
        return {**known, **row_wise(known, self.features), **(self.back(known) if back is None else back)}

    def back(self, columns: Columns) -> Columns:
        """Return what features that look back make of typed, possible columns; none where no feature does."""
        return self.look_back(columns) if self.look_back else {}

    def possible(self, columns: Columns) -> Columns:
        """Return typed columns with impossible numbers made missing."""
        mended = {name: np.where(bad, np.nan, columns[name]) for name, bad in self.impossible(columns).items()}
        return {**columns, **mended}

    def impossible(self, columns: Columns) -> Columns:
        """Return {number: (n,) bool}, True where its value cannot be; columns without one are left out."""
        numbers = ((name, values) for name, values in columns.items() if values.dtype.kind == "f")
        found = {name: impossible(values, self.ranges.get(name, (None, None))) for name, values in numbers}
        return {name: bad for name, bad in found.items() if bad.any()}

    def notes(self, columns: Columns) -> dict[int, list[str]]:
        """Return, for the rows that have any, what a person should know.

        Numbers that cannot be, or are outside the range of training; categories that training has not seen.
        """
        told: dict[int, list[str]] = {}
        cannot = self.impossible(columns)
        names, low, high = self._spans
        strange = self._strange(columns)
        for place in np.flatnonzero(strange.any(axis=1)).tolist():
            name, span = names[place], f"{low[place, 0]:g} to {high[place, 0]:g}"
            for row in np.flatnonzero(strange[place]).tolist():
                why = "cannot be, so it counts as missing" if name in cannot and cannot[name][row] else ""
                why = why or f"is outside {span}, the range of training"
                told.setdefault(row, []).append(f"{name}: {columns[name][row]:g} {why}")
        return self._unseen(columns, told)

    def _strange(self, columns: Columns) -> np.ndarray:
        """Return (p, n) whether a number is outside what is possible or what training held; NaN is not."""
        names, low, high = self._spans
        numbers = np.array([columns[name] for name in names]).reshape(len(names), -1)
        return np.asarray((numbers < low) | (numbers > high))

    @cached_property
    def _spans(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """The names of the numbers, and the (p, 1) lowest and highest of training, or else what is possible."""
        names = [one.name for one in self.fields.all if one.kind == "number"]
        known = {one.name: (one.low, one.high) for one in self.fields.all}
        spans = []
        for name in names:
            own, allowed = known[name], self.ranges.get(name, (None, None))
            ends = zip(own, allowed, (-LARGEST, LARGEST), strict=True)  # of each end, the first that is known
            spans.append([next(end for end in each if end is not None) for each in ends])
        low, high = np.array(spans, dtype="float64").reshape(-1, 2).T[:, :, None]
        return names, low, high

    def _unseen(self, columns: Columns, told: dict[int, list[str]]) -> dict[int, list[str]]:
        for name, known in self._known.items():
            for row, word in enumerate(columns[name].tolist()):
                if word is not None and word not in known:
                    told.setdefault(row, []).append(f"{name}: {word[:80]!r} was not in the training rows")
        return told

    @cached_property
    def _known(self) -> dict[str, frozenset[str]]:
        """The words of training, of the columns where all of them are kept."""
        fields = (one for one in self.fields.all if one.kind == "category" and one.categories)
        return {one.name: frozenset(one.categories) for one in fields}

    @property
    def inputs(self) -> list[Field]:
        """The fields that a row must have."""
        return [one for one in self.fields.all if one.required]
