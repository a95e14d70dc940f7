"""Where a table comes from: each source returns the table as it is, nothing dropped or mended."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.core.errors import ConfError, TableError, UnreadableError, nearest
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


def file_mistakes(**arguments: object) -> list[str]:
    """Return what is wrong with the arguments of `file`, whatever the file holds; each begins with the argument."""
    given = {name: value for name, value in arguments.items() if value is not None}
    if odd := {name: value for name, value in given.items() if not isinstance(value, str)}:
        return [f"{name} must be text, but is {value!r}" for name, value in odd.items()]
    words = {name: str(value) for name, value in given.items()}
    single = [name for name in ("delimiter", "quote") if len(words.get(name, ",")) != 1]
    found = [f"{name} must be one character, but is {words[name]!r}" for name in single]
    try:
        codecs.lookup(words.get("encoding", "utf-8"))
    except LookupError:
        found.append(f"encoding: {words['encoding']!r} is none that Python knows; say utf-8, utf-16, cp1252 or latin-1")
    if "sheet" in words and not {".xlsx", ".zip"} & {part.lower() for part in Path(words.get("path", "")).suffixes}:
        found.append(f"sheet is for Excel, but the path is {words.get('path')!r}")
    return found


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
        ConfError: the arguments are none.
        UnreadableError: the file is missing, empty, damaged, no table or without rows; with the place.
        TableError: a column is there twice.
    """
    if found := file_mistakes(path=path, delimiter=delimiter, encoding=encoding, quote=quote, sheet=sheet):
        raise ConfError([f"problem.source.{told}" for told in found], "Mend problem.source.")
    for batch in tables.batches(Path(path), delimiter=delimiter, encoding=encoding, quote=quote, sheet=sheet):
        if batch.empty:
            raise UnreadableError(path, "it has a header and no rows", "Put rows into it.")
        yield batch
