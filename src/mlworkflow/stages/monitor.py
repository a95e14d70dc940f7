"""The model on the batches in data/production/, each file one window -> metrics/drift.json, reports/monitor.html."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.core import io, paths
from mlworkflow.core.ahead import ahead
from mlworkflow.core.errors import ProjectError
from mlworkflow.core.params import Sections
from mlworkflow.files import tables
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring import outcomes
from mlworkflow.monitoring.checks import Check, decide
from mlworkflow.monitoring.page import Batch, page
from mlworkflow.monitoring.report import Report, Window, alarms
from mlworkflow.monitoring.watched import Watched, judged, ranked, reference_of
from mlworkflow.monitoring.words import drift_json
from mlworkflow.preparing.contract import Contract
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.cast import cast
from mlworkflow.rows.cast import read as read_column
from mlworkflow.rows.schema import codes
from mlworkflow.serving.bundle import load

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.params import Monitor
    from mlworkflow.core.problem import Problem
    from mlworkflow.monitoring.watched import Reference
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.rows.schema import Schema
    from mlworkflow.runtime.model import Model
    from mlworkflow.serving.bundle import Bundle

TOGETHER = 16_384  # rows that the model is asked about at a time: no result may depend on it
MOST_REASONS = 6  # lines of what is wrong with a batch


@dataclass
class Read:
    """One file: its sketches, the rows whose outcome is known, what breaks the contract, or why it was not used.

    times, timed: the sum of the times of its rows, in the problem's time column, and of how many rows they are known.
    told: how many outcomes it holds, those too that the problem does not know.
    """

    name: str
    watched: Watched
    times: float = 0.0
    timed: int = 0
    told: int = 0
    scored: list[Scored] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    problem: str | None = None

    @property
    def moment(self) -> float | None:
        """The mean time of its rows, None where none is known."""
        return self.times / self.timed if self.timed else None

    @property
    def known(self) -> Scored | None:
        """The rows whose outcome is known, None where there are none."""
        parts = [one for one in self.scored if len(one)]
        if not parts:
            return None
        said = [one.probabilities for one in parts if one.probabilities is not None]
        return Scored(
            np.concatenate([one.truth for one in parts]),
            np.concatenate([one.labels for one in parts]),
            np.concatenate(said) if said else None,
            classes=parts[0].classes,
        )


def files(folder: Path) -> list[Path]:
    """Return the files of tables in `folder` and below, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if tables.is_table(path)) if folder.is_dir() else []


def in_time(found: Sequence[Read]) -> list[Read]:
    """Return files in the order of the mean time of their rows; as they are where that of one is not known."""
    moments = {one.name: one.moment for one in found}
    told = {name: moment for name, moment in moments.items() if moment is not None}
    return sorted(found, key=lambda one: told[one.name]) if len(told) == len(found) else [*found]


def read(path: Path, name: str, bundle: Bundle, reference: Reference, problem: Problem) -> Read:
    """Return what a file holds, read some rows at a time; a file that cannot be read whole is not used at all.

    Rows are read, the ones before them scored and those before these sketched at the same time.
    """
    found = Read(name, Watched.empty(reference))
    rules = {column: rule for column, rule in problem.contract.items() if column in bundle.columns}
    contract = Contract(problem.model_copy(update={"contract": rules}))
    try:
        for some in ahead(_scored(ahead(_typed(path, contract, bundle)), bundle.model)):
            _add(found, some, bundle.model)
    except ProjectError as error:
        return Read(name, Watched.empty(reference), problem=in_short(error))
    found.violations = contract.violations()
    found.problem = None if found.watched.sketch.rows else "it has no rows"
    return found


@dataclass(frozen=True)
class Some:
    """Some rows.

    Attributes:
        columns: typed.
        times: those that are known, as numbers.
        truth: outcomes as codes or values, NaN where not known; None without a column of them.
        told: how many outcomes there are.
        labels: what the model says, as codes or values.
        probabilities: (n, K), where there are classes.
    """

    columns: Columns
    times: np.ndarray
    truth: np.ndarray | None
    told: int
    labels: np.ndarray
    probabilities: np.ndarray | None = None


def _typed(path: Path, contract: Contract, bundle: Bundle) -> Generator[Some, None, None]:
    """Yield the rows of a file, held against the contract."""
    for rows in tables.batches(path):
        contract.add(rows)
        columns, (truth, told) = dict(Arrays(bundle.cast(rows))), _truth(rows, bundle)
        yield Some(columns, _times(rows, bundle.schema), truth, told, np.empty(0))


def _scored(typed: Iterator[Some], model: Model) -> Generator[Some, None, None]:
    """Yield rows with what the model says of them."""
    for some in typed:
        labels, probabilities = _said(some.columns, model)
        yield replace(some, labels=labels, probabilities=probabilities)


def _said(columns: Columns, model: Model) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what the model says of n rows: (n,) codes or values, (n, K) probabilities where there are classes."""
    rows = len(next(iter(columns.values())))
    if not rows:
        scored = model.score(columns)
        return np.empty(0, "int64" if model.classes else "float64"), scored.probabilities
    wide = model.wider(columns)
    parts = (slice(start, start + TOGETHER) for start in range(0, rows, TOGETHER))
    said = np.concatenate([model.compute({name: values[part] for name, values in wide.items()}) for part in parts])
    if not model.classes:
        return said.astype("float64"), None
    probabilities, labels = model.codes(said)
    return labels.astype("int64"), probabilities


def _add(found: Read, some: Some, model: Model) -> None:
    """Add scored rows to a file's sketches."""
    before = found.watched.sketch.rows
    ids = [f"{found.name}:{place}" for place in range(before, before + len(some.labels))]
    found.watched.add(some.columns, some.labels, some.probabilities, ids, model.impossible(some.columns))
    found.times += float(some.times.sum())
    found.timed += len(some.times)
    if some.truth is not None:
        found.told += some.told
        known = np.isfinite(some.truth)
        kind = "int64" if model.classes else "float64"
        said = None if some.probabilities is None else some.probabilities[known]
        classes = len(model.classes) or None
        found.scored.append(Scored(some.truth[known].astype(kind), some.labels[known], said, classes=classes))


def _times(rows: pd.DataFrame, schema: Schema) -> np.ndarray:
    """Return the times of rows that are known, as numbers that grow with time; none without a column of times."""
    column = next((one for one in schema.columns if one.name == schema.time), None)
    if column is None or column.name not in rows:
        return np.empty(0)
    told, _ = read_column(rows[column.name], column, schema.blanks)
    if column.kind == "time":
        told = told[told.notna()].astype("datetime64[us]").astype("int64") / 1e6
    times = told.to_numpy(dtype="float64", na_value=np.nan) if column.kind in ("time", "number") else np.empty(0)
    return times[np.isfinite(times)]


def _truth(rows: pd.DataFrame, bundle: Bundle) -> tuple[np.ndarray | None, int]:
    """Return (the (n,) outcomes of rows as codes or values, how many rows have one).

    NaN: it is not known, or none of the problem's classes. None: there is no such column.
    """
    target, schema = bundle.schema.target, bundle.schema
    if target is None or target not in rows:
        return None, 0
    told = cast(rows, schema, only=[target])[target]
    if not schema.classes:
        return told.to_numpy(dtype="float64", na_value=np.nan), int(told.notna().sum())
    found = codes(told, schema.classes).astype("float64")
    return np.asarray(np.where(found < 0, np.nan, found)), int(told.notna().sum())


def in_short(error: ProjectError) -> str:
    """Return what is wrong in one line, with the first few of many reasons."""
    lines = [line.strip().removeprefix("- ") for line in str(error).splitlines()]
    more = [f"and {len(lines) - MOST_REASONS} more lines"] if len(lines) > MOST_REASONS else []
    return "; ".join([*lines[:MOST_REASONS], *more]).replace(":;", ":")


def _windows(found: Sequence[Read], reference: Reference, settings: Monitor) -> Iterator[Window]:
    """Yield a window a file."""
    losses = outcomes.followed([one.known for one in found], [one.name for one in found], reference, settings)
    for one, stream in zip(found, losses, strict=True):
        told, known = judged(one.watched, one.known, settings), one.known
        checks = [*told.checks, *stream.checks, *_broken(one)]
        yield Window(
            one.name, None, None, True, one.watched.sketch.rows, 0 if known is None else len(known),
            {**told.numbers, **stream.numbers}, decide(checks, settings.false_alarms), told.notes,
        )  # fmt: skip


def _broken(one: Read) -> list[Check]:
    """Return the check of the contract."""
    count = len(one.violations)
    words = (
        "the rows keep to the contract" if not count else f"the rows break the contract: {'; '.join(one.violations)}"
    )
    return [Check("quality", "contract", count, 0.0, 0.0, count > 0, None, words, one.watched.sketch.rows)]


def _readable(path: Path) -> str:
    """Return a path as words; bytes that are no UTF-8 are shown as question marks."""
    return os.fsencode(path).decode("utf-8", "replace")


def main(sections: Sections) -> None:
    """Write the drift of all batches, and a page about it; batches that cannot be read are named there."""
    settings, new = sections.monitor, files(paths.PRODUCTION)
    bundle = load(paths.BUNDLE, backend="auto" if new else "none")
    reference = reference_of(paths.BUNDLE)
    names = [_readable(path.relative_to(paths.PRODUCTION)) for path in new]
    found = [read(path, name, bundle, reference, sections.problem) for path, name in zip(new, names, strict=True)]
    windows = [*_windows(in_time([one for one in found if one.problem is None]), reference, settings)]
    report = Report(
        bundle.manifest["problem"], "(models/bundle)", windows, alarms(windows), _notes(found, reference),
        ranked(reference.profile), reference.promise, None, settings.false_alarms,
    )  # fmt: skip
    io.write_json(drift_json(report), paths.DRIFT)
    batches = [Batch(one.name, one.watched.sketch.rows, one.problem) for one in found]
    io.write_text(page(report, batches), paths.MONITOR_PAGE)


def _notes(found: Sequence[Read], reference: Reference) -> list[str]:
    told = []
    if not found:
        told.append("there are no new rows: put CSV or Parquet files of raw rows into data/production/")
    elif all(one.problem for one in found):
        told.append("no row could be read, so nothing is said about drift")
    timeless = [one.name for one in found if one.problem is None and one.moment is None]
    if timeless and len(timeless) < sum(one.problem is None for one in found):
        told.append(f"the files come in the order of their names, as the rows of {timeless[0]} tell no time")
    for one in found:
        if strange := one.told - (0 if one.known is None else len(one.known)):
            told.append(f"{strange:,} outcomes of {one.name} are none that the model knows, so nothing is said of them")
    if reference.task == "clustering":
        told.append("the predictions are not compared: clusters have no predictions held out in training")
    return told
