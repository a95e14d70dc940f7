"""Is the model good enough: each rule of the problem passed or not and by how much. Plain numbers, no libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow.core.problem import Problem
from mlworkflow.measures import metrics

CHANCE = "random"  # shows what luck looks like; its own luck makes it no baseline to choose
BETTER, NO_BETTER, UNTOLD = "better than the baseline", "no better than the baseline", "cannot be told"


@dataclass(frozen=True)
class Facts:
    """What the verdict rests on.

    Attributes:
        ladder: {rung: {metric: cross-validated value}}, simplest first.
        tested: {metric: value on the test rows}.
        findings: evaluation/findings.json.
        megabytes: the size of the model file.
    """

    ladder: Mapping[str, Mapping[str, float]]
    tested: Mapping[str, float]
    findings: Mapping[str, Any]
    megabytes: float


@dataclass(frozen=True)
class Rule:
    """One rule: kept or not, None where it cannot be told; by how much (below zero: missed by), None for times."""

    name: str
    passed: bool | None
    margin: float | None


def beaten(difference: Mapping[str, float | None], least_gain: float) -> bool:
    """Return whether a paired difference is a gain larger than its noise and worth having."""
    value, low = difference["value"], difference["low"]
    return value is not None and low is not None and low > 0 and value >= least_gain


def best_baseline(facts: Facts, primary: str, own_rung: str | None) -> str:
    """Return the rung with the best cross-validated primary metric, not the model's own; the simpler of equals."""
    named = [str(name) for name in facts.findings["against"] if name not in (own_rung, CHANCE)]
    able = [name for name in named if facts.ladder.get(name, {}).get(primary) is not None]
    if not able:
        return named[0]
    return max(able, key=lambda name: (metrics.gain(primary, facts.ladder[name][primary], 0.0), -able.index(name)))


def verdict(gain: Mapping[str, float | None], least_gain: float) -> str:
    """Return whether a paired difference is a gain; where it, or its noise, has no value, nothing can be told."""
    if gain["value"] is None or gain["low"] is None:
        return UNTOLD
    return BETTER if beaten(gain, least_gain) else NO_BETTER


def why_untold(facts: Facts, problem: Problem, baseline: str) -> str:
    """Return why there is no telling whether the model is better, and what to do."""
    primary, rows = problem.metrics.primary, f"the {facts.findings['rows']['test']} test rows"
    if cause := facts.findings["without_value"]:
        found = f"{primary} has no value on {rows}: {cause}"
    elif facts.findings["against"][baseline]["value"] is None:
        found = f"{primary} has no value for what {baseline} says of {rows}"
    else:
        found = f"the gain in {primary} has no interval on {rows}: they are too few"
    split = problem.split
    ways = f"mark more of them as test rows in {split.column!r}"
    if split.scheme != "column":
        ways = f"set a problem.split.test_fraction above {split.test_fraction:g}"
    return f"{found}. Collect more rows, or {ways}."


def simplest_adequate(facts: Facts, problem: Problem, model: str, own_rung: str | None) -> str:
    """Return the simplest rung that the model does not clearly beat, or the model."""
    for name, difference in facts.findings["against"].items():
        if name == own_rung:
            return model
        if name == CHANCE:
            continue
        if not beaten(difference, problem.metrics.least_gain):
            return str(name)
    return model


def rules(facts: Facts, problem: Problem, baseline: str) -> list[Rule]:
    """Return every rule of the problem, in the order of its file."""
    return [
        *_gain_rules(facts, problem, baseline),
        *_limit_rules(facts, problem),
        *_metric_rules(facts, problem),
        *_slice_rules(facts, problem),
    ]


def _gain_rules(facts: Facts, problem: Problem, baseline: str) -> list[Rule]:
    """Return the rules of the gain over the best baseline, and over what people reach."""
    gain = facts.findings["against"][baseline]
    low, value = gain["low"], gain["value"]
    found = [
        Rule("gain_over_baseline_above_noise", None if low is None else low > 0, low),
        _rule("gain_over_baseline_worth_having", None if value is None else value - problem.metrics.least_gain),
    ]
    if human := problem.reference.human:
        found.append(_reached(f"as_good_as_people_in_{human.metric}", facts, human.metric, float(human.figure)))
    return found


def _limit_rules(facts: Facts, problem: Problem) -> list[Rule]:
    """Return the rules of the size of the model and of what evaluate measured itself."""
    most = problem.constraints.largest_model_megabytes
    found = [] if most is None else [_rule("largest_model_megabytes", most - facts.megabytes)]
    return found + [Rule(name, bool(told["passed"]), None) for name, told in facts.findings["constraints"].items()]


def _metric_rules(facts: Facts, problem: Problem) -> list[Rule]:
    ends = {True: "least", False: "largest"}
    return [
        _reached(f"{ends[metrics.METRICS[name].greater_is_better]}_{name}", facts, name, float(limit))
        for name, limit in problem.constraints.metrics.items()
    ]


def _slice_rules(facts: Facts, problem: Problem) -> list[Rule]:
    limits, found = problem.constraints, []
    if limits.largest_gap_of_a_slice is not None:
        parts = facts.findings["slices"]
        gaps = [line["gap"] for line in parts if not line["too_small"] and line["gap"] is not None]
        widest = max(gaps) if gaps else None if parts else 0.0  # slices that are all too small tell nothing
        margin = None if widest is None else limits.largest_gap_of_a_slice - widest
        found.append(_rule("largest_gap_of_a_slice", margin))
    for part in limits.slices:
        share = facts.findings["shares"][part.column][str(part.value)]
        found.append(_rule(f"share_of_{part.column}_{part.value}", share - part.smallest_share))
    return found


def _reached(name: str, facts: Facts, metric: str, limit: float) -> Rule:
    """Return the rule that a metric of the test rows is as good as a limit."""
    value = facts.tested.get(metric)
    return _rule(name, None if value is None else metrics.gain(metric, value, limit))


def _rule(name: str, margin: float | None) -> Rule:
    """Return a rule that is kept from a margin of zero on."""
    return Rule(name, None if margin is None else margin >= 0, margin)


def decision(facts: Facts, problem: Problem, model: str, own_rung: str | None) -> dict[str, Any]:
    """Return metrics/decision.json; `why` is there where the verdict cannot be told."""
    primary = problem.metrics.primary
    baseline = best_baseline(facts, primary, own_rung)
    told = rules(facts, problem, baseline)
    gain = facts.findings["against"][baseline]
    found = verdict(gain, problem.metrics.least_gain)
    why = {"why": why_untold(facts, problem, baseline)} if found == UNTOLD else {}
    return {
        "verdict": found,
        **why,
        "good_enough": all(rule.passed for rule in told),
        "model": model,
        "own_rung": own_rung,
        "primary": primary,
        "best_baseline": baseline,
        "gain": gain["value"],
        "gain_low": gain["low"],
        "gain_high": gain["high"],
        "least_gain": problem.metrics.least_gain,
        "simplest_adequate": None if why else simplest_adequate(facts, problem, model, own_rung),
        "passed": {rule.name: rule.passed for rule in told},
        "margin": {rule.name: rule.margin for rule in told if rule.margin is not None},
    }
