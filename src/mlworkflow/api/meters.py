"""What is counted for Prometheus, over all workers."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REQUESTS = Counter("mlworkflow_requests_total", "Requests", ["route", "status"])
SECONDS = Histogram("mlworkflow_request_seconds", "Seconds of requests", ["route"], buckets=BUCKETS)
ROWS = Counter("mlworkflow_rows_total", "Rows that were predicted", ["version", "role"])
ACTIVE = Gauge("mlworkflow_requests_active", "Requests that are carried out", multiprocess_mode="livesum")
QUEUED = Gauge("mlworkflow_log_queued", "Records not yet on disk", multiprocess_mode="livesum")
LAG = Gauge("mlworkflow_log_lag_seconds", "How long the oldest of them waits", multiprocess_mode="livemax")
LOST = Gauge("mlworkflow_log_lost", "Records that were never written, since the start", multiprocess_mode="livesum")
BROKEN = Gauge("mlworkflow_log_broken", "1 while the log cannot be written", multiprocess_mode="livemax")
BUNDLE = Gauge("mlworkflow_bundle_info", "The version that serves", ["problem", "version"], multiprocess_mode="livemax")
FAILURES = Counter("mlworkflow_bundle_failures_total", "Bundles that could not be taken up")


@cache
def counted(route: str, status: int) -> tuple[Any, Any]:
    """Return what counts and times the requests of a route with a status."""
    return REQUESTS.labels(route, str(status)), SECONDS.labels(route)


@cache
def rows(version: str, role: str) -> Any:
    """Return what counts the rows of a version."""
    return ROWS.labels(version, role)


def text() -> bytes:
    """Return all of it as Prometheus reads it."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return bytes(generate_latest())
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return bytes(generate_latest(registry))
