"""The report as a page: what needs attention first, then everything over time, then the columns one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan, nan
from typing import Any

from mlworkflow.monitoring.confidence import ASSUMPTIONS
from mlworkflow.monitoring.money import FLATTERING
from mlworkflow.monitoring.report import Report, Value, Window
from mlworkflow.monitoring.steps import steps
from mlworkflow.monitoring.words import evidence, lag, missing, verdict
from mlworkflow.pages import templates
from mlworkflow.pages.over_time import Course, over_time

FIRST_COLUMNS = 12  # with a chart; the others are in the table
NAN = nan  # no limit is drawn
NOTHING = Value(None)


@dataclass(frozen=True)
class Batch:
    """A file of rows that was looked at: how many were used, or why none."""

    name: str
    rows: int
    problem: str | None = None


def page(report: Report, batches: Sequence[Batch] = ()) -> str:
    """Return the page; `batches` are named where the rows came in files."""
    return templates.render(
        "monitor.html",
        report=report,
        verdict=verdict(report),
        missing=[*missing(report), *lag(report)],
        steps=partial(steps, logged=not batches),
        evidence=evidence,
        runs=any(not window.complete for window in report.windows),
        judged=sum(window.complete for window in report.windows),
        rows=sum(window.rows for window in report.windows),
        labelled=sum(window.labelled for window in report.windows),
        figures=figures(report) if report.windows else [],
        column_figures=column_figures(report) if report.windows else [],
        columns=column_lines(report),
        over=[alarm for alarm in report.alarms if alarm.ended is not None],
        notes=list(dict.fromkeys([*report.notes, *(note for window in report.windows for note in window.notes)])),
        assumptions=assumptions(report),
        batches=batches,
    )


def assumptions(report: Report) -> list[str]:
    """Return what the numbers of the report rest on, as far as it has such numbers."""
    told = {"estimated/": ASSUMPTIONS, "money/best_threshold": FLATTERING}
    names = {name for window in report.windows for name in window.numbers}
    return [words for begin, words in told.items() if any(name.startswith(begin) for name in names)]


def figures(report: Report) -> list[dict[str, Any]]:
    """Return the charts of everything but the columns; those without a number are left out."""
    promise = report.promise
    primary, unit = promise.get("primary"), (promise.get("worth") or {}).get("unit")
    earned = [("model", "money/model"), ("one decision for all", "money/baseline")]
    rate = ("Rows an hour", [("rows an hour", "health/rate")], list[str](), None)  # else the rows of a window tell it
    wanted: list[tuple[str, list[tuple[str, str]], list[str], float | None]] = [
        (
            str(primary),
            [("measured", f"performance/{primary}"), ("estimated", f"estimated/{primary}")],
            [f"performance/{primary}", f"estimated/{primary}"],
            None,
        ),
        ("Mean loss", [("loss", "performance/loss")], ["performance/loss"], None),
        ("Evidence that the concept changed", [("evidence", "concept/evidence")], ["concept/loss"], 1.0),
        ("Mean prediction less what came", [("gap", "calibration/gap")], ["calibration/gap"], None),
        ("Calibration error", [("error", "calibration/ece")], ["calibration/shape"], NAN),
        (f"{unit} a row", [*earned, ("best threshold, in hindsight", "money/best_threshold")], ["money/baseline"], NAN),
        ("Drift of the predictions, PSI", [("PSI", "predictions/psi")], ["predictions/predictions"], None),
        ("Mean prediction", [("mean", "predictions/mean")], [], None),
        ("New rows told from training, ROC AUC", [("AUC", "joint/auc")], ["joint/rows"], None),
        ("Rows", [("rows", "health/rows"), ("outcomes known", "labelled")], ["health/rows"], None),
        *([rate] if str(report.log.get("window")).endswith("rows") else []),
        ("Latency, ms", [("95%", "health/p95_ms"), ("median", "health/p50_ms")], ["health/latency"], None),
        ("Rejected requests", [("rejected", "health/rejected")], ["health/rejected"], NAN),
    ]
    made = [_figure(report, *one) for one in wanted]
    return [one for one in made if one is not None]


def column_figures(report: Report) -> list[dict[str, Any]]:
    """Return a chart of the drift of each of the columns that matter most, those with an alarm first."""
    names = sorted(report.columns, key=lambda name: (not _alarmed(report, name), -report.columns[name]))[:FIRST_COLUMNS]
    made = [
        _figure(report, f"{name}, PSI", [("PSI", f"drift/{name}/psi")], [f"drift/{name}", *_quality(name)], None)
        for name in names
    ]
    return [one for one in made if one is not None]


def column_lines(report: Report) -> list[dict[str, Any]]:
    """Return a line a column, those that matter most first: the numbers of the newest complete window."""
    judged = [window for window in report.windows if window.complete and window.rows]
    numbers = judged[-1].numbers if judged else {}
    return [
        {
            "name": name,
            "weight": weight,
            "alarm": _alarmed(report, name),
            **{
                what: numbers.get(f"drift/{name}/{what}", NOTHING).value
                for what in ("psi", "js", "wasserstein", "missing", "unseen", "outside")
            },
        }
        for name, weight in report.columns.items()
    ]


def _alarmed(report: Report, name: str) -> bool:
    return any(alarm.subject == name or alarm.subject.startswith(f"{name}: ") for alarm in report.open)


def _quality(name: str) -> list[str]:
    return [f"quality/{name}: {what}" for what in ("missing", "unseen", "outside", "impossible")]


def _figure(
    report: Report, title: str, lines: Sequence[tuple[str, str]], keys: Sequence[str], limit: float | None
) -> dict[str, Any] | None:
    """Return {title, svg, courses} of a chart, None where no window has a number.

    Args:
        report: whose windows are drawn.
        title: above the chart.
        lines: (name in the legend, key of the numbers).
        keys: of the checks whose alarms are marked where they last; the limit is that of the first one.
        limit: another limit, in the unit of the chart; NaN: none is drawn.
    """
    courses = [
        Course(name, [value.value for value in values], [(value.low, value.high) for value in values], place > 0)
        for place, (name, key) in enumerate(lines)
        if _some(values := [_value(window, key) for window in report.windows])
    ]
    if not courses:
        return None
    labels = [window.label for window in report.windows]
    marks = [at for at, lasting in enumerate(report.lasting()) if _marked(report.windows[at], lasting, keys)]
    running = [at for at, window in enumerate(report.windows) if not window.complete]
    first = keys[0] if keys else ""
    limits = [check.limit for window in report.windows for check in window.checks if "/".join(check.key) == first]
    drawn = limit if limit is not None else next((one for one in reversed(limits) if one is not None), None)
    drawn = None if drawn is None or isnan(drawn) else drawn
    svg = over_time(courses, labels, title=f"{title} over time", limit=drawn, marks=marks, running=running)
    return {"title": title, "svg": svg, "courses": courses}


def _value(window: Window, key: str) -> Value:
    if key == "labelled":
        return Value(float(window.labelled))
    return window.numbers.get(key, NOTHING)


def _some(values: Sequence[Value]) -> bool:
    return any(value.value is not None for value in values)


def _marked(window: Window, lasting: Collection[str], keys: Sequence[str]) -> bool:
    """Whether one of the checks was asked in a window in which its alarm lasts."""
    asked = {"/".join(check.key) for check in window.checks}
    return any(key in lasting and key in asked for key in keys)
