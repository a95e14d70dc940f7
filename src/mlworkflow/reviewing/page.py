"""The review as a page: the word first, tables, both curves in one picture. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.judging import calibration, plots
from mlworkflow.measures.compare import BETTER, UNCLEAR, WORSE
from mlworkflow.pages import charts, templates
from mlworkflow.report.figures import figure
from mlworkflow.reviewing import words
from mlworkflow.reviewing.compared import NOT_COMPARABLE
from mlworkflow.reviewing.review import Review

if TYPE_CHECKING:
    from mlworkflow.measures.metrics import Scored

TONES = {BETTER: "good", WORSE: "bad", UNCLEAR: "muted", "unclear": "muted", NOT_COMPARABLE: "warn", "": "muted"}
SHARES = np.linspace(0, 1, 101)


def page(review: Review) -> str:
    """Return the page as HTML."""
    return templates.render(
        "review.html",
        review=review,
        tones=TONES,
        metrics=words.table(review.lines) if review.lines else [],
        money=words.table([review.money]) if review.money else [],
        worse=words.table(review.parts.worse) if review.parts else [],
        charts=list(_charts(review)),
        changes=list(words.changes(review.causes)),
        cost=words.cost(review),
        used=words.used(review) if review.uses else [],
    )


def _charts(review: Review) -> Iterator[dict[str, Any]]:
    both = review.pair
    if both is None or both.base.truth.ndim > 1:
        return
    sides = [("base", both.base), ("candidate", both.candidate)]
    if both.base.probabilities is None:
        yield _errors(sides)
        return
    yield _curve(sides, "roc.csv", "ROC curve", "false positive rate", "true positive rate", diagonal=True)
    yield _curve(sides, "precision_recall.csv", "Precision and recall", "recall", "precision")
    bins = [(name, calibration.curve(scored)) for name, scored in sides]
    lines = [charts.Line(name, table["predicted"], table["observed"], points=True) for name, table in bins]
    title, x, y = "Calibration", "predicted probability", "observed share"
    svg = charts.lines(lines, name="calibration", title=title, x=x, y=y, unit=True, diagonal=True)
    yield figure(svg, title, "On the dashed line, probabilities mean what they say.")


def _curve(
    sides: list[tuple[str, Scored]], name: str, title: str, x: str, y: str, *, diagonal: bool = False
) -> dict[str, Any]:
    tables = [(side, plots.curves(scored)[name]) for side, scored in sides]
    columns = plots.COLUMNS[name]
    lines = [charts.Line(side, table[columns[0]], table[columns[1]]) for side, table in tables]
    svg = charts.lines(lines, name=name.partition(".")[0], title=title, x=x, y=y, unit=True, diagonal=diagonal)
    return figure(svg, title)


def _errors(sides: list[tuple[str, Scored]]) -> dict[str, Any]:
    """Return the share of the rows by the size of their error, both in one picture."""
    sizes = [(name, np.quantile(np.abs(one.truth - one.labels), SHARES)) for name, one in sides]
    lines = [charts.Line(name, size, SHARES) for name, size in sizes]
    title = "Errors"
    svg = charts.lines(lines, name="errors", title=title, x="absolute error", y="share of the rows with at most this")
    return figure(svg, title, "Further to the left and up is better.")
