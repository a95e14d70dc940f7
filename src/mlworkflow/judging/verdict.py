"""Is the model good enough: each rule of the problem passed or not and by how much. Plain numbers, no libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow.core.problem import Problem
from mlworkflow.measures import metrics

CHANCE = "random"  # shows what luck looks like; its own luck makes it no baseline to choose
BETTER, NO_BETTER = "better than the baseline", "no better than the baseline"


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
    """One rule: kept or not, and by how much (below zero: missed by); None where the margin is a measured time."""

    name: str
    passed: bool
    margin: float | None


def beaten(difference: Mapping[str, float | None], least_gain: float) -> bool:
    """Return whether a paired difference is a gain larger than its noise and worth having."""
    value, low = difference["value"], difference["low"]
    return value is not None and low is not None and low > 0 and value >= least_gain


def best_baseline(facts: Facts, primary: str, own_rung: str | None) -> str:
    """Return the rung with the best cross-validated primary metric, not the model's own; the simpler of equals."""
    able: list[str] = [
        name
        for name in facts.findings["against"]
        if name not in (own_rung, CHANCE) and facts.ladder.get(name, {}).get(primary) is not None
    ]
    return max(able, key=lambda name: (metrics.gain(primary, facts.ladder[name][primary], 0.0), -able.index(name)))


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
    gain, least = facts.findings["against"][baseline], problem.metrics.least_gain
    low, value = gain["low"], gain["value"]
    margin = None if value is None else value - least
    found = [
        Rule("gain_over_baseline_above_noise", low is not None and low > 0, low),
        Rule("gain_over_baseline_worth_having", value is not None and value >= least, margin),
    ]
    if (human := problem.reference.human) and (reached := facts.tested.get(human.metric)) is not None:
        margin = metrics.gain(human.metric, reached, float(human.figure))
        found.append(Rule(f"as_good_as_people_in_{human.metric}", margin >= 0, margin))
    return found


def _limit_rules(facts: Facts, problem: Problem) -> list[Rule]:
    """Return the rules of the size of the model and of what evaluate measured itself."""
    most, found = problem.constraints.largest_model_megabytes, []
    if most is not None:
        found.append(Rule("largest_model_megabytes", most - facts.megabytes >= 0, most - facts.megabytes))
    return found + [Rule(name, bool(told["passed"]), None) for name, told in facts.findings["constraints"].items()]


def _metric_rules(facts: Facts, problem: Problem) -> list[Rule]:
    found = []
    for name, limit in problem.constraints.metrics.items():
        reached, end = facts.tested.get(name), "least" if metrics.METRICS[name].greater_is_better else "largest"
        margin = None if reached is None else metrics.gain(name, reached, float(limit))
        found.append(Rule(f"{end}_{name}", margin is not None and margin >= 0, margin))
    return found


def _slice_rules(facts: Facts, problem: Problem) -> list[Rule]:
    limits, found = problem.constraints, []
    if limits.largest_gap_of_a_slice is not None:
        gaps = [line["gap"] for line in facts.findings["slices"] if not line["too_small"] and line["gap"] is not None]
        margin = limits.largest_gap_of_a_slice - max(gaps, default=0.0)
        found.append(Rule("largest_gap_of_a_slice", margin >= 0, margin))
    for part in limits.slices:
        margin = facts.findings["shares"][part.column][str(part.value)] - part.smallest_share
        found.append(Rule(f"share_of_{part.column}_{part.value}", margin >= 0, margin))
    return found


def decision(facts: Facts, problem: Problem, model: str, own_rung: str | None) -> dict[str, Any]:
    """Return metrics/decision.json."""
    primary = problem.metrics.primary
    baseline = best_baseline(facts, primary, own_rung)
    told = rules(facts, problem, baseline)
    gain = facts.findings["against"][baseline]
    return {
        "verdict": BETTER if beaten(gain, problem.metrics.least_gain) else NO_BETTER,
        "good_enough": all(rule.passed for rule in told),
        "model": model,
        "primary": primary,
        "best_baseline": baseline,
        "gain": gain["value"],
        "gain_low": gain["low"],
        "gain_high": gain["high"],
        "least_gain": problem.metrics.least_gain,
        "simplest_adequate": simplest_adequate(facts, problem, model, own_rung),
        "passed": {rule.name: rule.passed for rule in told},
        "margin": {rule.name: rule.margin for rule in told if rule.margin is not None},
    }
