"""Type, mend and split the rows: raw table -> train and test rows, schema, ledger."""

from __future__ import annotations

from mlworkflow import io, paths
from mlworkflow.params import Sections
from mlworkflow.prepare import prepare


def main(sections: Sections) -> None:
    """Write both sides of the split, what their columns are, and what was done to the rows."""
    prepared = prepare(io.read_table(paths.RAW), sections.problem)
    io.write_table(prepared.train, paths.TRAIN_ROWS)
    io.write_table(prepared.test, paths.TEST_ROWS)
    io.write_json(prepared.schema.to_dict(), paths.SCHEMA)
    io.write_table(prepared.ledger, paths.LEDGER)
