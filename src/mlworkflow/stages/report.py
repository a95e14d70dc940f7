"""Tell all of it on one page: metrics, evaluation, tuning, findings -> reports/index.html."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.report.facts import Facts
from mlworkflow.report.page import page
from mlworkflow.rows.schema import Schema
from mlworkflow.serving.folder import MANIFEST

if TYPE_CHECKING:
    import pandas as pd


def table(path: Path) -> pd.DataFrame:
    """Return the CSV table in `path`; one without columns is an empty table."""
    import pandas as pd

    return io.read_table(path) if io.read_bytes(path).strip() else pd.DataFrame()


def gather(sections: Sections) -> Facts:
    """Read what the stages before left behind."""
    schema = Schema.from_dict(io.read_json(paths.FEATURES))
    return Facts(
        problem=sections.problem,
        model=sections.model.name,
        classes=schema.classes,
        columns=schema.columns,
        provenance=io.read_json(paths.PROVENANCE),
        ledger=table(paths.LEDGER),
        data_findings=io.read_json(paths.DATA_FINDINGS)["findings"],
        baseline=io.read_json(paths.BASELINE_METRICS),
        trials=table(paths.TRIALS),
        best_params=io.read_yaml(paths.BEST_PARAMS) or {},
        choice=io.read_json(paths.CHOICE),
        influence=table(paths.INFLUENCE),
        curve=table(paths.LEARNING_CURVE),
        cv=io.read_json(paths.CV_METRICS),
        test=io.read_json(paths.TEST_METRICS),
        intervals=io.read_json(paths.INTERVALS),
        findings=io.read_json(paths.FINDINGS),
        decision=io.read_json(paths.DECISION),
        onnx=io.read_json(paths.BUNDLE / MANIFEST)["onnx"],
        own_rung=sections.model.rung,
        drift=io.read_json(paths.DRIFT) if paths.DRIFT.exists() else None,
        plots={path.stem: table(path) for path in sorted(paths.PLOTS.glob("*.csv"))},
    )


def main(sections: Sections) -> None:
    """Write the report."""
    io.write_text(page(gather(sections)), paths.INDEX_PAGE)
