"""Score the test rows, here and nowhere else: model, baselines, test -> metrics/test.json, evaluation/."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.judging import best, calibration, plots
from mlworkflow.judging.importance import importance
from mlworkflow.judging.predicted import predictions, refits_table
from mlworkflow.judging.slices import slices
from mlworkflow.learning import modelfile
from mlworkflow.learning.baselines import SIMPLEST_FIRST, existing
from mlworkflow.learning.crossval import Rows, predict, relabel, rows_of
from mlworkflow.learning.families import assembled
from mlworkflow.learning.refits import kept, name_of, refits
from mlworkflow.learning.threshold import Threshold
from mlworkflow.measures import metrics, worth
from mlworkflow.measures.compare import paired
from mlworkflow.measures.intervals import intervals
from mlworkflow.measures.metrics import Scored
from mlworkflow.measures.stability import stability
from mlworkflow.rows.reading import as_word, words
from mlworkflow.rows.schema import Schema
from mlworkflow.rows.split import folds, known_by

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem, SliceShare


def rungs(
    baselines: dict[str, Any], rows: Rows, test: pd.DataFrame, problem: Problem, schema: Schema
) -> dict[str, Scored]:
    """Return what each rung of the ladder says of the test rows, simplest first."""
    said = {}
    for name, fitted in baselines["pipelines"].items():
        stored = baselines["thresholds"].get(name)
        said[name] = predict(fitted, rows, Threshold.from_dict(stored) if stored else None)
    if problem.reference.existing and rows.target is not None:
        system = existing(test[problem.reference.existing], rows.target, schema)
        said["existing"] = relabel(system, problem, schema.classes)[0]
    return {name: said[name] for name in SIMPLEST_FIRST if name in said}


def money(
    scored: Scored, others: dict[str, Scored], problem: Problem, classes: list[Any], seed: int
) -> dict[str, Any] | None:
    """Return what the model's predictions of the test rows are worth, and how much more than each rung's."""
    if problem.value is None:
        return None
    gains = {name: worth.against(scored, other, problem.value, classes, seed=seed) for name, other in others.items()}
    return {
        "unit": problem.value.unit,
        "rows": len(scored),
        "model": worth.total(scored, problem.value, classes),
        "against": {name: gain.to_dict() for name, gain in gains.items()},
    }


def fit_words(metric: str, train: float, cross_validated: float, tested: dict[str, float]) -> str:
    """Return over- or underfitting in words, from the metric on training, out-of-fold and test rows and its noise."""
    noise = max(tested["high"] - tested["low"], 0.0) / 2
    learnt, kept = metrics.gain(metric, train, cross_validated), metrics.gain(metric, tested["value"], cross_validated)
    said = [f"fitted rows are better than held-out ones by {learnt:.4g} in {metric}"]
    if np.isnan(noise):
        return f"{said[0]}; the test rows do not tell how much of it is noise"
    said.append(
        "more than the noise: it overfits" if learnt > noise else "no more than the noise: no sign of overfitting"
    )
    if kept < -noise:
        said.append(f"the test rows are worse than cross-validation by {-kept:.4g}: the validation flattered")
    return "; ".join(said)


def seconds_a_row(fitted: Any, rows: Rows, times: int = 30) -> float:
    """Return the median seconds of the processor that one row takes: on a busy machine the same, as waiting is none."""
    measured = []
    for _ in range(times):
        started = time.process_time()
        fitted.predict(rows.table.iloc[[0]])
        measured.append(time.process_time() - started)
    return float(np.median(measured))


def refitted(exam: Exam, sections: Sections) -> tuple[list[Scored], str]:
    """Return what the model, fitted without each part of the training rows, says of the test rows; the parts' name.

    None of a model that is fitted on a cluster, as its training rows are too many.
    """
    problem, seed, schema = exam.problem, exam.seed, exam.schema
    if sections.model.distributed:
        return [], ""
    train = io.read_table(paths.TRAIN)
    rows = rows_of(train, schema, problem.task)
    found = folds(train, rows.target, problem.data, problem.split, problem.task, seed)
    parts = kept(found, len(train), by_time=problem.split.scheme == "time")
    pipe = assembled(sections.model, schema, problem.task, io.read_yaml(paths.BEST_PARAMS), sections.augment)
    threshold = Threshold.from_dict(exam.decided) if schema.classes else None
    return refits(pipe, rows, parts, exam.rows, threshold), name_of(known_by(train, problem.data, exam.before), parts)


def shares(test: pd.DataFrame, slices: Sequence[SliceShare], schema: Schema) -> dict[str, dict[str, float]]:
    """Return {column: {value: share of the test rows}} for the slices that a constraint names, compared as words."""
    found: dict[str, dict[str, float]] = {}
    for part in slices:
        values = test[part.column]
        if part.column == schema.target and schema.classes:
            values = values.map(dict(enumerate(schema.classes)))
        found.setdefault(part.column, {})[str(part.value)] = float((words(values) == as_word(part.value)).mean())
    return found


def write_plots(tables: dict[str, pd.DataFrame]) -> None:
    """Write each table under evaluation/plots/ and nothing else there."""
    shutil.rmtree(paths.PLOTS, ignore_errors=True)
    for name, table in tables.items():
        io.write_table(table, paths.PLOTS / name)


def constraint_on_time(limit: float | None, fitted: Any, rows: Rows) -> dict[str, Any]:
    """Return the limit on a prediction's time and whether it is kept; the time itself goes to the untracked timings."""
    measured = seconds_a_row(fitted, rows)
    io.write_json({"milliseconds_a_row": round(measured * 1000, 3)}, paths.PREDICTION_TIME)
    if limit is None:
        return {}
    return {"slowest_prediction_milliseconds": {"limit": limit, "passed": measured * 1000 <= limit}}


@dataclass(frozen=True)
class Exam:
    """The test rows, the model that is examined on them, what it and each rung said, and what the truth says."""

    problem: Problem
    seed: int
    schema: Schema
    test: pd.DataFrame
    rows: Rows
    fitted: Any
    decided: dict[str, Any]
    scored: Scored
    others: dict[str, Scored]
    best: Scored | None
    before: list[str]  # the columns before features were added


def sit(problem: Problem, seed: int) -> Exam:
    """Read the model, the baselines and the test rows, and let each score them."""
    schema, test = Schema.from_dict(io.read_json(paths.FEATURES)), io.read_table(paths.TEST)
    rows = rows_of(test, schema, problem.task)
    fitted, baselines = (modelfile.loads(io.read_bytes(path)) for path in (paths.MODEL, paths.BASELINES))
    decided = io.read_json(paths.THRESHOLD)
    scored = predict(fitted, rows, Threshold.from_dict(decided) if schema.classes else None)
    others = rungs(baselines, rows, test, problem, schema)
    possible = best.possible(test, scored, problem, schema)
    before = [column.name for column in Schema.from_dict(io.read_json(paths.SCHEMA)).columns]
    return Exam(problem, seed, schema, test, rows, fitted, decided, scored, others, possible, before)


def findings(exam: Exam, weights: pd.DataFrame, bounds: dict[str, Any]) -> dict[str, Any]:
    """Return evaluation/findings.json: all that is found about the model beside its metrics."""
    problem, seed, scored, classes = exam.problem, exam.seed, exam.scored, exam.schema.classes
    primary, important = problem.metrics.primary, list(weights["column"][:8])
    against = {name: paired(primary, scored, other, seed=seed).to_dict() for name, other in exam.others.items()}
    texts = [column.name for column in exam.schema.inputs if column.kind == "text"]
    parts = slices(exam.rows.table, scored, primary, important=important, texts=texts, seed=seed)
    limit = problem.constraints.slowest_prediction_milliseconds
    return {
        "primary": primary,
        "rows": {"train": exam.schema.rows, "test": len(exam.test)},
        "without_value": metrics.without_value(primary, scored, classes),
        "fit": _fit(primary, bounds["metrics"][primary]),
        "against": against,
        "best": best.told(exam.best, scored, problem, exam.schema, seed),
        "money": money(scored, exam.others, problem, classes, seed),
        "slices": parts.to_dict("records"),
        "shares": shares(exam.test, problem.constraints.slices, exam.schema),
        "importance": weights.to_dict("records"),
        "calibration": _calibration(scored),
        "threshold": _with_silent_classes(exam) if classes else None,
        "constraints": constraint_on_time(limit, exam.fitted, exam.rows),
    }


def _fit(primary: str, tested: dict[str, float]) -> dict[str, Any]:
    curve = io.read_table(paths.LEARNING_CURVE)
    train, check = (float(curve[column].iloc[-1]) for column in ("train", "cross_validated"))
    words = fit_words(primary, train, check, tested)
    return {"train": train, "cross_validated": check, "test": tested["value"], "words": words}


def _with_silent_classes(exam: Exam) -> dict[str, Any]:
    """Return the threshold; its words say which classes are never predicted."""
    said = set(exam.scored.labels.tolist())
    silent = [str(name) for code, name in enumerate(exam.schema.classes) if code not in said]
    words = f" No test row is predicted {' or '.join(silent)}: say in problem.value what each outcome is worth."
    return {**exam.decided, "silent": silent, "words": exam.decided["words"] + (words if silent else "")}


def _calibration(scored: Scored) -> dict[str, Any] | None:
    if scored.probabilities is None:
        return None
    bins = calibration.curve(scored)
    return {"error": calibration.error(bins), "words": calibration.words(bins)}


def main(sections: Sections) -> None:
    """Write the test metrics with their intervals, and all that is found about the model."""
    exam = sit(sections.problem, sections.seed)
    names, scored, seed = exam.problem.metrics.names, exam.scored, exam.seed
    stable = None
    if "stability" in names:
        stable = stability(exam.fitted, exam.rows.table, scored.labels, seed=seed)
    bounds = intervals([name for name in names if name != "stability"], scored, seed=seed)
    weights = importance(exam.fitted, exam.rows, exam.problem.metrics.primary, seed)
    io.write_json(metrics.score(names, scored, stability=stable), paths.TEST_METRICS)
    io.write_json(bounds, paths.INTERVALS)
    io.write_json(findings(exam, weights, bounds), paths.FINDINGS)
    classes, ids = exam.schema.classes, known_by(exam.test, exam.problem.data, exam.before)
    again, parts = refitted(exam, sections)
    io.write_table(predictions(ids, scored, classes), paths.PREDICTIONS)
    io.write_table(refits_table(ids, again, classes, parts), paths.REFITS)
    write_plots(plots.tables(scored, exam.schema.classes, weights, seed))
