"""Why a row is predicted as it is: what each of its values contributes, against the usual row of training.

A contribution is the mean of what a value changes when it is put into the usual row, and when it is taken out of its
own row: the Shapley value (Shapley 1953) of a model of main effects and interactions of two, which needs 2 p + 2
predictions for p values. What a value changes through features that look back at earlier rows is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.runtime.model import Model

SMALLEST = 1e-12  # of a probability, before its logarithm is taken
MOST_ROWS = 20_000  # that are predicted at once


@dataclass(frozen=True)
class Reason:
    """One value and what it contributes.

    field: its name. value, usual: as they stand in the row, and in the usual row; None where missing.
    effect: of classes, in log odds of the class that is predicted, which a threshold may make the less likely one; of
        values, in their unit. More than zero: it speaks for what is predicted, or makes the value larger.
    """

    field: str
    value: Any
    usual: Any
    effect: float


def reasons(model: Model, columns: Columns, most: int = 5) -> list[list[Reason]]:
    """Return for each row of typed columns at most `most` reasons, the largest effect first; none for clusters.

    A value that is the usual one, or that changes nothing, is no reason: the usual row has none. Fields that
    a row need not have, and dates that a feature looks back by, are left out.
    """
    count = len(next(iter(columns.values())))
    if model.task == "clustering" or not count:
        return [[] for _ in range(count)]
    names = [one.name for one in model.fields.all if one.required]
    step = max(1, MOST_ROWS // (2 * len(names) + 2))
    parts = [
        {name: values[start : start + step] for name, values in columns.items()} for start in range(0, count, step)
    ]
    return [line for part in parts for line in _of(model, part, names, most)]


def _of(model: Model, columns: Columns, names: Sequence[str], most: int) -> list[list[Reason]]:
    usual = _usual_row(model, columns)
    effects = _effects(model, columns, usual, names)
    order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :most].tolist()
    own, common = ({name: _plain(part[name]) for name in names} for part in (columns, usual))

    def reason(row: int, place: int) -> Reason:
        name = names[place]
        return Reason(name, own[name][row], common[name][row], float(effects[row, place]))

    found = [[reason(row, place) for place in line] for row, line in enumerate(order)]
    return [[one for one in line if one.effect and one.value != one.usual] for line in found]


def _usual_row(model: Model, columns: Columns) -> Columns:
    """Return (n,) columns of the usual row; of dates the row's own are kept, as there is no usual one."""
    told = model.fields.typed({one.name: [one.usual] for one in model.fields.all})
    return {
        name: values if values.dtype.kind == "M" else np.repeat(told[name], len(values))
        for name, values in columns.items()
    }


def _effects(model: Model, columns: Columns, usual: Columns, names: Sequence[str]) -> np.ndarray:
    """Return the (n, p) contributions: one prediction of 2 p + 2 blocks of rows.

    The blocks: the rows, the usual rows; for each name the usual rows with its own value, the rows without it.
    """
    count = len(next(iter(columns.values())))
    one = np.eye(len(names), dtype=bool)
    own = np.vstack([np.full(len(names), True), np.full(len(names), False), one, ~one])  # (blocks, p)
    blocks = len(own)
    mixed = {name: np.tile(values, blocks) for name, values in columns.items()}
    for place, name in enumerate(names):
        mixed[name] = np.where(own[:, place, None], columns[name], usual[name]).ravel()
    back = model.back(model.possible(columns))
    said = model.compute(model.wider(mixed, {name: np.tile(values, blocks) for name, values in back.items()}))
    codes = np.tile(model.codes(said[:count])[1], blocks) if said.ndim == 2 else None
    whole, nothing, *others = _scale(said, codes).reshape(blocks, count)
    put_in, taken_out = np.array(others[: len(names)]), np.array(others[len(names) :])
    return np.asarray(((put_in - nothing) + (whole - taken_out)) / 2).T


def _scale(said: np.ndarray, codes: np.ndarray | None) -> np.ndarray:
    """Return (n,) log odds of each row's class, or values."""
    if codes is None:
        return said
    chosen = said[np.arange(len(said)), codes]
    return np.asarray(np.log(np.maximum(chosen, SMALLEST)) - np.log(np.maximum(1 - chosen, SMALLEST)))


def _plain(values: np.ndarray) -> list[Any]:
    """Return values as JSON has them, None where missing."""
    if values.dtype.kind == "M":
        return [None if text == "NaT" else text for text in np.datetime_as_string(values, unit="s").tolist()]
    return [None if value is None or value != value else value for value in values.tolist()]
