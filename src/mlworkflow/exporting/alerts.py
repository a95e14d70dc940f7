"""`mlworkflow export alerts`: rules for Prometheus on what the server counts and on what the monitor writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlworkflow.monitoring.steps import LOOK, SERVICE, SOURCE

SLOWEST = 1.0  # seconds, where the problem says nothing
JOB = "mlworkflow"
HEAD = f"""\
# Rules for Prometheus, made by `mlworkflow export alerts`.
# The scrape job of the server is called {JOB}; the file data/monitoring/metrics.prom of `mlworkflow monitor` is read by
# the textfile collector of the node exporter. Check it: `promtool check rules FILE`.
"""


@dataclass(frozen=True)
class Rule:
    """What is asked, for how long it must hold, how bad it is, and what is said."""

    name: str
    asks: str
    holds: str
    severity: str
    summary: str
    command: str


def rules(slowest: float = SLOWEST) -> list[Rule]:
    """Return the rules; `slowest`: seconds that a prediction may take."""
    return [*_model(), *_service(slowest), *_log()]


def _model() -> Sequence[Rule]:
    run = "mlworkflow_monitor_last_run_timestamp_seconds"
    alarm, parts = "mlworkflow_monitor_alarm", f'"{SOURCE}|{SERVICE}"'
    names = "{{ $labels.problem }} {{ $labels.version }}: {{ $labels.part }}/{{ $labels.subject }}"
    words = f"{names}, since {{{{ $labels.since }}}}"
    return [
        Rule(
            "MlworkflowAlarm", f"{alarm}{{part!~{parts}}} == 1", "0m", "page", words,
            "mlworkflow retrain --because '{{ $labels.part }}/{{ $labels.subject }}'",
        ),
        Rule("MlworkflowSourceAlarm", f"{alarm}{{part=~{parts}}} == 1", "0m", "page", words, LOOK),
        Rule(
            "MlworkflowMonitorStopped", f"time() - {run} > 2 * 86400 or absent({run})", "15m", "ticket",
            "The monitor has not looked for two days, or never",
            "mlworkflow monitor --watch",
        ),
    ]  # fmt: skip


def _service(slowest: float) -> Sequence[Rule]:
    ready = 'increase(mlworkflow_requests_total{route="/v2/health/ready", status="503"}[5m]) > 0'
    failed = 'sum(rate(mlworkflow_requests_total{status=~"5.."}[5m]))'
    asked = "sum(rate(mlworkflow_requests_total[5m]))"
    buckets = 'sum by (le) (rate(mlworkflow_request_seconds_bucket{route="/predict"}[5m]))'
    return [
        Rule(
            "MlworkflowServerDown", f'up{{job="{JOB}"}} == 0 or absent(up{{job="{JOB}"}})', "2m", "page",
            "No answer comes from the server", "mlworkflow serve",
        ),
        Rule(
            "MlworkflowNotReady", ready, "5m", "page", "{{ $labels.instance }} says that it is not ready",
            "curl http://{{ $labels.instance }}/v2/health/ready",
        ),
        Rule(
            "MlworkflowErrors", f"{failed} / {asked} > 0.01", "5m", "page",
            "{{ $value | humanizePercentage }} of the requests fail", "mlworkflow log --last 20",
        ),
        Rule(
            "MlworkflowSlow", f"histogram_quantile(0.95, {buckets}) > {slowest:g}", "10m", "ticket",
            f"5% of the predictions take more than {slowest:g} s: {{{{ $value | humanizeDuration }}}}",
            "mlworkflow serve --workers 4",
        ),
        Rule(
            "MlworkflowBundleFailed", "increase(mlworkflow_bundle_failures_total[15m]) > 0", "0m", "page",
            "A released bundle cannot be loaded; the one before goes on serving",
            "mlworkflow rollback --because 'it cannot be loaded'",
        ),
    ]  # fmt: skip


def _log() -> Sequence[Rule]:
    return [
        Rule(
            "MlworkflowLogBroken", "mlworkflow_log_broken == 1", "1m", "page",
            "The prediction log cannot be written", "df -h; mlworkflow log --last 1",
        ),
        Rule(
            "MlworkflowLogLost", "delta(mlworkflow_log_lost[10m]) > 0", "0m", "page",
            "{{ $value }} predictions were answered and never written", "mlworkflow serve --log sync",
        ),
        Rule(
            "MlworkflowLogBehind", "mlworkflow_log_lag_seconds > 10", "5m", "ticket",
            "Predictions wait {{ $value | humanizeDuration }} for the disk", "df -h",
        ),
    ]  # fmt: skip


def alerts(slowest: float = SLOWEST) -> str:
    """Return the rules as YAML for `rule_files` of Prometheus."""
    import yaml

    told = [
        {
            "alert": rule.name,
            "expr": rule.asks,
            "for": rule.holds,
            "labels": {"severity": rule.severity},
            "annotations": {"summary": rule.summary, "command": rule.command},
        }
        for rule in rules(slowest)
    ]
    content = {"groups": [{"name": "mlworkflow", "rules": told}]}
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)
