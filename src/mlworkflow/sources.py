"""Where a table comes from: each source returns the table as it is, nothing dropped or mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.core.errors import TableError, UnreadableError, nearest
from mlworkflow.files import tables

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
            [f"there are {', '.join(TARGETS)}, and none of this name{nearest(name, TARGETS)}"],
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
    path: str,
    delimiter: str | None = None,
    encoding: str | None = None,
    quote: str | None = None,
    sheet: str | None = None,
) -> Iterator[pd.DataFrame]:
    """Return the rows of a file in batches: CSV (words as they stand), Parquet, JSON lines or Excel, also packed.

    `delimiter`, `encoding` and `quote` of a CSV file and the `sheet` of Excel are found out where they are not told.

    Raises:
        UnreadableError: the file is missing, empty, damaged, no table or without rows; with the place.
        TableError: a column is there twice.
    """
    for batch in tables.batches(Path(path), delimiter=delimiter, encoding=encoding, quote=quote, sheet=sheet):
        if batch.empty:
            raise UnreadableError(path, "it has a header and no rows", "Put rows into it.")
        yield batch
