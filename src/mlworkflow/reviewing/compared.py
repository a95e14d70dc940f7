"""What is better and what is worse: each metric, the money, and the slices and classes that lost. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.judging import slices
from mlworkflow.measures import compare, many, worth
from mlworkflow.measures.compare import Difference
from mlworkflow.measures.weighted import values_of

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem
    from mlworkflow.measures.metrics import Scored
    from mlworkflow.measures.training import Refits
    from mlworkflow.reviewing.rows import Pair

NOT_COMPARABLE = "not comparable"
FEWEST = 30  # rows of a slice that is looked at


@dataclass(frozen=True)
class Line:
    """One number of both sides; `difference` points in the good direction, None where it cannot be told."""

    name: str
    base: float | None
    candidate: float | None
    difference: Difference | None
    word: str
    rows: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        told = {"name": self.name, "base": self.base, "candidate": self.candidate, "word": self.word}
        return told | {
            "difference": self.difference.to_dict() if self.difference else None,
            **({"rows": self.rows} if self.rows is not None else {}),
        }


def word_of(difference: Difference | None, least_gain: float) -> str:
    """Return the word for a difference; where there is none, that nothing can be compared."""
    return NOT_COMPARABLE if difference is None else difference.word(least_gain)


def metrics(pair: Pair, names: Sequence[str], least_gain: float, *, seed: int) -> list[Line]:
    """Return a line a metric, the first one, which decides, with the least gain worth having."""
    measured = [name for name in names if name != "stability"]
    found = compare.differences(measured, pair.candidate, pair.base, seed=seed, refits=pair.refits)
    base, candidate = (values_of(measured, one) for one in (pair.base, pair.candidate))
    return [
        Line(
            name,
            _number(base[name]),
            _number(candidate[name]),
            told := _known(found[name]),
            word_of(told, least_gain if name == names[0] else 0.0),
        )
        for name in measured
    ]


def money(pair: Pair, problem: Problem, classes: Sequence[Any], *, seed: int) -> Line | None:
    """Return what the predictions of the common rows are worth on both sides; None where no outcome has a value."""
    if problem.value is None or pair.base.truth.ndim > 1:
        return None
    won = worth.against(pair.candidate, pair.base, problem.value, classes, seed=seed, refits=pair.refits)
    base, candidate = (worth.total(one, problem.value, classes) for one in (pair.base, pair.candidate))
    return Line(problem.value.unit, base, candidate, won, word_of(won, 0.0))


@dataclass(frozen=True)
class Parts:
    """The slices and classes that lost more than their noise, the worst first; how many were looked at."""

    worse: list[Line]
    looked_at: int
    level: float


def parts(pair: Pair, metric: str, rows: pd.DataFrame, important: Sequence[str], classes: Sequence[Any]) -> Parts:
    """Return where the candidate is worse: slices by the metric, classes by the share of their rows that is found.

    Every interval is at the level that all need together (Bonferroni: see measures/many.py).

    Args:
        pair: both sides.
        metric: the primary metric.
        rows: (n, columns) the inputs of the common rows, in their order.
        important: the columns whose slices are looked at.
        classes: of a classification.
    """
    if pair.base.truth.ndim > 1:
        return Parts([], 0, many.LEVEL)
    found = list(_masks(pair, metric, rows, important, classes))
    level = many.level_of(len(found))
    lines = [_part(pair, label, name, mask, level) for label, name, mask in found]
    worse = [line for line in lines if line.difference is not None and line.difference.high < 0]
    return Parts(sorted(worse, key=lambda line: line.difference.value if line.difference else 0.0), len(found), level)


def _masks(
    pair: Pair, metric: str, rows: pd.DataFrame, important: Sequence[str], classes: Sequence[Any]
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (label, metric, mask) of each slice and class with enough rows and a value on both sides."""
    for _, label, mask in slices.parts(rows, important):
        if mask.sum() >= FEWEST and _has_value(metric, pair.base.take(mask)):
            yield label, metric, mask
    for code, name in enumerate(classes):
        mask = np.asarray(pair.base.truth == code)
        if mask.sum() >= FEWEST:
            yield f"class {name} (found)", "accuracy", mask


def _has_value(metric: str, scored: Scored) -> bool:
    return not np.isnan(values_of([metric], scored)[metric])


def _part(pair: Pair, label: str, metric: str, mask: np.ndarray, level: float) -> Line:
    base, candidate = pair.base.take(mask), pair.candidate.take(mask)
    refits: Refits | None = pair.refits.take(mask) if pair.refits else None
    told = _known(compare.quick(metric, candidate, base, refits, level))
    values = [values_of([metric], one)[metric] for one in (base, candidate)]
    return Line(label, values[0], values[1], told, word_of(told, 0.0), int(mask.sum()))


def _known(difference: Difference) -> Difference | None:
    return difference if isfinite(difference.value) and isfinite(difference.low) else None


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
