"""What is suspicious in new rows beside the rows learnt from: categories, missing values and spreads that are new."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from mlworkflow.exploring.findings import Finding, worst_first
from mlworkflow.pages.templates import number, percent, score
from mlworkflow.rows.profile import MOST_SHOWN

if TYPE_CHECKING:
    import pandas as pd

Line = dict[Hashable, Any]  # of the table that `drift` returns
SIGMAS = 5  # how far beyond chance a count must be to be told: once in three million columns
BURST = 0.05  # how much larger the share of missing values must be
MOVED = 0.25  # population stability index
FEWEST = 3  # values of new categories; fewer are as often a slip of the pen


def arrivals(reference: dict[str, Any], drifted: pd.DataFrame, psi: float = MOVED) -> list[Finding]:
    """Return what is suspicious, the worst first.

    Args:
        reference: what `profile` returned of the rows learnt from.
        drifted: what `drift` returned of the new rows.
        psi: the population stability index above which a column moved.
    """
    found = []
    for line in drifted.to_dict("records"):
        then = reference["columns"].get(line["column"])
        if then is not None:
            told = (_new_words(then, line), _gone(then, line), _moved(line, psi))
            found += [finding for finding in told if finding]
    return worst_first(found)


def _new_words(then: dict[str, Any], line: Line) -> Finding | None:
    """Categories that training never saw, more often than its own rarities make likely.

    The chance of something unseen is about the share of what was seen once (Good 1953, by an idea of Turing).
    """
    if not line["new"]:
        return None
    once = sum(count == 1 for count in then["counts"].values()) + max(0, then["distinct"] - MOST_SHOWN)
    count, likely = line["new"] * line["rows"], once / max(then["rows"], 1) * line["rows"]
    if count < FEWEST or count < likely + SIGMAS * likely**0.5:
        return None
    what = (
        f"{line['column']!r} holds categories that training never saw in {percent(line['new'])} of the new rows: "
        f"{line['new_words']}. The model treats them as unknown."
    )
    return Finding("new_category", "medium", line["column"], what, line["new"])


def _gone(then: dict[str, Any], line: Line) -> Finding | None:
    """A share of missing values that is far larger than in training."""
    rows = line["rows"] / (1 - line["missing"]) if line["missing"] < 1 else then["rows"]
    usual = (then["missing"] + 1) / (then["rows"] + 2)
    if line["missing_change"] < BURST or line["missing_change"] < SIGMAS * (usual * (1 - usual) / max(rows, 1)) ** 0.5:
        return None
    what = (
        f"{line['column']!r} is missing in {percent(line['missing'])} of the new rows but was in "
        f"{percent(then['missing'] / max(then['rows'], 1))} of the training rows: did its source fail?"
    )
    return Finding("missing_burst", "high" if line["missing"] > 0.5 else "medium", line["column"], what, 1)


def _moved(line: Line, psi: float) -> Finding | None:
    """A spread that differs further than chance makes it."""
    if line["psi"] <= max(psi, line["noise"]) or line["missing_change"] > BURST or line["new"]:
        return None
    outside = f"; {percent(line['out_of_range'])} are outside the range of training" if line["out_of_range"] else ""
    what = (
        f"{line['column']!r} moved against the training rows (population stability index {score(line['psi'])}, where "
        f"chance makes {number(round(line['noise'], 3))}){outside}."
    )
    return Finding("drift", "medium", line["column"], what, min(line["psi"], 9))
