"""Look at the data and change nothing: raw, training rows -> reports/explore.html, reports/findings.json."""

from __future__ import annotations

from mlworkflow import explore, io, paths
from mlworkflow.params import Sections
from mlworkflow.schema import Schema


def main(sections: Sections) -> None:
    """Write what is suspicious and what each column holds."""
    raw, train = io.read_table(paths.RAW), io.read_table(paths.TRAIN_ROWS)
    schema = Schema.from_dict(io.read_json(paths.SCHEMA))
    found = explore.explore(raw, train, schema)
    looks = explore.columns(train, schema)
    rows = {"raw": len(raw), "train": len(train)}
    io.write_json({"findings": [finding.to_dict() for finding in found]}, paths.DATA_FINDINGS)
    io.write_text(explore.page(sections.problem.name, rows, found, looks, schema), paths.EXPLORE_PAGE)
