"""Score raw rows with the bundle: `mlworkflow predict ROWS.csv -o OUT.csv`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.core import io, paths
from mlworkflow.files import tables
from mlworkflow.rows.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


def predict(rows: Path, out: Path, bundle: Path = paths.BUNDLE) -> str:
    """Write a prediction for each raw row of `rows` to `out` (CSV or Parquet); return what was done in words.

    The rows have the columns of the raw table; the target may be absent, further columns are ignored and named.

    Raises:
        SuffixError: `out` has another suffix.
        UnreadableError: a file cannot be read.
        TableError: columns are missing, or values cannot be read; all of them at once. Nothing is written.
        DamagedBundleError: the bundle is not the one of its manifest; nothing of it is loaded.
    """
    from mlworkflow.serving.bundle import load

    io.demand_suffix(out)
    table = tables.read_rows(rows)
    scorer = load(bundle)
    said = scorer.predict(table)
    io.write_table(named(table, said, scorer.schema), out)
    lines = [f"{len(said)} rows of {rows} are scored in {out}."]
    if extra := [name for name in table if name not in {column.name for column in scorer.schema.columns}]:
        lines.append(f"Ignored, as the model does not know them: {', '.join(map(repr, extra))}.")
    if others := scorer.other_versions():
        lines.append(f"Other packages than in training, so the numbers may differ: {'; '.join(others)}.")
    return "\n".join(lines)


def named(table: pd.DataFrame, said: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the predictions behind the key of each row, or behind `row`, counted from 1, where there is no key."""
    import pandas as pd

    keys = schema.with_role("key")
    if keys and all(name in table for name in keys):
        return pd.concat([table[keys], said], axis=1)
    return pd.concat([pd.Series(range(1, len(said) + 1), index=said.index, name="row", dtype="int64"), said], axis=1)
