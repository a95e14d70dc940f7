"""What the report tells: the files that the stages before left, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlworkflow.measures.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem
    from mlworkflow.rows.schema import Column


@dataclass(frozen=True)
class Facts:
    """What the page tells; each mapping is the file of that name (see paths.py), each table its CSV.

    `classes`: in the order of their codes. `own_rung`: the rung of the ladder that the model itself is.
    `plots`: the tables of evaluation/plots by name, without `.csv`. `columns`: of the features table.
    """

    problem: Problem
    model: str
    classes: list[Any]
    provenance: Mapping[str, Any]
    ledger: pd.DataFrame
    data_findings: list[Mapping[str, Any]]
    baseline: Mapping[str, Mapping[str, float | None]]
    trials: pd.DataFrame
    best_params: Mapping[str, Any]
    choice: Mapping[str, Mapping[str, float]]
    influence: pd.DataFrame
    curve: pd.DataFrame
    cv: Mapping[str, float | None]
    test: Mapping[str, float | None]
    intervals: Mapping[str, Any]
    findings: Mapping[str, Any]
    decision: Mapping[str, Any]
    own_rung: str | None = None
    drift: Mapping[str, Any] | None = None
    onnx: Mapping[str, Any] | None = None  # what the manifest of the bundle says of its ONNX file
    plots: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    columns: Sequence[Column] = ()

    @property
    def primary(self) -> str:
        """The metric that decides."""
        return self.problem.metrics.primary


def arrow(metric: str) -> str:
    """Return an arrow that says which way is better."""
    return "↑" if metric in METRICS and METRICS[metric].greater_is_better else "↓"


def gain(told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a paired difference as the page shows it; None where there is none."""
    told = told or {}
    return {"gain": told.get("value"), "low": told.get("low"), "high": told.get("high")}
