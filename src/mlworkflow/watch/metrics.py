"""What the monitor tells Prometheus, in its text format: for the textfile collector of the node exporter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlworkflow.monitoring.report import Report

HELP = {
    "last_run_timestamp_seconds": "When the monitor last looked",
    "alarm": "1 while an alarm lasts",
    "rows": "Rows of the newest complete window",
    "labelled": "Rows of it whose outcome is known",
    "psi": "Population stability index of a column in the newest complete window",
    "newest_row_timestamp_seconds": "When the newest row was asked",
}


def metrics(report: Report, now: float) -> str:
    """Return the report as Prometheus reads it.

    Args:
        report: what was found.
        now: seconds since 1970.
    """
    found: dict[str, list[str]] = {}
    for name, labels, value in _samples(report, now):
        told = ",".join(f'{label}="{_escaped(word)}"' for label, word in labels.items())
        found.setdefault(name, []).append(f"mlworkflow_monitor_{name}{{{told}}} {value:.10g}")
    lines = [
        line
        for name, samples in found.items()
        for line in (
            f"# HELP mlworkflow_monitor_{name} {HELP[name]}",
            f"# TYPE mlworkflow_monitor_{name} gauge",
            *samples,
        )
    ]
    return "\n".join(lines) + "\n"


def _samples(report: Report, now: float) -> Iterator[tuple[str, dict[str, str], float]]:
    own = {"problem": report.problem, "version": report.version}
    yield "last_run_timestamp_seconds", own, now
    if newest := report.log.get("newest"):
        yield "newest_row_timestamp_seconds", own, newest
    for alarm in report.open:
        yield "alarm", {**own, "part": alarm.part, "subject": alarm.subject, "since": alarm.since}, 1.0
    last = next((window for window in reversed(report.windows) if window.complete), None)
    if last is None:
        return
    yield "rows", own, last.rows
    yield "labelled", own, last.labelled
    for name in report.columns:
        value = last.numbers.get(f"drift/{name}/psi")
        if value is not None and value.value is not None:
            yield "psi", {**own, "column": name}, value.value


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
