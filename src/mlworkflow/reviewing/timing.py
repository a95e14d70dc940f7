"""How long both models take for the same rows, measured here, turn by turn."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core import paths
from mlworkflow.learning import modelfile
from mlworkflow.learning.models import inputs

if TYPE_CHECKING:
    from mlworkflow.reviewing.review import Review
    from mlworkflow.reviewing.side import Side

TURNS = 15


def timed(review: Review, base: Side, candidate: Side) -> Review:
    """Return the review with the milliseconds of each side's model: for all its test rows, and for one.

    Both models are loaded by the code of today.
    """
    asked = [_loaded(side) for side in (base, candidate)]
    found = {
        "all test rows": _medians([(model, table) for model, table in asked]),
        "one row": _medians([(model, table.iloc[[0]]) for model, table in asked]),
    }
    return replace(review, cost=replace(review.cost, milliseconds=found))


def _loaded(side: Side) -> tuple[Any, Any]:
    return modelfile.loads(side.files.output(paths.MODEL)), inputs(side.rows(), side.schema)


def _medians(asked: list[tuple[Any, Any]]) -> tuple[float, float]:
    """Return the median milliseconds of each; in turns, so that what slows the machine slows both."""
    spent: list[list[float]] = [[] for _ in asked]
    for _ in range(TURNS):
        for place, (model, table) in enumerate(asked):
            started = time.process_time()
            model.predict(table)
            spent[place].append(1000 * (time.process_time() - started))
    one, other = (round(float(np.median(each)), 3) for each in spent)
    return one, other
