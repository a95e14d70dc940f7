"""Look at the data and change nothing: raw, training rows -> reports/explore.html, reports/findings.json."""

from __future__ import annotations

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.exploring import explore
from mlworkflow.exploring.looks import columns
from mlworkflow.rows.schema import Schema

MOST_ROWS = 1_000_000  # training rows that are looked at; of more, blocks of neighbours, evenly spaced


def main(sections: Sections) -> None:
    """Write what is suspicious and what each column holds."""
    raw, rows = io.Columns(paths.RAW), io.Columns(paths.TRAIN_ROWS)
    schema, train = Schema.from_dict(io.read_json(paths.SCHEMA)), rows.sample(MOST_ROWS)
    problem = sections.problem
    side = explore.test_side(raw, schema, problem.data, problem.split)
    found = explore.explore(raw, train, schema, side, by_time=problem.split.scheme == "time")
    looks = columns(train, schema)
    counts = {"raw": len(raw), "train": len(rows), "looked": len(train)}
    io.write_json({"findings": [finding.to_dict() for finding in found]}, paths.DATA_FINDINGS)
    io.write_text(explore.page(problem.name, counts, found, looks, schema), paths.EXPLORE_PAGE)
