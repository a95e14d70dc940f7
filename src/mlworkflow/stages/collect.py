"""Take the table from its source: source -> data/raw/ (the table as it is, and where it came from)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlworkflow import io, paths
from mlworkflow.errors import ConfError, ProjectError, TableError, nearest, reason
from mlworkflow.params import Sections
from mlworkflow.schema import as_word, known_words

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.problem import Problem


def collect(problem: Problem) -> pd.DataFrame:
    """Return the table of the problem's source, after it was found fit for the problem.

    Raises:
        TableError: the table cannot carry the problem; every reason at once.
    """
    table = _load(problem.source.config())
    if found := mistakes(table, problem):
        raise TableError("the source table", found, "Mend the source, or name the right columns in conf/problem.")
    return table


def _load(source: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        found = instantiate(source)
        return found if isinstance(found, pd.DataFrame) else pd.concat(found, ignore_index=True)
    except InstantiationException as error:
        if isinstance(error.__cause__, ProjectError):
            raise error.__cause__ from error
        raise ConfError([f"problem.source: {reason(error)}"], "Mend the source.") from error


def mistakes(table: pd.DataFrame, problem: Problem) -> list[str]:
    """Return all that keeps `table` from carrying `problem`: absent columns, too few rows, a target of one class."""
    data = problem.data
    if table.columns.duplicated().any():
        return [f"the column {name!r} is there twice" for name in table.columns[table.columns.duplicated()]]
    named = [data.target, data.group, data.time, problem.split.column, problem.reference.existing]
    named += [*data.key, *data.hidden, *data.ranges]
    missing = dict.fromkeys(name for name in named if name is not None and name not in table)
    found = [f"the column {name!r} is not there{nearest(name, table.columns)}" for name in missing]
    if len(table) < 2 * problem.split.folds:
        found.append(f"it has {len(table)} rows, too few for {problem.split.folds} folds")
    used = {name for name in named if name is not None and name not in data.ranges}
    if not [name for name in table if name not in used]:
        found.append("no column is left for a model to see")
    if data.target in table:
        found += _target_mistakes(table[data.target], problem)
    return found


def _target_mistakes(target: pd.Series, problem: Problem) -> list[str]:
    import pandas as pd

    name = problem.data.target
    words = known_words(target, problem.data.blanks)
    if words.empty:
        return [f"the target {name!r} is missing in every row"]
    if problem.task == "regression":
        bad = words[pd.to_numeric(words, errors="coerce").isna()]
        return (
            [f"the target {name!r} must be a number, but row {bad.index[0] + 1} has {bad.iloc[0]!r}"]
            if len(bad)
            else []
        )
    classes = sorted(words.unique())
    if len(classes) < 2:
        return [f"the target {name!r} must have two classes or more, but has only {classes[0]!r}"]
    found = []
    if problem.task == "binary" and len(classes) > 2:
        found.append(
            f"the target {name!r} must have two classes in a binary task, but has {len(classes)}: {classes[:5]}"
        )
    if problem.task == "binary" and as_word(problem.data.positive) not in classes:
        found.append(
            f"the positive class {problem.data.positive!r} is not in {name!r}"
            f"{nearest(as_word(problem.data.positive), classes)}"
        )
    rare = words.value_counts()
    least = int(rare.min())
    if least < problem.split.folds:
        found.append(f"the class {rare.idxmin()!r} has {least} rows, too few for {problem.split.folds} folds")
    return found


def _about(source: dict[str, Any]) -> str:
    """Return the source in words: `mlworkflow.sources.file, path data/source/customers.csv`."""
    return ", ".join([source["_target_"], *(f"{key} {value}" for key, value in source.items() if key != "_target_")])


def main(sections: Sections) -> None:
    """Write the table and its provenance."""
    problem = sections.problem
    table = collect(problem)
    io.write_table(table, paths.RAW)
    io.write_json(
        {
            "source": json.dumps(problem.source.config(), sort_keys=True),
            "rows": len(table),
            "columns": table.shape[1],
            "sha256": io.sha256(paths.RAW),
            "about": _about(problem.source.config()),
            "origin": problem.origin and problem.origin.model_dump(exclude_none=True),
        },
        paths.PROVENANCE,
    )
