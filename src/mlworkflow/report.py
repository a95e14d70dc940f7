"""The report: everything the workflow found out about one problem, as one page from the question to the verdict.

`page(facts)` is pure; the stage of the same name reads the files. Each `_..` function makes the values of one
section of templates/report.html; what a task does not have is None and its section is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlworkflow.measures.metrics import METRICS
from mlworkflow.pages import charts
from mlworkflow.pages.templates import number, plain, render, score, sentence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlworkflow.core.problem import Problem
    from mlworkflow.rows.schema import Column

MOST_SLICES = 10
MOST_COLUMNS = 15
MOST_OPEN = 12  # columns whose table is open at once
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


@dataclass(frozen=True)
class Facts:
    """What the page tells; each mapping is the file of that name (see paths.py), each table its CSV.

    `classes`: in the order of their codes. `own_rung`: the rung of the ladder that the model itself is.
    `plots`: the tables of evaluation/plots by name, without `.csv`. `columns`: of the features table.
    """

    problem: Problem
    model: str
    classes: list[Any]
    provenance: Mapping[str, Any]
    ledger: pd.DataFrame
    data_findings: list[Mapping[str, Any]]
    baseline: Mapping[str, Mapping[str, float | None]]
    trials: pd.DataFrame
    best_params: Mapping[str, Any]
    curve: pd.DataFrame
    cv: Mapping[str, float | None]
    test: Mapping[str, float | None]
    intervals: Mapping[str, Any]
    findings: Mapping[str, Any]
    decision: Mapping[str, Any]
    own_rung: str | None = None
    drift: Mapping[str, Any] | None = None
    plots: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    columns: Sequence[Column] = ()


def page(facts: Facts) -> str:
    """Return the page as HTML; the same facts make the same bytes."""
    return render(
        "report.html",
        problem=facts.problem,
        model=facts.model,
        head=_head(facts),
        values=_values(facts.problem),
        constraints=_constraints(facts.problem),
        provenance=facts.provenance,
        rows=facts.findings["rows"],
        ledger=_lines(facts.ledger),
        treated=_treated(facts),
        many=MOST_OPEN,
        data_findings=facts.data_findings,
        ladder=_ladder(facts),
        tuning=_tuning(facts),
        metrics=_metrics(facts),
        best=facts.findings.get("best"),
        intervals=facts.intervals,
        fit=facts.findings.get("fit"),
        figures=_figures(facts),
        findings=facts.findings,
        money=_money(facts),
        slices=_slices(facts),
        all_slices=len(facts.findings.get("slices", [])),
        importance=_importance(facts),
        rules=_rules(facts.decision),
        drift=facts.drift if facts.drift and facts.drift.get("rows") else None,
    )


def arrow(metric: str) -> str:
    """Return an arrow that says which way is better."""
    return "↑" if metric in METRICS and METRICS[metric].greater_is_better else "↓"


def _head(facts: Facts) -> dict[str, Any]:
    """The verdict in one sentence, the primary metric with its interval."""
    decision, primary = facts.decision, facts.problem.metrics.primary
    passed = list(decision["passed"].values())
    simplest = decision["simplest_adequate"]
    return {
        "tone": "open" if "why" in decision else "no" if decision["verdict"].startswith("no ") else "yes",
        "verdict": decision["verdict"],
        "sentence": decision.get("why") or _gain_in_words(facts),
        "good_enough": decision["good_enough"],
        "enough": "yes" if decision["good_enough"] else "no" if False in passed else "cannot be told",
        "passed": passed.count(True),
        "rules": len(passed),
        "simplest": None if simplest in (facts.model, "model", None) else simplest,
        "value": facts.test.get(primary),
        "interval": facts.intervals["metrics"].get(primary),
        "arrow": arrow(primary),
    }


def _gain_in_words(facts: Facts) -> str:
    """The gain over the best baseline and its interval; a model that is a rung itself is compared with the others."""
    decision = facts.decision
    kind = "baseline" if facts.own_rung is None else f"baseline beside {plain(facts.own_rung)}, the model's own rung"
    told = f"On the test rows, {facts.model} against {plain(decision['best_baseline'])}, the best {kind}: "
    told += f"a gain of {_gained(decision['gain'])} in {facts.problem.metrics.primary}, "
    low, high = decision["gain_low"], decision["gain_high"]
    told += f"95% interval {score(low)} to {score(high)}."
    if low <= 0 <= high:
        told += " That is within the noise."
    if decision["least_gain"]:
        told += f" Worth having from {number(float(decision['least_gain']))}."
    return told


def _gained(value: float) -> str:
    return score(value) if value < 0 else f"+{score(value)}"


def _values(problem: Problem) -> dict[str, Any] | None:
    """What each outcome is worth: a table for classes, two sentences for a number."""
    if problem.value is None:
        return None
    outcomes = problem.value.outcomes or {}
    predicted = list(dict.fromkeys(str(name) for row in outcomes.values() for name in row))
    rows = [(str(actual), [_by_name(row, name) for name in predicted]) for actual, row in outcomes.items()]
    value = problem.value
    return {"unit": value.unit, "predicted": predicted, "rows": rows, "over": value.over, "under": value.under}


def _by_name(row: Mapping[Any, float], name: str) -> float | None:
    return {str(label): worth for label, worth in row.items()}.get(name)


def _constraints(problem: Problem) -> list[str]:
    """The constraints of the problem as sentences."""
    limits, told = problem.constraints, []
    if limits.largest_model_megabytes is not None:
        told.append(f"the model takes at most {number(limits.largest_model_megabytes)} MB")
    if limits.slowest_prediction_milliseconds is not None:
        told.append(f"one row is predicted within {number(limits.slowest_prediction_milliseconds)} ms")
    for metric, limit in limits.metrics.items():
        told.append(f"{metric} is {'at least' if arrow(metric) == '↑' else 'at most'} {number(limit)}")
    if limits.largest_gap_of_a_slice is not None:
        told.append(f"no slice is worse than the whole by more than {number(limits.largest_gap_of_a_slice)}")
    for part in limits.slices:
        told.append(
            f"{part.column} = {part.value} makes up at least {number(100 * part.smallest_share)}% of the test rows"
        )
    return told


def _lines(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, missing values as empty strings."""
    return [
        {str(name): "" if value != value or value is None else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _treated(facts: Facts) -> list[dict[str, Any]]:
    """How the model sees each column: kind, share missing, treatment and why; the dropped ones last."""
    lines = [
        {"name": one.name, "kind": one.kind, "missing": one.missing, "treatment": one.treatment, "why": one.why}
        | {"outliers": "" if one.outliers == "leave" else f", outliers: {one.outliers}"}
        for one in facts.columns
        if one.treatment is not None
    ]
    return sorted(lines, key=lambda line: line["treatment"] == "drop")


def _ladder(facts: Facts) -> dict[str, Any]:
    """The rungs and the model: cross-validated value, gain of the model on the test rows; two charts."""
    primary, against = facts.problem.metrics.primary, facts.findings.get("against", {})
    rungs = [
        {"name": name, "value": told.get(primary), **_gain(against.get(name))} for name, told in facts.baseline.items()
    ]
    known = [charts.Rung(one["name"], one["value"]) for one in rungs if one["value"] is not None]
    if (own := facts.cv.get(primary)) is not None:
        known.append(charts.Rung(f"{facts.model}, the model", own, strong=True))
    gains = [charts.Rung(one["name"], one["gain"], one["low"], one["high"]) for one in rungs if one["gain"] is not None]
    figures = []
    if known:
        svg = charts.ladder(known, name="ladder", title=f"{primary} of each rung", x=f"{primary}, cross-validated")
        figures.append(
            _figure(
                svg, f"{primary} {arrow(primary)} of each rung", "Cross-validated on the training rows; the model last."
            )
        )
    if gains:
        title = "Gain of the model over each rung"
        svg = charts.ladder(gains, name="gains", title=title, x=f"gain in {primary}, test rows", zero=True)
        figures.append(
            _figure(svg, title, "Paired on the test rows, with 95% intervals; right of zero the model is better.")
        )
    return {
        "rungs": rungs,
        "own": own,
        "best": facts.decision["best_baseline"],
        "own_rung": facts.own_rung,
        "figures": figures,
        "arrow": arrow(primary),
    }


def _gain(told: Mapping[str, Any] | None) -> dict[str, Any]:
    told = told or {}
    return {"gain": told.get("value"), "low": told.get("low"), "high": told.get("high")}


def _figure(svg: str, title: str, caption: str = "") -> dict[str, Any]:
    from markupsafe import Markup

    return {"svg": Markup(svg), "title": title, "caption": caption}


def _tuning(facts: Facts) -> dict[str, Any]:
    """How many trials of which state, the best of them and its parameters, why some failed, the history."""
    told: dict[str, Any] = {
        "count": len(facts.trials),
        "states": {},
        "best": None,
        "taken": [],
        "causes": [],
        "figures": [],
    }
    told["params"] = dict(facts.best_params)
    if facts.trials.empty:
        return told
    told["states"] = {
        str(name): int(count) for name, count in facts.trials["state"].value_counts().sort_index().items()
    }
    told["causes"] = [str(cause) for cause in facts.trials["cause"].dropna().unique() if str(cause)][:3]
    done = facts.trials[facts.trials["score"].notna()]
    if len(done):
        up = arrow(facts.problem.metrics.primary) == "↑"
        best = done.iloc[int(done["score"].argmax() if up else done["score"].argmin())]
        told["best"] = {name: float(best[name]) for name in ("score", "spread")} | {"number": int(best["number"])}
        told["taken"] = [int(number) for number in done["number"][done["taken"]] if number != best["number"]]
        if len(done) > 1:
            told["figures"] = [_history(facts, done, done["score"].cummax() if up else done["score"].cummin())]
    return told


def _history(facts: Facts, done: pd.DataFrame, best: pd.Series) -> dict[str, Any]:
    primary = facts.problem.metrics.primary
    series = [
        charts.Line("each trial", done["number"], done["score"], points=True, joined=False),
        charts.Line("best so far", done["number"], best),
    ]
    y = f"{primary} {arrow(primary)}"
    svg = charts.lines(series, name="trials", title="Score by trial", x="trial", y=y, steps=True, whole=True)
    return _figure(svg, "The search", "Mean over the folds of the training rows.")


def _metrics(facts: Facts) -> list[dict[str, Any]]:
    """One line a metric, the primary first."""
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


def _figures(facts: Facts) -> list[dict[str, Any]]:
    """The plots that the task has, in a fixed order."""
    found = [
        draw(facts, facts.plots[name]) for name, draw in PLOTS.items() if name in facts.plots and len(facts.plots[name])
    ]
    return found + _learning(facts)


def _roc(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    line = charts.Line("model", table["false_positive_rate"], table["true_positive_rate"])
    title = "ROC curve"
    svg = charts.lines(
        [line], name="roc", title=title, x="false positive rate", y="true positive rate", unit=True, diagonal=True
    )
    return _figure(svg, title, f"{_of_class(facts)} Dashed: chance.")


def _precision_recall(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    title = "Precision and recall"
    svg = charts.lines(
        [charts.Line("model", table["recall"], table["precision"])],
        name="pr",
        title=title,
        x="recall",
        y="precision",
        unit=True,
    )
    return _figure(svg, title, _of_class(facts))


def _of_class(facts: Facts) -> str:
    """Whose curve it is."""
    if len(facts.classes) == 2:
        return f"Class {facts.classes[1]}, by threshold."
    return "Each class against the rest, all taken together."


def _calibration(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    line = charts.Line("model", table["predicted"], table["observed"], points=True)
    title = "Calibration"
    svg = charts.lines(
        [line], name="calibration", title=title, x="predicted probability", y="observed share", unit=True, diagonal=True
    )
    told = facts.findings.get("calibration")
    return _figure(
        svg, title, f"{sentence(told['words'])}" if told else "On the dashed line, probabilities mean what they say."
    )


def _confusion(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    title = "Confusion matrix"
    counts = confusion(table, [str(name) for name in facts.classes])
    svg = charts.confusion(counts, facts.classes, name="confusion", title=title)
    return _figure(
        svg, title, f"{number(int(counts.sum()))} test rows; blue is right, each row shaded by its own shares."
    )


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
    return _figure(svg, title, "Test rows. A pattern around the line is something the model has not learnt.")


def _clusters(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    title = "Clusters"
    svg = charts.clusters(table["first"], table["second"], table["cluster"], name="clusters", title=title)
    return _figure(svg, title, "Test rows on their first two principal components.")


PLOTS: dict[str, Callable[[Facts, Any], dict[str, Any]]] = {
    "confusion": _confusion,
    "roc": _roc,
    "precision_recall": _precision_recall,
    "calibration": _calibration,
    "residuals": _residuals,
    "clusters": _clusters,
}


def _learning(facts: Facts) -> list[dict[str, Any]]:
    primary, curve = facts.problem.metrics.primary, facts.curve
    names = {"train": "rows fitted on", "cross_validated": "held-out rows"}
    if len(curve) < 2 or not {"rows", *names} <= set(curve.columns):
        return []
    series = [charts.Line(words, curve["rows"], curve[name], points=True) for name, words in names.items()]
    y = f"{primary} {arrow(primary)}"
    svg = charts.lines(series, name="learning", title="Learning curve", x="training rows", y=y, whole=True)
    caption = "If it still improves at the right end, more rows would help; if the lines are far apart, it overfits."
    return [_figure(svg, "Learning curve", caption)]


def _slices(facts: Facts) -> list[dict[str, Any]]:
    """The slices worse than the whole, each named with its column once."""
    told = [line for line in facts.findings.get("slices", []) if (line["gap"] or 0) > 0][:MOST_SLICES]
    named = [
        line["slice"] if line["slice"].startswith(line["column"][:8]) else f"{line['column']}: {line['slice']}"
        for line in told
    ]
    return [{**line, "words": words} for line, words in zip(told, named, strict=True)]


def _money(facts: Facts) -> dict[str, Any] | None:
    """What the predictions of the test rows are worth, and how much more than each rung's."""
    told = facts.findings.get("money")
    if not told:
        return None
    rungs = [{"name": name, **_gain(gain)} for name, gain in told["against"].items()]
    each = told["model"] / told["rows"] if told["model"] is not None and told["rows"] else None
    return {"unit": told["unit"], "rows": told["rows"], "model": told["model"], "each": each, "rungs": rungs}


def _importance(facts: Facts) -> dict[str, Any] | None:
    """The columns whose shuffling costs the most, as bars."""
    told = facts.findings.get("importance") or []
    if not told:
        return None
    first = told[:MOST_COLUMNS]
    primary = facts.problem.metrics.primary
    names, drops = [one["column"] for one in first], [one["drop"] or 0.0 for one in first]
    spreads = [one["spread"] or 0.0 for one in first]
    svg = charts.bars(
        names, drops, name="importance", title="Importance of columns", x=f"loss in {primary}", spreads=spreads
    )
    return {"figure": _figure(svg, "Importance of columns"), "more": len(told) - len(first)}


def _rules(decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line a rule: the broken ones first, then those that cannot be told."""
    told = {False: ("no", "bad"), None: ("cannot be told", "warn"), True: ("yes", "good")}
    return [
        {"name": name, "kept": told[kept][0], "tone": told[kept][1], "margin": decision["margin"].get(name)}
        for kept in told
        for name, passed in decision["passed"].items()
        if passed is kept
    ]
