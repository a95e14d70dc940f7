"""The model card of a bundle, in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mlworkflow.core.params import Augment, Model, family
from mlworkflow.core.problem import Problem
from mlworkflow.measures.metrics import METRICS
from mlworkflow.rows.schema import Schema
from mlworkflow.serving.folder import versions


def card(problem: Problem, model: Model, augment: Augment, schema: Schema, seed: int, found: Mapping[str, Any]) -> str:
    """Return the model card in Markdown, in the sections of Mitchell et al. 2019, Model Cards for Model Reporting.

    `found`: the content of the files in FOUND of the stage `package`, and `onnx` as in the manifest.
    """
    parts = [
        f"# Model card: {problem.name}",
        _verdict(found["decision"]),
        "## Model details",
        _details(problem, model, augment, seed, found["threshold"]),
        "## The ONNX file",
        _onnx(found["onnx"], schema),
        "## Intended use",
        _use(problem),
        "## Factors and limits",
        _limits(problem, schema, found["findings"]),
        "## Metrics",
        _metrics(problem, found),
        "## Baselines",
        _baselines(problem, found),
        "## Evaluation and training data",
        _data(problem, schema, found["findings"]),
        "## Ethical considerations and rights",
        _rights(problem),
        "## Caveats and recommendations",
        _caveats(problem, found),
    ]
    return "\n\n".join(parts) + "\n"


def figure(value: float | int | None) -> str:
    """Return a number with four significant digits; a dash for none."""
    return "–" if value is None else f"{value:.4g}"


def table_of(head: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table, or a sentence where it has no line."""
    if not lines:
        return "None."
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _verdict(decision: Mapping[str, Any]) -> str:
    enough = "It keeps every rule of the problem." if decision["good_enough"] else "It does not keep every rule."
    verdict = str(decision["verdict"]).capitalize()
    return f"**{verdict}.** {decision['why']}" if "why" in decision else f"**{verdict}.** {enough}"


def _details(problem: Problem, model: Model, augment: Augment, seed: int, threshold: Mapping[str, Any]) -> str:
    target = getattr(model, family(problem.task))
    added = [f"- Rows added when it was fitted: {augment.name} (`{augment.rows.target}`)"] if augment.rows else []
    lines = [
        f"- Model: {model.name}" + (f" (`{target.target}`)" if target else ""),
        f"- Task: {problem.task}",
        *added,
        f"- Seed: {seed}",
        f"- Packages: {', '.join(f'{name} {version}' for name, version in versions().items())}",
        "- File: `pipeline.skops`, the whole fitted pipeline; load it through this project, which checks its SHA-256",
    ]
    if problem.task in ("binary", "multiclass"):
        lines.append(f"- Decision: {threshold['words']}")
    return "\n".join(lines)


def _onnx(proof: Mapping[str, Any], schema: Schema) -> str:
    if "left_out" in proof:
        return f"There is none: {proof['left_out']}. The bundle is used with scikit-learn."
    rows = f"{proof['rows']} test rows and {proof['hard_rows']} made-up hard rows"
    said = (
        f"`model.onnx` says what `pipeline.skops` says: on {rows} the largest difference was {proof['difference']:.2g} "
        f"(allowed: {proof['tolerance']:g}{_unit(schema)}). Any runtime of ONNX takes it: each input is (n, 1), "
        "missing numbers are NaN, missing words empty. Features are inputs too; `mlworkflow.runtime` makes them."
    )
    lines = [[f"`{one['name']}`", one["type"]] for one in proof["inputs"]]
    classes = f", the classes in the order {', '.join(map(str, schema.classes))}" if schema.classes else ""
    return f"{said}\n\n{table_of(['input', 'type'], lines)}\n\nOutput: `{proof['output']}`{classes}."


def _unit(schema: Schema) -> str:
    return {"regression": " of the value's size", "clustering": ", so the same cluster"}.get(schema.task, "")


def _use(problem: Problem) -> str:
    return f"- Question: {problem.question}\n- Asked by: {problem.asked_by}\n- Other uses were not tested."


def _limits(problem: Problem, schema: Schema, findings: Mapping[str, Any]) -> str:
    primary = problem.metrics.primary
    worst = [part for part in findings["slices"] if not part["too_small"]][:5]
    lines = [
        [str(part["column"]), str(part["slice"]), str(part["rows"]), figure(part["value"]), figure(part["gap"])]
        for part in worst
    ]
    ranges = [
        f"`{column.name}` {figure(column.low)} to {figure(column.high)}"
        for column in schema.inputs
        if column.low is not None
    ]
    shown = ", ".join(ranges[:10]) + (f", and {len(ranges) - 10} more in schema.json" if len(ranges) > 10 else "")
    parts = [f"The slices of the test rows where {primary} is worst:"]
    parts.append(table_of(["column", "slice", "rows", primary, "worse than the whole by"], lines))
    if ranges:
        parts.append(f"Outside the ranges of the training rows nothing is known: {shown}.")
    return "\n\n".join(parts)


def _metrics(problem: Problem, found: Mapping[str, Any]) -> str:
    bounds, level = found["intervals"]["metrics"], found["intervals"]["level"]
    lines = [
        [
            f"{name} {'↑' if METRICS[name].greater_is_better else '↓'}",
            figure(found["cv"].get(name)),
            figure(found["test"].get(name)),
            f"{figure(bounds[name]['low'])} to {figure(bounds[name]['high'])}" if name in bounds else "–",
        ]
        for name in problem.metrics.names
    ]
    head = ["metric", "cross-validated", "test rows", f"{level:.0%} interval"]
    said = f"Intervals: {found['intervals']['method']} ({found['intervals']['source']}). The first metric decides."
    calibration = found["findings"]["calibration"]
    parts = [table_of(head, lines), said, *([f"Calibration: {calibration['words']}"] if calibration else [])]
    return "\n\n".join(parts)


def _baselines(problem: Problem, found: Mapping[str, Any]) -> str:
    primary, against = problem.metrics.primary, found["findings"]["against"]
    lines = []
    for rung, scores in found["baselines"].items():
        gain = against.get(rung)
        low_high = f"{figure(gain['low'])} to {figure(gain['high'])}" if gain else "–"
        lines.append([rung, figure(scores.get(primary)), figure(gain["value"] if gain else None), low_high])
    return table_of(["baseline", f"{primary}, cross-validated", "gain of the model, test rows", "interval"], lines)


def _data(problem: Problem, schema: Schema, findings: Mapping[str, Any]) -> str:
    rows, unseen = findings["rows"], [*schema.with_role("hidden"), *schema.with_role("best")]
    return "\n".join(
        [
            f"- Source: {problem.rights.source}",
            f"- Rows: {rows['train']} to train, {rows['test']} to test; split by {problem.split.scheme}",
            f"- Columns that the model sees: {_treated(schema)}, and {len(problem.features)} features made of them",
            f"- Target: {f'`{schema.target}`' if schema.target else 'none'}"
            + (f", classes {', '.join(map(str, schema.classes))}" if schema.classes else ""),
            f"- Columns that it may not see: {', '.join(f'`{name}`' for name in unseen) or 'none'}",
        ]
    )


def _treated(schema: Schema) -> str:
    """Return how many columns are treated in which way, and the names of those that are dropped."""
    ways = Counter(column.treatment or "as they are" for column in schema.inputs)
    dropped = [f"`{column.name}`" for column in schema.inputs if column.treatment == "drop"]
    told = ", ".join(f"{count} {way}" for way, count in sorted(ways.items()) if way != "drop") or "none"
    return told + (f" (dropped: {', '.join(dropped[:10])}{', ...' if len(dropped) > 10 else ''})" if dropped else "")


def _rights(problem: Problem) -> str:
    rights = problem.rights
    lines = [
        f"- Licence of the data: {rights.licence}",
        f"- Personal data: {'yes' if rights.personal_data else 'no'}",
        *([f"- {rights.notes}"] if rights.notes else []),
    ]
    return "\n".join(lines)


def _caveats(problem: Problem, found: Mapping[str, Any]) -> str:
    rules = found["decision"]["passed"].items()
    broken, untold = ([name.replace("_", " ") for name, passed in rules if passed is kept] for kept in (False, None))
    lines = [
        f"- Fit: {found['findings']['fit']['words']}",
        f"- Rules not kept: {', '.join(broken) or 'none'}",
        *([f"- Rules that cannot be told: {', '.join(untold)}"] if untold else []),
        f"- The simplest that does as well: {found['decision']['simplest_adequate'] or 'cannot be told'}",
        "- Watch it with `dvc repro monitor`: put new rows into data/production/",
    ]
    return "\n".join(lines)
