"""How the model was chosen: the ladder of baselines that it must beat, and the search of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Return how many trials became what, which are taken and what for, both scores, why some failed, two charts."""
    trials = facts.trials
    whole = trials[trials["score"].notna() & (trials["rows"] == 1.0)]
    taken = trials[trials["weight"] > 0].sort_values("weight", ascending=False, kind="stable")
    return {
        "count": len(trials),
        "states": {str(name): int(count) for name, count in trials["state"].value_counts().sort_index().items()},
        "causes": [str(cause) for cause in trials["cause"][trials["state"] == "failed"].unique()][:3],
        "best": _best(facts, whole),
        "taken": [int(number) for number in taken["number"]],
        "members": _members(facts.best_params),
        "scores": facts.choice,
        "figures": [*_history(facts, whole), *_influence(facts)],
    }


def _members(best: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is fitted: one model without a name, or members by weight, each with its parameters."""
    return list(best.get("members", [{"family": "", "weight": 1.0, "parameters": dict(best)}]))


def _best(facts: Facts, whole: pd.DataFrame) -> dict[str, Any]:
    up = arrow(facts.primary) == "↑"
    best = whole.iloc[int(whole["score"].argmax() if up else whole["score"].argmin())]
    return {"number": int(best["number"]), "score": float(best["score"]), "spread": float(best["spread"])}


def _influence(facts: Facts) -> list[dict[str, Any]]:
    """Return the chart of what the parameters matter, none where too few trials tell."""
    if len(facts.influence) < 2:
        return []
    shares = zip(facts.influence["parameter"], facts.influence["share"], strict=True)
    bars = [charts.Rung(str(name), float(share)) for name, share in shares]
    title = "Influence of each parameter"
    svg = charts.ladder(bars, name="influence", title=title, x="share of what sets good trials apart")
    return [figure(svg, title, "PED-ANOVA (Watanabe et al. 2023) of the trials that went through all folds.")]


def _history(facts: Facts, whole: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the chart of the search, none of a single trial."""
    if len(whole) < 2:
        return []
    so_far = whole["score"].cummax() if arrow(facts.primary) == "↑" else whole["score"].cummin()
    series = [
        charts.Line("each trial", whole["number"], whole["score"], points=True, joined=False),
        charts.Line("best so far", whole["number"], so_far),
    ]
    y = f"{facts.primary} {arrow(facts.primary)}"
    svg = charts.lines(series, name="trials", title="Score by trial", x="trial", y=y, steps=True, whole=True)
    return [
        figure(svg, "The search", "Mean over the folds of the training rows; trials that ended early are not shown.")
    ]
