"""Where a table comes from: each source returns the table as it is, nothing dropped or mended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow import io
from mlworkflow.errors import TableError, nearest

if TYPE_CHECKING:
    import pandas as pd

TARGETS = {
    "breast_cancer": "diagnosis",
    "wine": "cultivar",
    "digits": "digit",
    "diabetes": "progression",
    "iris": "species",
}


def bundled(name: str) -> pd.DataFrame:
    """Return one of scikit-learn's bundled tables, its target under its own name, classes as words.

    Raises:
        TableError: no bundled table has this name.
    """
    if name not in TARGETS:
        raise TableError(
            f"the bundled table {name!r}",
            [f"there is none of this name{nearest(name, TARGETS)}; there are {', '.join(TARGETS)}"],
            "Mend problem.source.name.",
        )
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    table: pd.DataFrame = bunch.frame.rename(columns={"target": TARGETS[name]})
    names = [str(word) for word in bunch.get("target_names", [])]
    if names and not names[0].isdigit() and name != "diabetes":
        table[TARGETS[name]] = table[TARGETS[name]].map(dict(enumerate(names)))
    return table


def file(path: str) -> pd.DataFrame:
    """Return the table in a CSV (words as they stand; numbers are read in prepare) or Parquet file.

    Raises:
        UnreadableError: the file is missing, empty or no table.
        TableError: a column is there twice.
    """
    return io.read_rows(Path(path))
