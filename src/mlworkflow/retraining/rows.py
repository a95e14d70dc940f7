"""The new rows: those of use whose outcome is known and that the table of the problem does not hold yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import ProjectError
from mlworkflow.files import tables
from mlworkflow.recording.reading import Logged, read
from mlworkflow.rows.cast import cast, read_rows
from mlworkflow.rows.reading import as_word
from mlworkflow.rows.split import fingerprints

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem
    from mlworkflow.rows.schema import Schema

ASKED = "\0asked"  # no column of a table has this name
TRUTH = {"true": True, "1": True, "false": False, "0": False}  # as files and JSON have it
ANSWERED = ("champion", "challenger")  # a shadow says the same rows again


@dataclass(frozen=True)
class Gathered:
    """New rows as the problem's raw table has them.

    Attributes:
        rows: in the order of their time, where they have one, else as they came.
        asked: (n,) when the server was asked, in seconds since 1970; NaN for rows of files.
        ledger: what came and what was left out: words -> how many rows.
    """

    rows: pd.DataFrame
    asked: np.ndarray
    ledger: dict[str, int]


def gathered(raw: pd.DataFrame, problem: Problem, schema: Schema, log: Path, production: Path) -> Gathered:
    """Return the labelled rows of the log and of data/production/ that the raw table does not hold.

    Args:
        raw: the table of the problem's source.
        problem: the question.
        schema: how its columns are read.
        log: the folder of the prediction log.
        production: the folder of batches.

    Raises:
        LogUnreadableError, LogDamagedError: the log cannot be read.
    """
    import pandas as pd

    ledger: dict[str, int] = {}
    parts: list[pd.DataFrame] = [_of_log(read(log), problem, ledger), *_of_files(production, problem, ledger)]
    new = _alike(pd.concat(parts, ignore_index=True), raw)
    known = _known(raw, new, problem, schema)
    ledger["rows that the table holds already"] = int(known.sum())
    rows = new[~known]
    strange = _strange(rows, schema)
    ledger["rows whose outcome is none that the model knows"] = int(strange.sum())
    rows = rows[~strange]
    if problem.data.time:
        timed = cast(rows, schema, only=[problem.data.time])[problem.data.time].notna()
        ledger["rows without a time"] = int((~timed).sum())
        rows = rows[timed]
    again = _again(rows, problem, schema)
    ledger["rows told again of the same key, of which the newest counts"] = int(again.sum())
    rows = rows[~again]
    asked = pd.concat([part.get(ASKED, pd.Series(np.nan, index=part.index)) for part in parts], ignore_index=True)
    if problem.data.time and problem.data.time in rows:
        when = cast(rows, schema, only=[problem.data.time])[problem.data.time]
        rows = rows.loc[when.sort_values(kind="stable").index]
    ledger["new rows"] = len(rows)
    return Gathered(rows.reset_index(drop=True), asked[rows.index].to_numpy(dtype="float64"), ledger)


def _of_log(logged: Iterable[Logged], problem: Problem, ledger: dict[str, int]) -> pd.DataFrame:
    """Return what was asked with what came of it; of several outcomes told of one row the newest counts."""
    import pandas as pd

    lines: list[Mapping[str, Any]] = []
    missing = contradicted = 0
    for one in logged:
        if one.record.role not in ANSWERED:
            continue
        if not one.outcomes:
            missing += 1
            continue
        contradicted += len({as_word(told.outcome) for told in one.outcomes}) > 1
        inputs = one.record.inputs if isinstance(one.record.inputs, Mapping) else {}
        lines.append({**inputs, str(problem.data.target): one.outcomes[-1].outcome, ASKED: one.record.time})
    ledger["predictions whose outcome is not known"] = missing
    ledger["predictions with contradicting outcomes, of which the newest counts"] = contradicted
    return pd.DataFrame(lines, dtype="object")


def _of_files(folder: Path, problem: Problem, ledger: dict[str, int]) -> Iterator[pd.DataFrame]:
    """Yield the rows of files that hold the target; the others are named in the ledger."""
    target = str(problem.data.target)
    found = sorted(path for path in folder.rglob("*") if tables.is_table(path)) if folder.is_dir() else []
    for path in found:
        name = path.relative_to(folder).as_posix()
        try:
            rows = tables.read_rows(path)
        except ProjectError:
            ledger[f"files that cannot be read: {name}"] = 1
            continue
        if target not in rows:
            ledger[f"rows of {name}, which has no {target}"] = len(rows)
            continue
        yield rows[rows[target].notna()].astype("object")


def _alike(new: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns of the raw table and their types; what use does not know is missing."""
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

    made: dict[str, Any] = {}
    for name in map(str, raw):
        values = new[name] if name in new else pd.Series([None] * len(new), dtype="object")
        if is_bool_dtype(raw[name]):  # pandas takes truth for a number, and the word True for none
            made[name] = values.map(lambda value: TRUTH.get(as_word(value).lower())).astype("boolean")
        elif is_numeric_dtype(raw[name]):
            made[name] = pd.to_numeric(values, errors="coerce").astype("float64")
        elif is_datetime64_any_dtype(raw[name]):
            made[name] = pd.to_datetime(values, errors="coerce")
        else:
            words = [None if value is None or value != value else as_word(value) for value in values]
            made[name] = pd.Series(words, index=values.index, dtype="str")
    return pd.DataFrame(made)


def _strange(rows: pd.DataFrame, schema: Schema) -> Any:
    """Return an (n,) bool: rows whose outcome is missing, cannot be read, or is a class that the model never saw."""
    target = str(schema.target)
    said = read_rows(rows, schema, only=[target])[0][target]
    known = said.isin(schema.classes) if schema.classes else said.notna()
    return ~known.to_numpy(dtype=bool)


def _again(rows: pd.DataFrame, problem: Problem, schema: Schema) -> Any:
    """Return an (n,) bool: rows whose key a later one has too."""
    import pandas as pd

    if not problem.data.key or not len(rows) or rows[problem.data.key].isna().any(axis=None):
        return np.zeros(len(rows), dtype=bool)
    prints = pd.DataFrame(fingerprints(cast(rows, schema, only=problem.data.key)))
    return prints.duplicated(keep="last").to_numpy()


def _known(raw: pd.DataFrame, new: pd.DataFrame, problem: Problem, schema: Schema) -> Any:
    """Return an (n,) bool: rows that the raw table holds, by the problem's key, else by their inputs."""
    names: Sequence[str] = problem.data.key or [one.name for one in schema.inputs]
    names = [name for name in names if name in raw]
    if not len(new) or new[names].isna().all(axis=None):
        return np.zeros(len(new), dtype=bool)
    old, now = (fingerprints(cast(table, schema, only=names)) for table in (raw, new))
    held = {row.tobytes() for row in old}
    return np.array([row.tobytes() in held for row in now], dtype=bool)
