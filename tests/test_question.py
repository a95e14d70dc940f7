"""A problem that cannot be asked is told by its key before anything runs."""

from __future__ import annotations

import pytest

from mlworkflow.config.question import problem_mistakes
from tests.conftest import make_problem

CLUSTERS = {"task": "clustering", "clusters": 3, "metrics": {"primary": "silhouette", "also": []}}
NUMBER = {"task": "regression", "metrics": {"primary": "rmse", "also": []}}
LAG = {"_target_": "mlworkflow.features.Lag", "column": "age"}
COST = {"unit": "EUR", "outcomes": {"yes": {"yes": 1, "no": -1}, "no": {"yes": -1, "no": 0}}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"metrics": {"also": ["rmse"]}}, "metrics.also: rmse does not fit the task binary"),
        (
            {"constraints": {"metrics": {"recal": 1}}},
            "constraints.metrics: 'recal' is no metric, did you mean 'recall'?",
        ),
        (
            {"reference": {"human": {"metric": "r2", "figure": 1, "source": "a"}}},
            "reference.human.metric: r2 does not fit",
        ),
        ({"constraints": {"metrics": {"recall": 0.5}}}, "constraints.metrics: recall is not measured"),
        (
            {"reference": {"human": {"metric": "recall", "figure": 1, "source": "a"}}},
            "reference.human.metric: recall is not measured, so nothing can be held against it",
        ),
        ({"source": {"path": 3}}, "source.path must be text, but is 3"),
        ({"source": {"delimiter": ";;"}}, "source.delimiter must be one character, but is ';;'"),
        ({"source": {"encoding": "utf-99"}}, "source.encoding: 'utf-99' is none that Python knows"),
        ({"source": {"sheet": "a"}}, "source.sheet is for Excel, but the path is 'customers.csv'"),
        (
            {**CLUSTERS, "data": {"target": None, "positive": None}, "metrics": {"primary": "stability", "also": []}},
            "metrics.primary: stability has no value for a model alone",
        ),
        ({"data": {"target": None}}, "data.target is missing"),
        ({"data": {"positive": None}}, "data.positive is missing"),
        ({**NUMBER, "data": {"positive": "yes"}}, "data.positive is for the task binary, not for regression"),
        ({"clusters": 3}, "clusters is for the task clustering, not for binary"),
        ({**CLUSTERS, "data": {"positive": None}}, "data.target must be null"),
        ({**CLUSTERS, "clusters": None, "data": {"target": None, "positive": None}}, "clusters is missing"),
        ({**CLUSTERS, "clusters": 1, "data": {"target": None, "positive": None}}, "clusters must be 2 or more"),
        ({"split": {"scheme": "time"}}, "data.time is missing"),
        ({"data": {"hidden": ["left"]}}, "data.target 'left' cannot be in data.hidden too"),
        ({"reference": {"best": "left"}}, "data.target 'left' cannot be in reference.best too"),
        ({"reference": {"best": "customer"}}, "reference.best 'customer' cannot be in data.key too"),
        (
            {**CLUSTERS, "data": {"target": None, "positive": None}, "reference": {"best": "truth"}},
            "reference.best is for the tasks binary and regression, not for clustering",
        ),
        (
            {"task": "multiclass", "data": {"positive": None}, "reference": {"best": "truth"}},
            "reference.best is for the tasks binary and regression, not for multiclass",
        ),
        ({"data": {"key": ["left"]}}, "data.target 'left' cannot be in data.key too"),
        ({"data": {"ranges": {"age": [9, 1]}}}, "data.ranges: 'age' must go from low to high"),
        ({"value": {"unit": "EUR", "over": -1}}, "value.over is for the task regression"),
        ({"value": {"unit": "EUR"}}, "value.outcomes is missing"),
        ({**NUMBER, "data": {"positive": None}, "value": COST}, "value.outcomes is for classes"),
        (
            {**CLUSTERS, "data": {"target": None, "positive": None}, "value": COST},
            "value: a clustering has no outcomes",
        ),
        ({"data": {"positive": "ja"}, "value": COST}, "value.outcomes lacks the positive class 'ja'"),
        (
            {"value": {"unit": "EUR", "outcomes": {"yes": {"yes": 1}}}},
            "value.outcomes must have two classes, but has 1",
        ),
        ({"features": [LAG]}, "features.0: Lag needs data.time"),
        ({"features": [LAG], "data": {"time": "day"}}, "features.0: Lag looks at other rows"),
        (
            {"features": [{**LAG, "by": "shop"}], "data": {"time": "day"}},
            "features.0: Lag looks at other rows, so no training row may be later than a test row that it could see",
        ),
        ({"snapshot": "/tmp/customers.csv"}, "snapshot must be a path inside the repository"),
        ({"snapshot": "other.csv"}, "snapshot: the file other.csv is not there"),
    ],
)
def test_a_problem_that_cannot_be_asked_is_told(tmp_path, monkeypatch, changes, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").touch()
    found = problem_mistakes(make_problem(**changes))
    assert len(found) == 1
    assert found[0].startswith(told)


def test_a_problem_that_can_be_asked_has_no_mistakes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").touch()
    assert problem_mistakes(make_problem(value=COST)) == []
    assert problem_mistakes(make_problem(reference={"best": "truth"}, data={"hidden": ["truth"]})) == []
    assert problem_mistakes(make_problem(features=[LAG], data={"time": "day"}, split={"scheme": "time"})) == []
    by_group = make_problem(features=[{**LAG, "by": "shop"}], data={"time": "day", "group": "shop"})
    assert problem_mistakes(by_group) == []
