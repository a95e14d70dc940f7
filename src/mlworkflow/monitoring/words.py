"""The report in words: for a terminal, and as the few flat numbers of drift.json."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from mlworkflow.monitoring.report import Alarm, Report, Window
from mlworkflow.monitoring.steps import Step, next_steps
from mlworkflow.pages.templates import number, score

SHOWN = 6  # of the newest windows
UNITS = (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0))  # of times gone by, in seconds
SELDOM = 1e-6  # smaller chances are all the same


def words(report: Report, width: int = 80) -> str:
    """Return the report for a terminal: the verdict, what lasts with the command to go on with, the newest windows."""
    lines = [*textwrap.wrap(verdict(report), width)]
    for alarm in report.open:
        lines += ["", *_told(alarm, width)]
    if report.open:
        lines += ["", "Go on with:", *_steps(next_steps(report.open))]
    if report.windows:
        lines += ["", *_table(report)]
    for note in [*missing(report), *lag(report), *report.notes]:
        lines += textwrap.wrap(note, width, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(lines)


def verdict(report: Report) -> str:
    """Return what the report comes to in one sentence."""
    who = f"{report.problem} {report.version}"
    judged = [window for window in report.windows if window.complete]
    if not report.windows:
        return f"{who}: no row has been predicted yet, so there is nothing to judge."
    if not judged:
        runs = f"{_rows(report.windows[-1].rows)} in the one that runs"
        return f"{who}: no window is complete yet; {runs}. Smaller ones are judged sooner: --window '100 rows'."
    if not report.open:
        times = "1 window" if len(judged) == 1 else f"{len(judged)} windows"
        return f"{who}: quiet. Nothing is wrong up to {judged[-1].label} ({times} looked at)."
    count = "1 alarm lasts" if len(report.open) == 1 else f"{len(report.open)} alarms last"
    return f"{who}: {count}, the first since {min(report.open, key=lambda one: _place(report, one)).since}."


def evidence(alarm: Alarm) -> str:
    """Return since when an alarm lasts, how far from its limit, and how seldom chance alone goes as far."""
    check = alarm.check
    told = [f"since {alarm.since}, {_lasted(alarm)}"]
    if check.limit is not None and check.value is not None:
        told.append(f"{score(check.value)}, where the limit is {score(check.limit)}")
    if check.p is not None:
        told.append(f"chance alone goes as far {_seldom(check.p)}")
    return "; ".join(told)


def _seldom(p: float) -> str:
    if p > 0.5:
        return "in most windows"
    if p < SELDOM:
        return "less than once in a million windows"
    count = round(1 / p)
    return f"once in {number(round(count, 2 - len(str(count))))} windows"  # two digits say enough


def missing(report: Report) -> list[str]:
    """Return how many outcomes have not come yet, in words."""
    rows, labelled = (sum(getattr(window, name) for window in report.windows) for name in ("rows", "labelled"))
    if not rows:
        return []
    if labelled == rows:
        return [f"the outcomes of all {_rows(rows)} are known"]
    return [f"of {_rows(rows)} the outcomes of {labelled:,} are known, {rows - labelled:,} are still missing"]


def lag(report: Report) -> list[str]:
    """Return how long ago the newest row of the log was asked, in words; nothing for files of rows."""
    seconds = report.log.get("lag")
    if seconds is None:
        return []
    name, unit = next((each for each in UNITS if seconds >= each[1]), ("minute", 60.0))
    count = int(seconds // unit)
    ago = "less than a minute" if not count else f"1 {name}" if count == 1 else f"{count} {name}s"
    return [f"the newest row was asked {ago} before this look"]


def drift_json(report: Report) -> dict[str, Any]:
    """Return the flat content of drift.json: of the newest complete window; None where it is not known."""
    judged = [window for window in report.windows if window.complete]
    last = judged[-1] if judged else None
    indices = {name: number for name in report.columns if (number := _number(last, f"drift/{name}/psi")) is not None}
    worst = max(indices, key=lambda name: indices[name]) if indices else None
    primary = report.promise.get("primary")
    lasting = {alarm.subject.partition(": ")[0] for alarm in report.open if alarm.part in ("drift", "quality")}
    return {
        "windows": len(judged),
        "rows": sum(window.rows for window in report.windows),
        "labelled": sum(window.labelled for window in report.windows),
        "alarms": len(report.open),
        "columns": len(report.columns) if report.windows else 0,
        "drifted": len(lasting & {*report.columns}),
        "worst_psi": indices[worst] if worst else None,
        "worst_column": worst,
        "prediction_psi": _number(last, "predictions/psi"),
        "joint_auc": _number(last, "joint/auc"),
        "performance": _number(last, f"performance/{primary}"),
        "estimated": _number(last, f"estimated/{primary}"),
    }


def _number(window: Window | None, name: str) -> float | None:
    found = window.numbers.get(name) if window else None
    return None if found is None else found.value


def _place(report: Report, alarm: Alarm) -> int:
    return next((at for at, window in enumerate(report.windows) if window.label == alarm.since), 0)


def _told(alarm: Alarm, width: int) -> Iterator[str]:
    yield f"ALARM {alarm.key}, since {alarm.since} ({_lasted(alarm)})"
    yield from textwrap.wrap(f"{alarm.check.words}.", width, initial_indent="  ", subsequent_indent="  ")


def _steps(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.words:
            yield f"  # {step.words}"
        yield f"  {step.command}"


def _lasted(alarm: Alarm) -> str:
    return "1 window" if alarm.windows == 1 else f"{alarm.windows} windows"


def _table(report: Report) -> Iterator[str]:
    """Yield the newest windows: rows, outcomes, the primary metric measured and estimated, alarms that last."""
    primary = report.promise.get("primary") or ""
    heads = ["window", "rows", "outcomes", *([primary, "estimated"] if primary else []), "alarms"]
    shown = [*zip(report.windows, report.lasting(), strict=True)][-SHOWN:]
    lines = [_line(window, primary, len(lasting)) for window, lasting in shown]
    widths = [max(len(line[place]) for line in [heads, *lines]) for place in range(len(heads))]
    for line in [heads, *lines]:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(cells).rstrip()


def _line(window: Window, primary: str, lasting: int) -> list[str]:
    found: Sequence[str] = []
    if primary:
        found = [score(_number(window, f"{part}/{primary}")) for part in ("performance", "estimated")]
    alarms = str(lasting) if window.complete else "runs"
    label = window.label if len(window.label) <= 28 else f"{window.label[:27]}…"
    return [label, f"{window.rows:,}", f"{window.labelled:,}", *found, alarms]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
