"""Two sides on the same rows: row by row by their ids, rows that only one side has counted and left out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlworkflow.judging.predicted import class_names, refits_of, scored_of
from mlworkflow.measures.training import Refits
from mlworkflow.reviewing.revisions import ReviewError

if TYPE_CHECKING:
    from mlworkflow.measures.metrics import Scored
    from mlworkflow.reviewing.side import Side


NEARLY = 1e-6
BY_ORDER = "paired by their order, as their ids are others but their truth is the same"


@dataclass(frozen=True)
class Pair:
    """Both sides on the rows that they have in common.

    Attributes:
        base: what it said of n rows.
        candidate: what it said of the same n rows.
        refits: what both said when they were fitted without parts of the training rows; None where one has none.
        places: (n,) positions of these rows in the candidate's table.
        counts: {what became of rows: how many}.
    """

    base: Scored
    candidate: Scored
    refits: Refits | None
    places: np.ndarray
    counts: dict[str, int]


def pair(base: Side, candidate: Side) -> Pair | None:
    """Return both sides on their common test rows; None where they have none, or other classes.

    Raises:
        ReviewError: the predictions of a side are damaged.
    """
    try:
        return _pair(base, candidate)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        told = "evaluation/predictions.parquet or refits.parquet of a side is not as evaluate writes it"
        raise ReviewError(f"{told} ({type(error).__name__}: {error})", "Type `dvc repro -f evaluate` there.") from error


def _pair(base: Side, candidate: Side) -> Pair | None:
    ours, theirs = candidate.predictions, base.predictions
    if class_names(ours) != class_names(theirs):
        return None
    here, there = common(theirs["row"].to_numpy(), ours["row"].to_numpy())
    by_order = not len(here) and _same_truth(theirs, ours)  # the same rows, prepared in another way
    if by_order:
        here = there = np.arange(len(ours))
    kept = _equal(theirs, ours, here, there)
    counts = {
        "compared": int(kept.sum()),
        "only in the base": len(theirs) - len(here),
        "only in the candidate": len(ours) - len(there),
        "with another truth": int((~kept).sum()),
    }
    if by_order:
        counts[BY_ORDER] = len(here)
    here, there = here[kept], there[kept]
    if not len(here):
        return None
    task = candidate.problem.task
    for side in (base, candidate):
        _demand_sound(side)
    scored = [
        scored_of(table.iloc[places], task, side.inputs)
        for table, places, side in ((theirs, here, base), (ours, there, candidate))
    ]
    return Pair(scored[0], scored[1], _refits(base, candidate, here, there), there, counts)


def common(base: np.ndarray, candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) positions of the ids that both have, in the order of the base.

    Of equal ids the first goes with the first, the second with the second.
    """
    tables = [pd.DataFrame({"row": ids, "place": np.arange(len(ids))}) for ids in (base, candidate)]
    numbered = [table.assign(turn=table.groupby("row").cumcount()) for table in tables]
    both = numbered[0].merge(numbered[1], on=["row", "turn"], suffixes=("_base", "_candidate"))
    return both["place_base"].to_numpy(), both["place_candidate"].to_numpy()


def _same_truth(base: pd.DataFrame, candidate: pd.DataFrame) -> bool:
    if "truth" not in base or "truth" not in candidate:
        return False
    return bool(np.array_equal(base["truth"].to_numpy(), candidate["truth"].to_numpy()))


def _equal(base: pd.DataFrame, candidate: pd.DataFrame, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return (n,) whether the truth of a row is the same on both sides."""
    if "truth" not in base:
        return np.ones(len(here), dtype=bool)
    return np.asarray(base["truth"].to_numpy()[here] == candidate["truth"].to_numpy()[there])


def _refits(base: Side, candidate: Side, here: np.ndarray, there: np.ndarray) -> Refits | None:
    if base.refits is None or candidate.refits is None:
        return None
    theirs = refits_of(base.refits, base.predictions, here, base.problem.task, base.inputs)
    ours = refits_of(candidate.refits, candidate.predictions, there, candidate.problem.task, candidate.inputs)
    return Refits(ours, theirs, set(base.refits["parts"]) == set(candidate.refits["parts"]))


def _demand_sound(side: Side) -> None:
    """Demand labels of known classes and finite numbers: what no metric could make sense of is damage."""
    names, table = class_names(side.predictions), side.predictions
    if names and not set(table["prediction"]) | set(table["truth"]) <= set(names):
        raise ValueError("a class that has no probabilities")
    numbers = table[[f"probability_{name}" for name in names] or ["prediction"]].to_numpy(dtype=float)
    if not np.isfinite(numbers).all() or (names and (np.abs(numbers.sum(axis=1) - 1) > NEARLY).any()):
        raise ValueError("numbers that are not finite, or probabilities whose sum is not one")
