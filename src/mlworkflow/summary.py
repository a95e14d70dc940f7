"""The result on a terminal: problem, ladder, model, verdict, in at most 40 lines of 80 columns."""

from __future__ import annotations

import textwrap
from typing import Any

from mlworkflow.core import io, paths
from mlworkflow.measures import metrics

WIDTH = 80


def summary() -> str:
    """Return the summary of the last run.

    Raises:
        UnreadableError: the workflow has not run yet.
    """
    problem = io.read_yaml(paths.PARAMS)["problem"]
    told, found = io.read_json(paths.DECISION), io.read_json(paths.FINDINGS)
    tested = io.read_json(paths.TEST_METRICS)
    lines = [f"{problem['name']}: {problem['question']}", ""]
    lines += _ladder(io.read_json(paths.BASELINE_METRICS), told, io.read_json(paths.CV_METRICS))
    lines += [
        "",
        *_metrics(io.read_json(paths.INTERVALS), io.read_json(paths.CV_METRICS), tested, found.get("best")),
    ]
    lines += ["", *_money(found["money"], told), *_verdict(told), *_silent(found["threshold"])]
    lines += ["", *_doubts(io.read_json(paths.DATA_FINDINGS)["findings"])]
    lines += [f"Report: {paths.INDEX_PAGE}   Data: {paths.EXPLORE_PAGE}"]
    return "\n".join(wrapped for line in lines for wrapped in _wrap(line))


def decision() -> str:
    """Return the verdict and every rule, a line each."""
    told = io.read_json(paths.DECISION)
    return "\n".join([line for each in _verdict(told) for line in _wrap(each)] + _rules(told))


def good_enough() -> bool:
    """Return whether the model keeps every rule."""
    return bool(io.read_json(paths.DECISION)["good_enough"])


def number(value: float | None) -> str:
    """Return `value` with four significant digits, the same everywhere on a terminal; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _wrap(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ") or [""]


def _arrow(name: str) -> str:
    return "higher is better" if metrics.METRICS[name].greater_is_better else "lower is better"


def _ladder(ladder: dict[str, dict[str, float]], told: dict[str, Any], cross_validated: dict[str, float]) -> list[str]:
    primary = told["primary"]
    lines = [f"Ladder, cross-validated {primary} ({_arrow(primary)})"]
    for name, values in ladder.items():
        mark = "  <- best baseline" if name == told["best_baseline"] else ""
        mark = "  (what the model is, untuned)" if name == told["model"] else mark
        lines.append(f"  {name:<24}{number(values.get(primary)):>12}{mark}")
    return [*lines, f"  {'model: ' + told['model']:<24}{number(cross_validated.get(primary)):>12}"]


def _metrics(
    bounds: dict[str, Any], cross_validated: dict[str, float], tested: dict[str, float], best: dict[str, Any] | None
) -> list[str]:
    """Return a line a metric; in a simulation with the best possible value, and how far the model is from it."""
    lines = [_metric("metric", "validated", "test", "possible" if best else None, "95% interval, test")]
    for name, value in tested.items():
        bound = bounds["metrics"].get(name)
        interval = f"{number(bound['low'])} to {number(bound['high'])}" if bound else ""
        possible = number(best["metrics"].get(name)) if best else None
        lines.append(_metric(name, number(cross_validated.get(name)), number(value), possible, interval))
    return lines + (_short_of(next(iter(tested)), best["ahead"]) if best else [])


def _metric(name: str, validated: str, test: str, possible: str | None, interval: str) -> str:
    known = "" if possible is None else f"{possible:>11}"
    return f"  {name:<22}{validated:>11}{test:>11}{known}   {interval}".rstrip()


def _short_of(primary: str, ahead: dict[str, Any]) -> list[str]:
    if ahead["value"] is None:
        return []
    return [
        f"The truth of these rows is known: the best possible {primary} is {_signed(ahead['value'])} than the model's "
        f"(interval {number(ahead['low'])} to {number(ahead['high'])})."
    ]


def _money(money: dict[str, Any] | None, told: dict[str, Any]) -> list[str]:
    if money is None:
        return []
    rung = told["best_baseline"]
    gain = money["against"][rung]
    return [
        f"Worth on {money['rows']} test rows: {number(money['model'])} {money['unit']}, against {rung}: "
        f"{number(abs(gain['value']))} {'more' if gain['value'] >= 0 else 'less'} "
        f"(interval {number(gain['low'])} to {number(gain['high'])})",
        "",
    ]


def _silent(threshold: dict[str, Any] | None) -> list[str]:
    if threshold is None or not threshold["silent"]:
        return []
    return [f"No test row is predicted {' or '.join(threshold['silent'])}."]


def _doubts(findings: list[dict[str, Any]]) -> list[str]:
    if not findings:
        return []
    return [f"Doubts about the data: {len(findings)}. The first: {findings[0]['what']}"]


def _verdict(told: dict[str, Any]) -> list[str]:
    failed = [name for name, passed in told["passed"].items() if not passed]
    kept = f"{len(told['passed']) - len(failed)} of {len(told['passed'])} rules kept"
    lines = [
        f"Verdict: {told['verdict']}. {_gain(told)}",
        f"Good enough: {'yes' if told['good_enough'] else 'no'}, {kept}"
        + (f"; not kept: {', '.join(failed)}." if failed else "."),
    ]
    if told["simplest_adequate"] != told["model"]:
        lines.append(f"Simplest that does as well: {told['simplest_adequate']}.")
    return lines


def _gain(told: dict[str, Any]) -> str:
    if told["gain"] is None:
        return f"{told['primary']} cannot be compared on these test rows."
    return (
        f"{told['primary']} against {told['best_baseline']} on the same test rows: {_signed(told['gain'])}, "
        f"95% interval {number(told['gain_low'])} to {number(told['gain_high'])}; "
        f"worth having from {number(told['least_gain'])}."
    )


def _signed(gain: float) -> str:
    return f"{number(abs(gain))} {'better' if gain >= 0 else 'worse'}"


def _rules(told: dict[str, Any]) -> list[str]:
    return [f"  {'':<10}{'rule':<44}{'kept by':>12}"] + [
        f"  {'kept' if passed else 'NOT KEPT':<10}{name:<44}{number(told['margin'].get(name)):>12}"
        for name, passed in told["passed"].items()
    ]
