"""Score raw rows with the bundle: `mlworkflow predict ROWS.csv -o OUT.csv`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow import io, paths
from mlworkflow.errors import TableError, UnreadableError
from mlworkflow.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")


def predict(rows: Path, out: Path, bundle: Path = paths.BUNDLE) -> str:
    """Write a prediction for each raw row of `rows` to `out`, both CSV or Parquet; return what was done in words.

    The rows have the columns of the raw table; the target may be absent, further columns are ignored and named.

    Raises:
        UnreadableError: a file cannot be read, or has another suffix.
        TableError: columns are missing, or values cannot be read; all of them at once. Nothing is written.
        DamagedBundleError: the bundle is not the one of its manifest; nothing of it is loaded.
    """
    from mlworkflow.bundle import load

    _demand_suffix(out)
    table = read_rows(rows)
    scorer = load(bundle)
    said = scorer.predict(table)
    io.write_table(named(table, said, scorer.schema), out)
    lines = [f"{len(said)} rows of {rows} are scored in {out}."]
    if extra := [name for name in table if name not in {column.name for column in scorer.schema.columns}]:
        lines.append(f"Ignored, as the model does not know them: {', '.join(map(repr, extra))}.")
    if others := scorer.other_versions():
        lines.append(f"Other packages than in training, so the numbers may differ: {'; '.join(others)}.")
    return "\n".join(lines)


def read_rows(path: Path) -> pd.DataFrame:
    """Return the raw rows in a CSV (words as they stand, UTF-8) or Parquet file.

    Raises:
        UnreadableError: the file is missing, empty, no table, or has another suffix.
        TableError: a column is there twice.
    """
    import pandas as pd

    _demand_suffix(path)
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
        else:
            head = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", header=None, nrows=1)
            _demand_once(path, head.iloc[0].tolist())
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first values for names of the rows
                raise ValueError("its rows have more values than its header has names")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableError(path, f"it is not: {reason}", "Mend the file: a header, then rows, in UTF-8.") from error
    return table.reset_index(drop=True)


def _demand_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise UnreadableError(path, f"its suffix is none of {', '.join(SUFFIXES)}", "Save it as CSV or Parquet.")


def _demand_once(path: Path, names: list[str]) -> None:
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise TableError(str(path), [f"the column {name!r} is there twice" for name in twice], "Rename one of them.")


def named(table: pd.DataFrame, said: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the predictions behind the key of each row, or behind `row`, counted from 1, where there is no key."""
    import pandas as pd

    keys = schema.with_role("key")
    if keys and all(name in table for name in keys):
        return pd.concat([table[keys], said], axis=1)
    return pd.concat([pd.Series(range(1, len(said) + 1), index=said.index, name="row", dtype="int64"), said], axis=1)
