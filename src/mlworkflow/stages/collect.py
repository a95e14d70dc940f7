"""Take the table from its source: source -> data/raw/ (the table as it is, and where it came from)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ConfError, ProjectError, TableError, reason
from mlworkflow.core.params import Sections
from mlworkflow.preparing.contract import Contract, ContractError
from mlworkflow.preparing.fitness import Fitness
from mlworkflow.rows.batches import writing

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem


def collect(problem: Problem) -> pd.DataFrame:
    """Return the table of the problem's source, after it was found fit for the problem.

    Raises:
        TableError: the table cannot carry the problem; every reason at once.
        ContractError: rows break the contract; every violation at once.
    """
    import pandas as pd

    parts: list[pd.DataFrame] = []
    stream(problem, parts.append)
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def stream(problem: Problem, keep: Callable[[pd.DataFrame], None]) -> list[str]:
    """Give `keep` the rows of the source batch by batch, and raise in the end what `collect` does; return warnings."""
    fitness, contract = Fitness(problem), Contract(problem)
    for batch in _load(problem.source.config()):
        fitness.add(batch)
        if not fitness.twice:
            contract.add(batch)
            keep(batch)
    if found := fitness.mistakes():
        raise TableError(
            "the source table",
            [*found, *contract.violations()],
            "Mend the source, or name the right columns in conf/problem.",
        )
    if found := contract.violations():
        raise ContractError("the source table", found)
    return contract.warnings()


def _load(source: dict[str, Any]) -> Iterable[pd.DataFrame]:
    """Return the batches of the source; a table is one."""
    import pandas as pd
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        found = instantiate(source)
    except InstantiationException as error:
        if isinstance(error.__cause__, ProjectError):
            raise error.__cause__ from error
        raise ConfError([f"problem.source: {reason(error)}"], "Mend the source.") from error
    batches: Iterable[pd.DataFrame] = [found] if isinstance(found, pd.DataFrame) else found
    return batches


def mistakes(table: pd.DataFrame, problem: Problem) -> list[str]:
    """Return all that keeps `table` from carrying `problem`: absent columns, too few rows, a target of one class."""
    fitness = Fitness(problem)
    fitness.add(table)
    return fitness.mistakes()


def _about(source: dict[str, Any]) -> str:
    """Return the source in words: `mlworkflow.sources.file, path data/source/customers.csv, delimiter ';'`."""
    shown = {key: str(value) if re.match(r"\w", str(value)) else repr(value) for key, value in source.items()}
    return ", ".join([source["_target_"], *(f"{key} {value}" for key, value in shown.items() if key != "_target_")])


def main(sections: Sections) -> None:
    """Write the table and its provenance; what is only wider than the contract is a warning."""
    problem = sections.problem
    with writing(paths.RAW) as writer:
        warnings = stream(problem, writer.add)
    for line in warnings:
        print(f"collect: warning: {line}", file=sys.stderr)
    origin = {"origin": problem.origin.model_dump(exclude_none=True)} if problem.origin else {}
    io.write_json(
        {
            "source": json.dumps(problem.source.config(), sort_keys=True),
            **origin,
            "rows": writer.rows,
            "columns": len(writer.names),
            "sha256": io.sha256(paths.RAW),
            "about": _about(problem.source.config()),
        },
        paths.PROVENANCE,
    )
