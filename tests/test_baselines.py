"""The ladder: what each rung says, and that it is a model like any other."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from mlworkflow.core.errors import TableError
from mlworkflow.core.params import Rung
from mlworkflow.core.problem import Problem
from mlworkflow.learning.baselines import SIMPLEST_FIRST, existing, ladder
from mlworkflow.learning.crossval import fit, predict, rows_of
from mlworkflow.measures.metrics import METRICS, score
from mlworkflow.rows.schema import Column, Schema
from mlworkflow.stages.baseline import as_metrics, climb, demand_rows
from tests.conftest import make_problem
from tests.test_models import table

PRIMARY = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse", "clustering": "silhouette"}


def problem_of(task: str, **changes) -> Problem:
    data = {"target": None if task == "clustering" else "y", "key": [], "positive": "yes" if task == "binary" else None}
    primary = {"primary": PRIMARY[task], "also": []}
    return make_problem(task=task, data=data, metrics=primary, clusters=3, split={"folds": 3}, **changes)


@pytest.mark.parametrize(
    ("task", "rungs"),
    [
        ("binary", ["random", "majority", "one_column", "linear"]),
        ("multiclass", ["random", "majority", "one_column", "linear"]),
        ("regression", ["random", "mean", "median", "one_column", "linear"]),
        ("clustering", ["random", "one_column", "linear"]),
    ],
)
def test_every_task_has_its_ladder_from_simple_to_linear(task, rungs):
    made, schema = table(task)
    problem = problem_of(task)
    found = climb(ladder(problem, schema, 0), rows_of(made, schema, task), made, problem, schema, 0)
    told = as_metrics(found, problem)
    assert list(told) == rungs
    assert all(np.isfinite(values[PRIMARY[task]]) for values in told.values())
    better = METRICS[PRIMARY[task]].greater_is_better
    first, last = told["random"][PRIMARY[task]], told["linear"][PRIMARY[task]]
    assert (last > first) if better else (last < first)


def test_every_rung_has_its_place_in_the_order():
    _, schema = table("regression")
    assert set(ladder(problem_of("regression"), schema, 0)) <= set(SIMPLEST_FIRST)


def test_the_one_column_rule_finds_the_column_that_decides():
    made, schema = table("binary", rows=400)
    rows = rows_of(made.assign(x=made["x"].fillna(0)), schema, "binary")
    fitted = fit(ladder(problem_of("binary"), schema, 0)["one_column"], rows)
    assert fitted[0].get_feature_names_out()[fitted[-1].position_] == "x"
    assert score(["accuracy"], predict(fitted, rows))["accuracy"] > 0.85


def in_time(rows: int = 24 * 70) -> tuple[pd.DataFrame, Schema]:
    """Return hourly rows whose target hangs on the hour alone."""
    when = pd.date_range("2024-01-01", periods=rows, freq="h")
    made = pd.DataFrame({"when": when, "when_weekday": when.day_of_week * 1.0, "when_hour": when.hour * 1.0, "x": 0.0})
    made["y"] = made["when_hour"] * 10
    columns = [Column(name, "number", "input") for name in ("when_weekday", "when_hour", "x")]
    return made, Schema("regression", "y", [], [Column("when", "time", "time"), *columns])


def test_in_time_the_last_value_and_the_season_are_rungs():
    made, schema = in_time()
    problem = make_problem(
        task="regression",
        data={"target": "y", "time": "when", "key": [], "positive": None},
        metrics={"primary": "rmse", "also": []},
        split={"scheme": "time"},
    )
    rungs = ladder(problem, schema, 0)
    rows = rows_of(made, schema, "regression")
    assert list(rungs)[3:5] == ["last_value", "seasonal"]
    assert set(predict(fit(rungs["last_value"], rows), rows).labels) == {made["y"].iloc[-1]}
    assert score(["rmse"], predict(fit(rungs["seasonal"], rows), rows))["rmse"] == pytest.approx(0)


def test_the_system_in_use_is_read_as_probabilities_or_classes():
    schema = Schema("binary", "y", ["no", "yes"], [])
    truth = np.array([0, 1, 1])
    shares = existing(pd.Series([0.2, 0.9, 0.4]), truth, schema)
    words = existing(pd.Series(["no", "yes", "no"]), truth, schema)
    assert shares.probabilities[:, 1].tolist() == [0.2, 0.9, 0.4]
    assert words.labels.tolist() == [0, 1, 0]


def test_the_system_in_use_and_people_are_rungs_where_the_problem_gives_them():
    made, schema = table("binary")
    human = {"metric": "accuracy", "figure": 0.9, "source": "a count"}
    problem = problem_of("binary", reference={"existing": "said", "human": human})
    made = made.assign(said=made["y"].astype(float))
    found = climb(ladder(problem, schema, 0), rows_of(made, schema, "binary"), made, problem, schema, 0)
    told = as_metrics(found, problem)
    assert told["existing"]["roc_auc"] == 1.0
    assert told["human"] == {"accuracy": 0.9}


def test_a_week_of_daily_rows_has_no_hour():
    days = pd.DataFrame({"y": np.tile(np.arange(7.0), 20), "t_weekday": np.tile(np.arange(7.0), 20), "t_hour": 0.0})
    columns = [Column("t_weekday", "number", "input"), Column("t_hour", "number", "input", treatment="drop")]
    schema = Schema("regression", "y", [], columns)
    problem = make_problem(
        task="regression",
        data={"target": "y", "time": "t", "key": [], "positive": None},
        metrics={"primary": "rmse", "also": []},
        split={"scheme": "time"},
    )
    rows = rows_of(days, schema, "regression")
    said = predict(fit(ladder(problem, schema, 0)["seasonal"], rows), rows)
    np.testing.assert_allclose(said.labels, days["y"])


def test_more_groups_than_rows_to_fit_on_are_refused():
    demand_rows(41, clusters=40)
    demand_rows(3, clusters=None)
    with pytest.raises(TableError, match=r"40 groups are asked for \(clusters\), but a fold is fitted on 40 rows"):
        demand_rows(40, clusters=40)


def test_a_model_may_be_each_rung_of_the_ladder():
    assert get_args(Rung) == SIMPLEST_FIRST
