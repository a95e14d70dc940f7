"""Score the test rows, here and nowhere else: model, baselines, test -> metrics/test.json, evaluation/."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow import calibration, io, metrics, modelfile, paths, plots, worth
from mlworkflow.baselines import SIMPLEST_FIRST, existing
from mlworkflow.compare import Difference, paired
from mlworkflow.crossval import Rows, predict, relabel, rows_of
from mlworkflow.intervals import intervals
from mlworkflow.metrics import Scored
from mlworkflow.params import Sections
from mlworkflow.schema import Schema
from mlworkflow.slices import slices
from mlworkflow.split import row_ids
from mlworkflow.threshold import Threshold

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.problem import Problem, SliceShare

MOST_ROWS = 2000  # of the test rows, for permutation importance


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
    against = {
        name: _as_dict(worth.against(scored, other, problem.value, classes, seed=seed))
        for name, other in others.items()
    }
    total = worth.total(scored, problem.value, classes)
    return {"unit": problem.value.unit, "rows": len(scored), "model": total, "against": against}


def _as_dict(difference: Difference) -> dict[str, float]:
    return {"value": difference.value, "low": difference.low, "high": difference.high}


def importance(fitted: Any, rows: Rows, metric: str, seed: int) -> pd.DataFrame:
    """Return how much the metric loses when a column is shuffled (Breiman 2001): column, drop, spread, largest first."""
    import pandas as pd
    from sklearn.inspection import permutation_importance

    some = rows.take(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).round().astype(int))
    if rows.task == "clustering":
        space = fitted[:-1].transform(some.table)

    def goodness(model: Any, table: pd.DataFrame, target: np.ndarray | None) -> float:
        said = predict(model, Rows(table, target, rows.task))
        if rows.task == "clustering":  # the shuffled rows' clusters, judged where the rows really are
            said = Scored(np.asarray(space, dtype=float), said.labels, None)
        return metrics.gain(metric, metrics.score([metric], said)[metric], 0.0)

    found = permutation_importance(fitted, some.table, some.target, scoring=goodness, n_repeats=5, random_state=seed)
    table = pd.DataFrame(
        {"column": some.table.columns, "drop": found["importances_mean"], "spread": found["importances_std"]}
    )
    return table.sort_values(["drop", "column"], ascending=[False, True], kind="stable", ignore_index=True)


def fit_words(metric: str, train: float, cross_validated: float, tested: dict[str, float]) -> str:
    """Return over- or underfitting in words, from the metric on training, out-of-fold and test rows and its noise."""
    noise = max(tested["high"] - tested["low"], 0.0) / 2
    learnt, kept = metrics.gain(metric, train, cross_validated), metrics.gain(metric, tested["value"], cross_validated)
    said = [f"fitted rows are better than held-out ones by {learnt:.4g} in {metric}"]
    said.append(
        "more than the noise: it overfits" if learnt > noise else "no more than the noise: no sign of overfitting"
    )
    if kept < -noise:
        said.append(f"the test rows are worse than cross-validation by {-kept:.4g}: the validation flattered")
    return "; ".join(said)


def seconds_a_row(fitted: Any, rows: Rows, times: int = 30) -> float:
    """Return the median seconds that one row takes."""
    measured = []
    for _ in range(times):
        started = time.perf_counter()
        fitted.predict(rows.table.iloc[[0]])
        measured.append(time.perf_counter() - started)
    return float(np.median(measured))


def predictions(test: pd.DataFrame, scored: Scored, classes: Sequence[Any]) -> pd.DataFrame:
    """Return a row a test row: its id (from its content), truth, prediction, and the probability of each class."""
    import pandas as pd

    table = pd.DataFrame({"row": row_ids(test)})
    if not classes:
        truth = {} if scored.truth.ndim > 1 else {"truth": scored.truth}
        return table.assign(**truth, prediction=scored.labels)
    names = np.asarray([str(name) for name in classes], dtype=object)
    table = table.assign(truth=names[scored.truth], prediction=names[scored.labels])
    said = np.asarray(scored.probabilities)
    return table.assign(**{f"probability_{name}": said[:, code] for code, name in enumerate(names)})


def shares(test: pd.DataFrame, slices: Sequence[SliceShare]) -> dict[str, dict[str, float]]:
    """Return {column: {value: share of the test rows}} for the slices that a constraint names."""
    found: dict[str, dict[str, float]] = {}
    for part in slices:
        share = float((test[part.column].astype(str) == str(part.value)).mean())
        found.setdefault(part.column, {})[str(part.value)] = share
    return found


def write_plots(tables: dict[str, pd.DataFrame]) -> None:
    """Write each table under evaluation/plots/ and nothing else there."""
    shutil.rmtree(paths.PLOTS, ignore_errors=True)
    for name, table in tables.items():
        io.write_table(table, paths.PLOTS / name)


def constraint_on_time(limit: float | None, fitted: Any, rows: Rows) -> dict[str, Any]:
    """Return the limit on a prediction's time and whether it is kept; the time itself goes to the untracked timings."""
    measured = seconds_a_row(fitted, rows)
    io.write_json({"milliseconds_a_row": round(measured * 1000, 3)}, paths.TIMINGS / "prediction.json")
    if limit is None:
        return {}
    return {"slowest_prediction_milliseconds": {"limit": limit, "passed": measured * 1000 <= limit}}


def main(sections: Sections) -> None:
    """Write the test metrics with their intervals, and all that is found about the model."""
    problem, seed = sections.problem, sections.seed
    primary, names = problem.metrics.primary, problem.metrics.names
    schema, test = Schema.from_dict(io.read_json(paths.FEATURES)), io.read_table(paths.TEST)
    rows = rows_of(test, schema, problem.task)
    fitted, baselines = (modelfile.loads(io.read_bytes(path)) for path in (paths.MODEL, paths.BASELINES))
    decided = io.read_json(paths.THRESHOLD)
    scored = predict(fitted, rows, Threshold.from_dict(decided) if schema.classes else None)
    others = rungs(baselines, rows, test, problem, schema)
    stable = None
    if "stability" in names:
        stable = metrics.stability(fitted, rows.table, scored.labels, seed=seed)
    tested = metrics.score(names, scored, stability=stable)
    bounds = intervals([name for name in names if name != "stability"], scored, seed=seed)
    weights = importance(fitted, rows, primary, seed)
    found = {
        "primary": primary,
        "rows": {"train": schema.rows, "test": len(test)},
        "fit": _fit(primary, bounds["metrics"][primary]),
        "against": {name: _as_dict(paired(primary, scored, other, seed=seed)) for name, other in others.items()},
        "money": money(scored, others, problem, schema.classes, seed),
        "slices": slices(rows.table, scored, primary, important=list(weights["column"][:8]), seed=seed).to_dict(
            "records"
        ),
        "shares": shares(test, problem.constraints.slices),
        "importance": weights.to_dict("records"),
        "calibration": _calibration(scored),
        "threshold": decided if schema.classes else None,
        "constraints": constraint_on_time(problem.constraints.slowest_prediction_milliseconds, fitted, rows),
    }
    io.write_json(tested, paths.TEST_METRICS)
    io.write_json(bounds, paths.INTERVALS)
    io.write_json(found, paths.FINDINGS)
    io.write_table(predictions(test, scored, schema.classes), paths.PREDICTIONS)
    write_plots(plots.tables(scored, schema.classes, weights, seed))


def _fit(primary: str, tested: dict[str, float]) -> dict[str, Any]:
    curve = io.read_table(paths.LEARNING_CURVE)
    train, check = (float(curve[column].iloc[-1]) for column in ("train", "cross_validated"))
    words = fit_words(primary, train, check, tested)
    return {"train": train, "cross_validated": check, "test": tested["value"], "words": words}


def _calibration(scored: Scored) -> dict[str, Any] | None:
    if scored.probabilities is None:
        return None
    bins = calibration.curve(scored)
    return {"error": calibration.error(bins), "words": calibration.words(bins)}
