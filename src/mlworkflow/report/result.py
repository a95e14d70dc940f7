"""How good the model is: the verdict, its metrics, the money, slices, importance, and each rule of the problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlworkflow.pages import charts
from mlworkflow.pages.templates import number, plain, score
from mlworkflow.report.facts import arrow, gain
from mlworkflow.report.figures import figure

if TYPE_CHECKING:
    from mlworkflow.report.facts import Facts

MOST_SLICES = 10
MOST_COLUMNS = 15
WORDS = {
    "roc_auc": "how often a row of the class is ranked before one of another; 0.5 is chance",
    "average_precision": "precision averaged over all thresholds; the share of the class is chance",
    "log_loss": "surprise at the true class, given the probabilities",
    "brier_score": "squared distance of the probabilities from what happened",
    "accuracy": "share of rows that are right",
    "balanced_accuracy": "share of each class that is right, averaged over the classes",
    "precision": "share of the predicted that are so",
    "recall": "share of those that are so that were found",
    "f1": "harmonic mean of precision and recall",
    "matthews_corrcoef": "correlation of truth and prediction; 0 is chance",
    "rmse": "root of the mean squared error, in the unit of the target",
    "mae": "mean absolute error, in the unit of the target",
    "mape": "mean absolute error as a share of the true value",
    "r2": "share of the variance explained; 0 is the mean",
    "adjusted_r2": "share of the variance explained, less what as many columns explain by chance",
    "median_absolute_error": "half of the errors are smaller, in the unit of the target",
    "silhouette": "how much nearer rows are to their own cluster than to the next, -1 to 1",
    "davies_bouldin": "size of the clusters against the distance between them",
    "calinski_harabasz": "spread between clusters against spread within",
    "stability": "agreement of the clusters when the rows are drawn anew; 1 is always the same",
}


def head(facts: Facts) -> dict[str, Any]:
    """Return the verdict, the gain in words, the primary metric with its interval."""
    decision, simplest = facts.decision, facts.decision["simplest_adequate"]
    passed = list(decision["passed"].values())
    return {
        "tone": "open" if "why" in decision else "no" if decision["verdict"].startswith("no ") else "yes",
        "verdict": decision["verdict"],
        "sentence": decision.get("why") or _gain_in_words(facts),
        "good_enough": decision["good_enough"],
        "enough": "yes" if decision["good_enough"] else "no" if False in passed else "cannot be told",
        "passed": passed.count(True),
        "rules": len(passed),
        "simplest": None if simplest in (facts.model, "model", None) else simplest,
        "value": facts.test.get(facts.primary),
        "interval": facts.intervals["metrics"].get(facts.primary),
        "arrow": arrow(facts.primary),
    }


def _gain_in_words(facts: Facts) -> str:
    """Return the gain over the best baseline in words; a model that is a rung itself is compared with the others."""
    decision, own = facts.decision, facts.own_rung
    kind = "baseline" if own is None else f"baseline beside {plain(own)}, the model's own rung"
    value, low, high = decision["gain"], decision["gain_low"], decision["gain_high"]
    told = f"On the test rows, {facts.model} against {plain(decision['best_baseline'])}, the best {kind}: "
    told += f"a gain of {score(value) if value < 0 else f'+{score(value)}'} in {facts.primary}, "
    told += f"95% interval {score(low)} to {score(high)}."
    if low <= 0 <= high:
        told += " That is within the noise."
    if decision["least_gain"]:
        told += f" Worth having from {number(float(decision['least_gain']))}."
    return told


def metrics(facts: Facts) -> list[dict[str, Any]]:
    """Return a line a metric, the primary first."""
    names = list(dict.fromkeys([*facts.problem.metrics.names, *facts.test, *facts.cv]))
    bounds, best = facts.intervals["metrics"], (facts.findings.get("best") or {}).get("metrics", {})
    return [
        {"name": name, "arrow": arrow(name), "words": WORDS.get(name, ""), "cv": facts.cv.get(name)}
        | {
            "test": facts.test.get(name),
            "best": best.get(name),
            "low": bounds.get(name, {}).get("low"),
            "high": bounds.get(name, {}).get("high"),
        }
        for name in names
    ]


def slices(facts: Facts) -> list[dict[str, Any]]:
    """Return the slices worse than the whole, each named with its column once."""
    worse = [line for line in facts.findings.get("slices", []) if (line["gap"] or 0) > 0]
    return [{**line, "words": _name(line["slice"], line["column"])} for line in worse[:MOST_SLICES]]


def _name(part: str, column: str) -> str:
    return part if part.startswith(column[:8]) else f"{column}: {part}"


def money(facts: Facts) -> dict[str, Any] | None:
    """Return what the predictions of the test rows are worth, and how much more than each rung's."""
    told = facts.findings.get("money")
    if not told:
        return None
    rungs = [{"name": name, **gain(more)} for name, more in told["against"].items()]
    each = told["model"] / told["rows"] if told["model"] is not None and told["rows"] else None
    return {"unit": told["unit"], "rows": told["rows"], "model": told["model"], "each": each, "rungs": rungs}


def importance(facts: Facts) -> dict[str, Any] | None:
    """Return the columns whose shuffling costs the most, as bars."""
    told = facts.findings.get("importance") or []
    if not told:
        return None
    first = told[:MOST_COLUMNS]
    names, drops = [one["column"] for one in first], [one["drop"] or 0.0 for one in first]
    spreads = [one["spread"] or 0.0 for one in first]
    title, x = "Importance of columns", f"loss in {facts.primary}"
    svg = charts.bars(names, drops, name="importance", title=title, x=x, spreads=spreads)
    return {"figure": figure(svg, title), "more": len(told) - len(first)}


def rules(decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a line a rule: the broken ones first, then those that cannot be told."""
    told = {False: ("no", "bad"), None: ("cannot be told", "warn"), True: ("yes", "good")}
    return [
        {"name": name, "kept": words, "tone": tone, "margin": decision["margin"].get(name)}
        for kept, (words, tone) in told.items()
        for name, passed in decision["passed"].items()
        if passed is kept
    ]
