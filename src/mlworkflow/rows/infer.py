"""The schema of a raw table: kinds by what all its values can be read as, roles by the problem."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mlworkflow.rows.kinds import Evidence
from mlworkflow.rows.reading import as_word, spelt, words
from mlworkflow.rows.schema import Column, Role, Schema

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Kind, Problem


def infer(table: pd.DataFrame, problem: Problem) -> Schema:
    """Return the schema of the raw `table`: kinds by what all its values can be read as, roles by the problem."""
    return infer_batches([table], problem)


def infer_batches(batches: Iterable[pd.DataFrame], problem: Problem) -> Schema:
    """Return the schema of a raw table that comes in batches."""
    data, policy, known = problem.data, problem.prepare, roles(problem)
    seen, classes = _seen(batches, problem)
    columns = [
        Column(
            name,
            kind=_kind(name, evidence, known.get(name, "input"), problem),
            role=known.get(name, "input"),
            spelling=policy.spelling.get(name, {}),
            comma=name in data.commas,
            dates=data.dates.get(name),
            outliers=policy.outliers.get(name, "leave"),
        )
        for name, evidence in seen.items()
    ]
    return Schema(problem.task, data.target, _ordered(classes, problem), columns, data.blanks, rare=policy.rare)


def _seen(batches: Iterable[pd.DataFrame], problem: Problem) -> tuple[dict[str, Evidence], set[str]]:
    """Return what the values of each column show, and the classes of the target."""
    target, blanks = problem.data.target, problem.data.blanks
    seen: dict[str, Evidence] = {}
    classes: set[str] = set()
    for batch in batches:
        for name in batch:
            seen.setdefault(str(name), Evidence(blanks)).add(batch[name])
        if problem.task in ("binary", "multiclass") and target in batch:
            found = spelt(words(batch[target], blanks), problem.prepare.spelling.get(str(target), {}))
            classes.update(found.dropna().unique())
    return seen, classes


def roles(problem: Problem) -> dict[str, Role]:
    """Return the role of each column that the problem gives one; the others are inputs."""
    data = problem.data
    found: dict[str, Role] = dict.fromkeys(data.hidden, "hidden")
    found |= dict.fromkeys(data.key, "key")
    reference = problem.reference
    named: list[tuple[Role, str | None]] = [
        ("existing", reference.existing),
        ("best", reference.best),
        ("group", data.group),
        ("time", data.time),
    ]
    found |= {name: role for role, name in named if name}
    if problem.split.column:
        found[problem.split.column] = "hidden"
    if data.target:
        found[data.target] = "target"
    return found


def _kind(name: str, evidence: Evidence, role: Role, problem: Problem) -> Kind:
    """Return what the problem says of a column, else what its values say."""
    if stated := stated_kind(name, problem):
        return stated
    return "category" if evidence.kind == "text" and role not in ("input", "hidden") else evidence.kind


def stated_kind(name: str, problem: Problem) -> Kind | None:
    """Return what the problem says of a column, by a line of its own or by its role; None where it says nothing."""
    data, role = problem.data, roles(problem).get(name, "input")
    if role == "target":
        return "number" if problem.task == "regression" else "category"
    if role == "time":
        return "time"
    if name in data.kinds:
        return data.kinds[name]
    if name in data.dates:
        return "time"
    if name in data.commas or role == "best":
        return "number"
    if role == "key" or name == problem.split.column:
        return "category"  # as numbers, long ones would run together
    return None


def _ordered(classes: Iterable[str], problem: Problem) -> list[Any]:
    """Return the classes in the order of their codes: sorted, in a binary problem the positive one last."""
    ordered = sorted(classes, key=_number_then_word)
    if problem.task == "binary":
        ordered.sort(key=lambda name: name == as_word(problem.data.positive))
    return ordered


def _number_then_word(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
