"""Where a table comes from: each source returns the table as it is, nothing dropped or mended.

`bundled` and `file` are what conf/problem names. A table from anywhere else is first taken as a snapshot, a file that
DVC versions: databases, apis and functions fetch one, snapshots.py keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

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


def file(
    path: str, delimiter: str | None = None, encoding: str | None = None, sheet: str | None = None
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a file in batches: CSV (words as they stand, read in prepare), Parquet, JSON, Excel.

    What is not given is found out; arguments and errors are those of mlworkflow.tablefiles.batches.
    """
    from mlworkflow.tablefiles import batches

    yield from batches(Path(path), delimiter=delimiter, encoding=encoding, sheet=sheet)
