"""Every model of conf/model/ does every task it claims, from folds and a search to its file; found, not listed.

From there to a bundle and its answers: test_parity.py.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import optuna
import pandas as pd
import pytest
from hydra.utils import instantiate

from mlworkflow.core.params import Model, family
from mlworkflow.core.problem import Problem
from mlworkflow.learning import modelfile, models
from mlworkflow.learning.crossval import check_folds, fit, predict, rows_of
from mlworkflow.learning.families import assembled
from mlworkflow.measures import metrics
from mlworkflow.preparing.prepare import Prepared, prepare
from mlworkflow.rows.split import folds
from tests.conftest import ROOT, make_problem
from tests.test_models import CLAIMS, SHELF

PRIMARY = {"binary": "log_loss", "multiclass": "roc_auc", "regression": "rmse", "clustering": "silhouette"}
PORTFOLIO = [
    line.rpartition(": ")[2]
    for line in (ROOT / "conf/model/portfolio.yaml").read_text(encoding="utf-8").splitlines()
    if "@families" in line
]
SMALL = {"n_estimators": 12, "max_iter": 60, "n_init": 1}  # how far a test goes, of parameters with these names


def question(task: str) -> Problem:
    target = None if task == "clustering" else "left"
    return make_problem(
        task=task,
        clusters=2 if task == "clustering" else None,
        data={"target": target, "positive": "1" if task == "binary" else None},
        metrics={"primary": PRIMARY[task], "also": []},
    )


@cache
def ready(task: str, count: int = 60) -> tuple[pd.DataFrame, Prepared]:
    """Return raw customers with gaps, categories and a text, and what is prepared of them."""
    rng = np.random.default_rng(3)
    age, paid = rng.normal(40, 12, count), rng.normal(size=count)
    said = {"binary": age > 40, "multiclass": np.digitize(age, [35, 45])}.get(task, 100 * age + paid)
    raw = pd.DataFrame({"customer": [f"c{number}" for number in range(count)], "age": age.round(1), "paid": paid})
    raw["plan"] = rng.choice(["basic", "gold"], count)
    raw["note"] = rng.choice(["came late", "thank you", "was late"], count)
    raw["left"] = np.asarray(said).astype("int64")
    raw = raw.astype("str")
    raw.loc[::9, "age"], raw.loc[::7, "plan"] = "", ""
    raw = raw.drop(columns="left") if task == "clustering" else raw
    return raw, prepare(raw, question(task))


def small(name: str, task: str) -> Model:
    """Return the model, grown no further than a test needs."""
    model = SHELF[name]
    known = models.estimator(model, task).get_params()
    changes = {key: value for key, value in known.items() if key.split("__")[-1] in SMALL and value is not None}
    config = getattr(model, family(task)).config()
    for key in changes:
        *inside, last = key.split("__")
        part = config
        for step in inside:
            part = part[step]
        if last in part:
            part[last] = min(part[last], SMALL[last])
    return Model.model_validate({**model.model_dump(by_alias=True), family(task): config})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # it is grown less far than it wants
@pytest.mark.parametrize(("name", "task"), CLAIMS)
def test_a_model_goes_all_the_way_from_folds_to_its_file(name, task):
    _, prepared = ready(task)
    problem, model = question(task), small(name, task)
    rows = rows_of(prepared.train, prepared.schema, task)
    parts = folds(prepared.train, rows.target, problem.data, problem.split, task, 0)
    trials = two_trials(model, task)
    scores = [score(models.pipeline(model, prepared.schema, task, one), rows, parts, task) for one in trials]
    assert np.isfinite(scores).all()
    pipe = models.pipeline(model, prepared.schema, task, trials[1])
    fitted = fit(pipe, rows)
    content = modelfile.dumps(fitted)
    assert content == modelfile.dumps(fitted) == modelfile.dumps(fit(pipe, rows))
    assert_same(predict(fitted, rows), predict(modelfile.loads(content), rows))


def two_trials(model: Model, task: str) -> list[dict]:
    """Return the model's own parameters, and a point drawn from its space."""
    space = {name: instantiate(item.config()) for name, item in getattr(model.space, family(task)).items()}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [models.own_parameters(model, task), study.ask(space).params]


def score(pipe, rows, parts, task) -> float:
    checked = check_folds(pipe, rows, parts)
    return float(np.mean([metrics.score([PRIMARY[task]], part)[PRIMARY[task]] for part in checked]))


def assert_same(some, others) -> None:
    np.testing.assert_array_equal(some.labels, others.labels)
    np.testing.assert_array_equal(np.asarray(some.probabilities), np.asarray(others.probabilities))


@pytest.mark.parametrize(("name", "task"), CLAIMS)
def test_a_search_begins_with_what_the_model_is_inside_of_its_space(name, task):
    model = SHELF[name]
    own = models.own_parameters(model, task)
    space = {key: instantiate(item.config()) for key, item in getattr(model.space, family(task)).items()}
    assert list(own) == list(space)
    assert [key for key, one in space.items() if not one._contains(one.to_internal_repr(own[key]))] == []


def test_each_task_has_models_to_choose_from():
    able = {task: {name for name, one in CLAIMS if one == task} for task in PRIMARY}
    assert len(able["binary"]) >= 10
    assert able["binary"] == able["multiclass"]
    assert len(able["regression"]) >= 10
    assert len(able["clustering"]) >= 4


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # the small networks stop early
@pytest.mark.parametrize(("name", "task"), [(name, task) for name, task in CLAIMS if task in ("binary", "multiclass")])
def test_probabilities_tell_the_classes_apart(name, task):
    _, prepared = ready(task, 160)
    problem = question(task)
    rows = rows_of(prepared.train, prepared.schema, task)
    parts = folds(prepared.train, rows.target, problem.data, problem.split, task, 0)
    checked = check_folds(models.pipeline(small(name, task), prepared.schema, task), rows, parts)
    assert np.mean([metrics.score(["roc_auc"], part)["roc_auc"] for part in checked]) > 0.6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_mean_of_every_family_of_the_portfolio_comes_back_from_its_file_as_it_was(task):
    _, prepared = ready(task)
    rows = rows_of(prepared.train, prepared.schema, task)
    able = {name: small(name, task) for name in PORTFOLIO if (name, task) in CLAIMS}
    portfolio = Model(name="portfolio", families=able)
    members = [{"family": name, "weight": 1 / len(able), "parameters": {}} for name in able]
    fitted = fit(assembled(portfolio, prepared.schema, task, {"members": members}), rows)
    again = modelfile.loads(content := modelfile.dumps(fitted))
    assert len(able) > 4
    assert np.array_equal(predict(again, rows).labels, predict(fitted, rows).labels)
    assert modelfile.dumps(again) == content
