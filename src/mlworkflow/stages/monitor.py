"""How far the batches in data/production/ are from the rows learnt from -> metrics/drift.json, reports/monitor.html."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError
from mlworkflow.core.params import Monitor, Sections
from mlworkflow.exploring.arrivals import arrivals
from mlworkflow.files import tables
from mlworkflow.pages import templates
from mlworkflow.serving.bundle import Bundle, load, watched
from mlworkflow.serving.drift import COLUMNS, drift

if TYPE_CHECKING:
    import pandas as pd

PREDICTIONS = "(predictions)"
MOST_REASONS = 6  # lines of what is wrong with a batch


@dataclass(frozen=True)
class Batch:
    """One file of new rows: how many were used, or what is wrong with it."""

    name: str
    rows: int
    problem: str | None = None


def files(folder: Path) -> list[Path]:
    """Return the files of tables in `folder` and below, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if tables.is_table(path)) if folder.is_dir() else []


def read_batches(found: list[Path], folder: Path, bundle: Bundle) -> tuple[list[Batch], pd.DataFrame | None]:
    """Return what became of each file by its name in `folder`, and the typed rows of all that could be read."""
    import pandas as pd

    told, typed = [], []
    for path in found:
        name = path.relative_to(folder).as_posix()
        try:
            rows = bundle.typed(tables.read_rows(path))
        except ProjectError as error:
            told.append(Batch(name, 0, in_short(error)))
            continue
        told.append(Batch(name, len(rows), None if len(rows) else "it has no rows"))
        if len(rows):
            typed.append(rows)
    return told, pd.concat(typed, ignore_index=True) if typed else None


def in_short(error: ProjectError) -> str:
    """Return what is wrong in one line, with the first few of many reasons."""
    lines = [line.strip().removeprefix("- ") for line in str(error).splitlines()]
    more = [f"and {len(lines) - MOST_REASONS} more lines"] if len(lines) > MOST_REASONS else []
    return "; ".join([*lines[:MOST_REASONS], *more]).replace(":;", ":")


def judge(found: pd.DataFrame, settings: Monitor, rows: int) -> pd.DataFrame:
    """Return the drift table with `drifted`: further than allowed and further than noise, with rows enough to tell."""
    enough = rows >= settings.fewest_rows
    return found.assign(drifted=(found["psi"] > settings.psi) & (found["psi"] > found["noise"]) & enough)


def summary(found: pd.DataFrame, rows: int) -> dict[str, Any]:
    """Return the flat content of metrics/drift.json; `columns` and `drifted` count inputs, not the predictions."""
    inputs = found[found["column"] != PREDICTIONS]
    said = found.loc[found["column"] == PREDICTIONS, "psi"]
    return {
        "rows": rows,
        "columns": len(inputs) if rows else 0,
        "drifted": int(inputs["drifted"].sum()),
        "worst_psi": float(inputs["psi"].iloc[0]) if len(inputs) else None,
        "worst_column": str(inputs["column"].iloc[0]) if len(inputs) else None,
        "prediction_psi": float(said.iloc[0]) if len(said) else None,
    }


def words(told: dict[str, Any], batches: list[Batch], settings: Monitor) -> str:
    """Return the finding in one sentence."""
    rows = "1 new row" if told["rows"] == 1 else f"{told['rows']} new rows"
    if not batches:
        return "There are no new rows: put CSV or Parquet files of raw rows into data/production/."
    if not told["rows"]:
        return "No row could be read, so nothing is said about drift."
    if told["rows"] < settings.fewest_rows:
        return f"{rows}: too few to judge, {settings.fewest_rows} are needed. The numbers below are mostly noise."
    if told["drifted"]:
        return f"{rows}: {told['drifted']} of {told['columns']} columns moved further than allowed."
    return f"{rows}: no column moved further than allowed."


def page(bundle: Bundle, found: pd.DataFrame, told: dict[str, Any], batches: list[Batch], settings: Monitor) -> str:
    """Return the page: the finding in a sentence, what is suspicious, the drift of each column, each batch."""
    enough = told["rows"] >= settings.fewest_rows
    suspicious = arrivals(bundle.profile, found, settings.psi) if enough else []
    return templates.render(
        "monitor.html",
        problem=bundle.manifest["problem"],
        told=told,
        words=words(told, batches, settings),
        settings=settings,
        batches=batches,
        findings=[finding.to_dict() for finding in suspicious],
        columns=found.to_dict("records"),
        training_rows=bundle.profile["rows"],
        watched=bundle.profile["predictions"] is not None,
    )


def main(sections: Sections) -> None:
    """Write the drift of all batches together, and a page about it; batches that cannot be read are named there."""
    import pandas as pd

    settings, new = sections.monitor, files(paths.PRODUCTION)
    bundle = load(paths.BUNDLE, backend="auto" if new else "none")
    batches, rows = read_batches(new, paths.PRODUCTION, bundle)
    found, count = pd.DataFrame(columns=COLUMNS), 0
    if rows is not None:
        found, count = drift(bundle.profile, rows, watched(bundle.predict(rows), bundle.schema)), len(rows)
    found = judge(found, settings, count)
    told = summary(found, count)
    io.write_json(told, paths.DRIFT)
    io.write_text(page(bundle, found, told, batches, settings), paths.MONITOR_PAGE)
