"""The folds as matrices, made once for all trials: what a pipeline does before its model hangs on no parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.learning.crossval import Fold, Rows, some_of
from mlworkflow.learning.models import columns

if TYPE_CHECKING:
    from mlworkflow.core.params import Wants
    from mlworkflow.rows.schema import Schema


@dataclass(frozen=True, eq=False)
class Encoded:
    """One fold: the (n, d) matrix that is fitted on, the (m, d) matrix that is checked, dense or sparse."""

    fit: Rows
    check: Rows
    columns: int  # of the table, before encoding


def encode(
    schema: Schema, wants: Wants, rows: Rows, folds: Sequence[Fold], share: float, seed: int | None
) -> list[Encoded]:
    """Return each fold as `columns(schema, wants)` encodes it: bit for bit what a pipeline makes of it.

    Args:
        schema: what the columns are.
        wants: what the model asks of them.
        rows: the training rows.
        folds: positions (fit, check).
        share: of the rows that a fold fits on.
        seed: of the rows drawn for a share below one; None: the newest.
    """
    return [_one(columns(schema, wants), rows, some_of(fit, share, seed), check) for fit, check in folds]


def _one(encoder: Any, rows: Rows, fit: np.ndarray, check: np.ndarray) -> Encoded:
    inside, outside = rows.take(fit), rows.take(check)
    matrix = encoder.fit_transform(inside.table, inside.target)
    return Encoded(
        Rows(matrix, inside.target, rows.task),
        Rows(encoder.transform(outside.table), outside.target, rows.task),
        rows.table.shape[1],
    )
