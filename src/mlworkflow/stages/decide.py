"""Answer "is the model good enough?": metrics -> metrics/decision.json. The verdict is an output, not a crash."""

from __future__ import annotations

from mlworkflow import io, paths
from mlworkflow.params import Sections
from mlworkflow.problem import SliceShare
from mlworkflow.verdict import Facts, decision


def shares(slices: list[SliceShare]) -> dict[tuple[str, str], float]:
    """Return the share of the test rows in each slice that a constraint names; reads only their columns."""
    if not slices:
        return {}
    table = io.read_table(paths.TEST_ROWS, columns=sorted({part.column for part in slices}))
    return {
        (part.column, str(part.value)): float((table[part.column].astype(str) == str(part.value)).mean())
        for part in slices
    }


def main(sections: Sections) -> None:
    """Write the decision."""
    problem, model = sections.problem, sections.model
    facts = Facts(
        ladder=io.read_json(paths.BASELINE_METRICS),
        tested=io.read_json(paths.TEST_METRICS),
        findings=io.read_json(paths.FINDINGS),
        megabytes=len(io.read_bytes(paths.MODEL)) / 1e6,
        shares=shares(problem.constraints.slices),
    )
    io.write_json(decision(facts, problem, model.name, model.rung), paths.DECISION)
