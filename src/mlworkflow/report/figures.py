"""The plots that a task has: curves, confusion, calibration, residuals, clusters, and the learning curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlworkflow.pages import charts
from mlworkflow.pages.templates import number, sentence
from mlworkflow.report.facts import arrow

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlworkflow.report.facts import Facts


def figures(facts: Facts) -> list[dict[str, Any]]:
    """Return the plots that the task has, in a fixed order."""
    there = [name for name in PLOTS if name in facts.plots and len(facts.plots[name])]
    return [PLOTS[name](facts, facts.plots[name]) for name in there] + _learning(facts)


def figure(svg: str, title: str, caption: str = "") -> dict[str, Any]:
    """Return a chart with what stands above and below it."""
    from markupsafe import Markup

    return {"svg": Markup(svg), "title": title, "caption": caption}


def _roc(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    line = charts.Line("model", table["false_positive_rate"], table["true_positive_rate"])
    title, x, y = "ROC curve", "false positive rate", "true positive rate"
    svg = charts.lines([line], name="roc", title=title, x=x, y=y, unit=True, diagonal=True)
    return figure(svg, title, f"{_of_class(facts)} Dashed: chance.")


def _precision_recall(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    line, title = charts.Line("model", table["recall"], table["precision"]), "Precision and recall"
    svg = charts.lines([line], name="pr", title=title, x="recall", y="precision", unit=True)
    return figure(svg, title, _of_class(facts))


def _of_class(facts: Facts) -> str:
    """Whose curve it is."""
    if len(facts.classes) == 2:
        return f"Class {facts.classes[1]}, by threshold."
    return "Each class against the rest, all taken together."


def _calibration(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    line = charts.Line("model", table["predicted"], table["observed"], points=True)
    title, x, y = "Calibration", "predicted probability", "observed share"
    svg = charts.lines([line], name="calibration", title=title, x=x, y=y, unit=True, diagonal=True)
    told = facts.findings.get("calibration")
    words = sentence(told["words"]) if told else "On the dashed line, probabilities mean what they say."
    return figure(svg, title, words)


def _confusion(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    title, counts = "Confusion matrix", confusion(table, [str(name) for name in facts.classes])
    svg = charts.confusion(counts, facts.classes, name="confusion", title=title)
    rows = number(int(counts.sum()))
    return figure(svg, title, f"{rows} test rows; blue is right, each row shaded by its own shares.")


def confusion(table: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Return the (K, K) counts of actual (rows) and predicted classes; the table holds names or codes."""
    import numpy as np

    places = {name: code for code, name in enumerate(classes)}
    codes = {str(code): code for code in range(len(classes))}
    counts = np.zeros((len(classes), len(classes)), dtype="int64")
    for actual, predicted in zip(table["actual"].astype(str), table["predicted"].astype(str), strict=True):
        row, column = places.get(actual, codes.get(actual)), places.get(predicted, codes.get(predicted))
        if row is not None and column is not None:
            counts[row, column] += 1
    return counts


def _residuals(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    title = "Residuals"
    svg = charts.residuals(table["predicted"], table["residual"], name="residuals", title=title)
    return figure(svg, title, "Test rows. A pattern around the line is something the model has not learnt.")


def _clusters(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    title = "Clusters"
    svg = charts.clusters(table["first"], table["second"], table["cluster"], name="clusters", title=title)
    return figure(svg, title, "Test rows on their first two principal components.")


PLOTS: dict[str, Callable[[Facts, Any], dict[str, Any]]] = {
    "confusion": _confusion,
    "roc": _roc,
    "precision_recall": _precision_recall,
    "calibration": _calibration,
    "residuals": _residuals,
    "clusters": _clusters,
}


def _learning(facts: Facts) -> list[dict[str, Any]]:
    curve = facts.curve
    names = {"train": "rows fitted on", "cross_validated": "held-out rows"}
    if len(curve) < 2 or not {"rows", *names} <= set(curve.columns):
        return []
    series = [charts.Line(words, curve["rows"], curve[name], points=True) for name, words in names.items()]
    y = f"{facts.primary} {arrow(facts.primary)}"
    svg = charts.lines(series, name="learning", title="Learning curve", x="training rows", y=y, whole=True)
    caption = "If it still improves at the right end, more rows would help; if the lines are far apart, it overfits."
    return [figure(svg, "Learning curve", caption)]
