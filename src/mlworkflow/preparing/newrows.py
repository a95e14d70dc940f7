"""`mlworkflow check FILE`: the contract alone, on a file of new rows."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from mlworkflow.core.errors import ConfError
from mlworkflow.core.params import read_params
from mlworkflow.core.problem import Problem
from mlworkflow.files import tables
from mlworkflow.preparing.contract import Contract, ContractError
from mlworkflow.sources import file


def check_file(path: Path, name: str | None = None) -> str:
    """Check the rows of a file against the contract of the problem `name` (default: that of params.yaml).

    Returns: what was checked, and warnings of what is only wider.

    Raises:
        ContractError: every violation.
        ConfError: the problem has mistakes.
        UnreadableError: the file is missing, or no table.
    """
    tables.suffix_of(path)
    problem = _problem(name)
    if not problem.contract:
        return f"the problem {problem.name} has no contract (problem.contract): nothing was checked"
    contract = Contract(problem)
    for batch in file(str(path)):
        contract.add(batch)
    if found := contract.violations():
        raise ContractError(str(path), [*found, *(f"warning: {line}" for line in contract.warnings())])
    kept = f"{contract.rows} rows of {path} keep to the contract of {problem.name} ({len(problem.contract)} columns)"
    return "\n".join([kept, *(f"warning: {line}" for line in contract.warnings())])


def _problem(name: str | None) -> Problem:
    from mlworkflow.config import conf
    from mlworkflow.config.mistakes import MEND, validate

    composed = conf.compose([f"problem={name}"]) if name else read_params()
    try:
        return Problem.model_validate(composed.get("problem"))
    except ValidationError as error:
        raise ConfError(validate(composed), MEND) from error
