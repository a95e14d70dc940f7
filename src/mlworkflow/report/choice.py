"""How the model was chosen: the ladder of baselines that it must beat, and the search of its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlworkflow.pages import charts
from mlworkflow.report.facts import arrow, gain
from mlworkflow.report.figures import figure

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.report.facts import Facts


def ladder(facts: Facts) -> dict[str, Any]:
    """Return the rungs and the model: cross-validated value, gain of the model on the test rows; two charts."""
    primary, against = facts.primary, facts.findings.get("against", {})
    rungs = [
        {"name": name, "value": told.get(primary), **gain(against.get(name))} for name, told in facts.baseline.items()
    ]
    return {
        "rungs": rungs,
        "own": facts.cv.get(primary),
        "best": facts.decision["best_baseline"],
        "own_rung": facts.own_rung,
        "figures": [*_of_values(facts, rungs), *_of_gains(facts, rungs)],
        "arrow": arrow(primary),
    }


def _of_values(facts: Facts, rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the chart of the cross-validated values, none where there is no value."""
    primary, own = facts.primary, facts.cv.get(facts.primary)
    known = [charts.Rung(one["name"], one["value"]) for one in rungs if one["value"] is not None]
    known += [charts.Rung(f"{facts.model}, the model", own, strong=True)] if own is not None else []
    if not known:
        return []
    svg = charts.ladder(known, name="ladder", title=f"{primary} of each rung", x=f"{primary}, cross-validated")
    caption = "Cross-validated on the training rows; the model last."
    return [figure(svg, f"{primary} {arrow(primary)} of each rung", caption)]


def _of_gains(facts: Facts, rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the chart of the gains on the test rows, none where there is no gain."""
    gains = [charts.Rung(one["name"], one["gain"], one["low"], one["high"]) for one in rungs if one["gain"] is not None]
    if not gains:
        return []
    title, x = "Gain of the model over each rung", f"gain in {facts.primary}, test rows"
    svg = charts.ladder(gains, name="gains", title=title, x=x, zero=True)
    return [figure(svg, title, "Paired on the test rows, with 95% intervals; right of zero the model is better.")]


def tuning(facts: Facts) -> dict[str, Any]:
    """Return how many trials of which state, the best of them and its parameters, why some failed, the history."""
    trials, params = facts.trials, dict(facts.best_params)
    if trials.empty:
        return {"count": 0, "params": params, "states": {}, "causes": [], **_best(facts, trials)}
    return {
        "count": len(trials),
        "params": params,
        "states": {str(name): int(count) for name, count in trials["state"].value_counts().sort_index().items()},
        "causes": [str(cause) for cause in trials["cause"].dropna().unique() if str(cause)][:3],
        **_best(facts, trials[trials["score"].notna()]),
    }


def _best(facts: Facts, done: pd.DataFrame) -> dict[str, Any]:
    """Return the best of the trials that have a score, those taken in its place, and how the search went."""
    if done.empty:
        return {"best": None, "taken": [], "figures": []}
    up = arrow(facts.primary) == "↑"
    best = done.iloc[int(done["score"].argmax() if up else done["score"].argmin())]
    so_far = done["score"].cummax() if up else done["score"].cummin()
    return {
        "best": {name: float(best[name]) for name in ("score", "spread")} | {"number": int(best["number"])},
        "taken": [int(number) for number in done["number"][done["taken"]] if number != best["number"]],
        "figures": [_history(facts, done, so_far)] if len(done) > 1 else [],
    }


def _history(facts: Facts, done: pd.DataFrame, so_far: pd.Series) -> dict[str, Any]:
    series = [
        charts.Line("each trial", done["number"], done["score"], points=True, joined=False),
        charts.Line("best so far", done["number"], so_far),
    ]
    y = f"{facts.primary} {arrow(facts.primary)}"
    svg = charts.lines(series, name="trials", title="Score by trial", x="trial", y=y, steps=True, whole=True)
    return figure(svg, "The search", "Mean over the folds of the training rows.")
