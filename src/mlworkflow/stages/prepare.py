"""Type, mend and split the rows: raw table -> train and test rows, schema, ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.preparing.prepare import stream
from mlworkflow.rows.batches import read_batches, writing

if TYPE_CHECKING:
    import pandas as pd


def main(sections: Sections) -> None:
    """Write both sides of the split, what their columns are, and what was done to the rows."""
    with writing(paths.TRAIN_ROWS) as train, writing(paths.TEST_ROWS) as test:

        def keep(*sides: pd.DataFrame) -> None:
            for writer, rows in zip((train, test), sides, strict=True):
                writer.add(rows)

        prepared = stream(lambda: read_batches(paths.RAW), sections.problem, keep)
        train.order_by = test.order_by = prepared.order_by
    io.write_json(prepared.schema.to_dict(), paths.SCHEMA)
    io.write_table(prepared.ledger, paths.LEDGER)
