"""The result on a terminal: problem, ladder, model, verdict, in at most 40 lines of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Container, Mapping
from typing import Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import UnreadableError
from mlworkflow.core.params import read_params
from mlworkflow.measures import metrics

WIDTH = 80


def summary() -> str:
    """Return the summary of the last run.

    Raises:
        UnreadableError: the workflow has not run yet.
    """
    problem = read_params()["problem"]
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
    timed = [name for name, passed in told["passed"].items() if passed is not None and name not in told["margin"]]
    lines = [line for each in _verdict(told) for line in _wrap(each)] + _rules(told, timed)
    return "\n".join(lines + [line for name in timed for line in _wrap(f"  {name}: {_time()}")])


def good_enough() -> bool:
    """Return whether the model keeps every rule."""
    return bool(io.read_json(paths.DECISION)["good_enough"])


def number(value: float | None) -> str:
    """Return `value` with four significant digits, the same everywhere on a terminal; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def rival(told: Mapping[str, Any]) -> str:
    """Return the rung that the model is compared with, and why it need not be the best of the ladder."""
    beside = _beside(told)
    return f"{told['best_baseline']}, the best baseline{beside}" if beside else str(told["best_baseline"])


def _beside(told: Mapping[str, Any]) -> str:
    return " beside the model's own" if told.get("own_rung") else ""


def _wrap(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ") or [""]


def _arrow(name: str) -> str:
    return "higher is better" if metrics.METRICS[name].greater_is_better else "lower is better"


def _ladder(ladder: dict[str, dict[str, float]], told: dict[str, Any], cross_validated: dict[str, float]) -> list[str]:
    primary = told["primary"]
    lines = [f"Ladder, cross-validated {primary} ({_arrow(primary)})"]
    own = told.get("own_rung")
    for name, values in ladder.items():
        mark = f"  <- best baseline{_beside(told)}" if name == told["best_baseline"] else ""
        mark = "  (the model's own rung, untuned)" if name == own else mark
        lines.append(f"  {name:<24}{number(values.get(primary)):>12}{mark}")
    return [*lines, f"  {'model: ' + told['model']:<24}{number(cross_validated.get(primary)):>12}"]


def _metrics(
    bounds: dict[str, Any], cross_validated: dict[str, float], tested: dict[str, float], best: dict[str, Any] | None
) -> list[str]:
    """Return a line a metric; in a simulation with the best possible value, and how far the model is from it."""
    lines = [_metric("metric", "validated", "test", "possible" if best else None, "95% interval, test")]
    for name, value in tested.items():
        bound = bounds["metrics"].get(name)
        interval = f"{number(bound['low'])} to {number(bound['high'])}" if bound and bound["low"] is not None else ""
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
    failed, untold = ([name for name, passed in told["passed"].items() if passed is kept] for kept in (False, None))
    count = len(told["passed"])
    enough = "yes" if told["good_enough"] else "no" if failed else "cannot be told"
    lists = [f"; {words}: {', '.join(names)}" for words, names in (("not kept", failed), ("unknown", untold)) if names]
    lines = [
        f"Verdict: {told['verdict']}. {_gain(told)}",
        f"Good enough: {enough}, {count - len(failed) - len(untold)} of {count} rules kept{''.join(lists)}.",
    ]
    if told["simplest_adequate"] not in (None, told["model"]):
        lines.append(f"Simplest that does as well: {told['simplest_adequate']}.")
    return lines


def _gain(told: dict[str, Any]) -> str:
    if "why" in told:
        return str(told["why"])
    return (
        f"{told['primary']} on the same test rows against {rival(told)}: {_signed(told['gain'])}, "
        f"95% interval {number(told['gain_low'])} to {number(told['gain_high'])}; "
        f"worth having from {number(told['least_gain'])}."
    )


def _signed(gain: float) -> str:
    return f"{number(abs(gain))} {'better' if gain >= 0 else 'worse'}"


def _rules(told: dict[str, Any], timed: Container[str]) -> list[str]:
    words = {True: "kept", False: "NOT KEPT", None: "unknown"}
    return [f"  {'':<10}{'rule':<44}{'kept by':>12}"] + [
        f"  {words[passed]:<10}{name:<44}{'see below' if name in timed else number(told['margin'].get(name)):>12}"
        for name, passed in told["passed"].items()
    ]


def _time() -> str:
    """Return what is known of the measured time: it is no output, as it is another one at each run."""
    try:
        measured = f"{number(io.read_json(paths.PREDICTION_TIME)['milliseconds_a_row'])} when last measured here"
    except UnreadableError:
        measured = "not measured here yet, `dvc repro -s -f evaluate` does"
    return f"{measured} ({paths.PREDICTION_TIME}); times are no outputs, so no margin is kept."
