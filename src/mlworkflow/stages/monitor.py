"""The model on the batches in data/production/, each file one window -> metrics/drift.json, reports/monitor.html."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core import io, paths
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
from mlworkflow.rows.schema import codes
from mlworkflow.serving.bundle import load

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.params import Monitor
    from mlworkflow.core.problem import Problem
    from mlworkflow.monitoring.watched import Reference
    from mlworkflow.serving.bundle import Bundle

MOST_REASONS = 6  # lines of what is wrong with a batch


@dataclass
class Read:
    """One file: its sketches, the rows whose outcome is known, what breaks the contract, or why it was not used."""

    name: str
    watched: Watched
    scored: list[Scored] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    problem: str | None = None

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


def read(path: Path, name: str, bundle: Bundle, reference: Reference, problem: Problem) -> Read:
    """Return what a file holds, read some rows at a time; a file that cannot be read whole is not used at all."""
    found = Read(name, Watched.empty(reference))
    rules = {column: rule for column, rule in problem.contract.items() if column in bundle.columns}
    contract = Contract(problem.model_copy(update={"contract": rules}))
    try:
        for rows in tables.batches(path):
            contract.add(rows)
            _add(found, rows, bundle)
    except ProjectError as error:
        return Read(name, Watched.empty(reference), problem=in_short(error))
    found.violations = contract.violations()
    found.problem = None if found.watched.sketch.rows else "it has no rows"
    return found


def _add(found: Read, rows: pd.DataFrame, bundle: Bundle) -> None:
    """Add raw rows to a file's sketches."""
    raw = dict(Arrays(bundle.cast(rows)))
    scored = bundle.model.score(raw)
    labels = _labels(scored.predictions, bundle.model.classes)
    ids = [f"{found.name}:{found.watched.sketch.rows + place}" for place in range(len(rows))]
    found.watched.add(raw, labels, scored.probabilities, ids, bundle.model.impossible(raw))
    truth = _truth(rows, bundle)
    if truth is not None:
        known = np.isfinite(truth)
        kind = "int64" if bundle.model.classes else "float64"
        said = None if scored.probabilities is None else scored.probabilities[known]
        classes = len(bundle.model.classes) or None
        found.scored.append(Scored(truth[known].astype(kind), labels[known], said, classes=classes))


def _labels(predictions: Sequence[Any], classes: Sequence[Any]) -> np.ndarray:
    """Return predictions as codes, or as values."""
    if not classes:
        return np.array(predictions, dtype="float64")
    known = {name: code for code, name in enumerate(classes)}
    return np.array([known[name] for name in predictions], dtype="int64")


def _truth(rows: pd.DataFrame, bundle: Bundle) -> np.ndarray | None:
    """Return the (n,) outcomes of rows as codes or values, NaN where one is not known; None without such a column."""
    target, schema = bundle.schema.target, bundle.schema
    if target is None or target not in rows:
        return None
    told = cast(rows, schema, only=[target])[target]
    if not schema.classes:
        return told.to_numpy(dtype="float64", na_value=np.nan)
    found = codes(told, schema.classes).astype("float64")
    return np.asarray(np.where(found < 0, np.nan, found))


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


def main(sections: Sections) -> None:
    """Write the drift of all batches, and a page about it; batches that cannot be read are named there."""
    settings, new = sections.monitor, files(paths.PRODUCTION)
    bundle = load(paths.BUNDLE, backend="auto" if new else "none")
    reference = reference_of(paths.BUNDLE)
    names = [path.relative_to(paths.PRODUCTION).as_posix() for path in new]
    found = [read(path, name, bundle, reference, sections.problem) for path, name in zip(new, names, strict=True)]
    windows = [*_windows([one for one in found if one.problem is None], reference, settings)]
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
    if reference.task == "clustering":
        told.append("the predictions are not compared: clusters have no predictions held out in training")
    return told
