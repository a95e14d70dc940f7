"""The page of the report; `page(facts)` is pure, the stage of the same name reads the files.

Each module beside this one makes the values of some sections of pages/templates/report.html; what a task does not have
is None, and its section is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlworkflow.pages.templates import render
from mlworkflow.report import choice, figures, question, result

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.report.facts import Facts

MOST_OPEN = 12  # columns whose table is open at once


def page(facts: Facts) -> str:
    """Return the page as HTML; the same facts make the same bytes."""
    return render(
        "report.html",
        problem=facts.problem,
        model=facts.model,
        head=result.head(facts),
        values=question.values(facts.problem),
        constraints=question.constraints(facts.problem),
        provenance=facts.provenance,
        rows=facts.findings["rows"],
        ledger=_lines(facts.ledger),
        treated=_treated(facts),
        many=MOST_OPEN,
        data_findings=facts.data_findings,
        ladder=choice.ladder(facts),
        tuning=choice.tuning(facts),
        metrics=result.metrics(facts),
        best=facts.findings.get("best"),
        intervals=facts.intervals,
        fit=facts.findings.get("fit"),
        figures=figures.figures(facts),
        findings=facts.findings,
        money=result.money(facts),
        slices=result.slices(facts),
        all_slices=len(facts.findings.get("slices", [])),
        importance=result.importance(facts),
        rules=result.rules(facts.decision),
        onnx=facts.onnx,
        drift=facts.drift if facts.drift and facts.drift.get("rows") else None,
    )


def _lines(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, missing values as empty strings."""
    return [
        {str(name): "" if value != value or value is None else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _treated(facts: Facts) -> list[dict[str, Any]]:
    """Return how the model sees each column: kind, share missing, treatment and why; the dropped ones last."""
    lines = [
        {"name": one.name, "kind": one.kind, "missing": one.missing, "treatment": one.treatment, "why": one.why}
        | {"outliers": "" if one.outliers == "leave" else f", outliers: {one.outliers}"}
        for one in facts.columns
        if one.treatment is not None
    ]
    return sorted(lines, key=lambda line: line["treatment"] == "drop")
