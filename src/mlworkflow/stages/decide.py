"""Answer "is the model good enough?": metrics -> metrics/decision.json. The verdict is an output, not a crash."""

from __future__ import annotations

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.judging.verdict import Facts, decision


def main(sections: Sections) -> None:
    """Write the decision."""
    facts = Facts(
        ladder=io.read_json(paths.BASELINE_METRICS),
        tested=io.read_json(paths.TEST_METRICS),
        findings=io.read_json(paths.FINDINGS),
        megabytes=len(io.read_bytes(paths.MODEL)) / 1e6,
    )
    model = sections.model
    io.write_json(decision(facts, sections.problem, model.name, model.rung), paths.DECISION)
