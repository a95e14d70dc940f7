"""What a model's file claims is checked before anything runs: its space, its probabilities."""

from __future__ import annotations

import itertools
import subprocess
import sys

import optuna
import pytest

from mlworkflow.config import conf
from mlworkflow.config.distributions import distribution_mistakes
from mlworkflow.config.mistakes import validate
from mlworkflow.config.spaces import model_mistakes
from tests.conftest import ROOT
from tests.test_conf import change, copy_conf

LOGISTIC = "sklearn.linear_model.LogisticRegression"
SVC = {"_target_": "sklearn.calibration.CalibratedClassifierCV", "estimator": {"_target_": "sklearn.svm.SVC"}}
FOREST = {"_target_": "sklearn.ensemble.StackingClassifier", "estimators": [["lr", {"_target_": LOGISTIC}]]}
FLOAT = {"_target_": "optuna.distributions.FloatDistribution", "low": 0.1, "high": 1.0}


def told(estimator: dict, **space: dict) -> list[str]:
    return model_mistakes({"classification": estimator, "space": {"classification": space or {}}})


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        ({"_target_": LOGISTIC}, "C"),
        (SVC, "estimator__C"),  # of the estimator inside
        (SVC, "method"),
        (FOREST, "lr__C"),  # a name that no text says: the built estimator knows it
        ({"_target_": "xgboost.XGBClassifier", "lambdarank_pair_method": "mean"}, "lambdarank_pair_method"),
        ({"_target_": "mlworkflow.learning.boosting.EarlyStoppedClassifier", "estimator": {}}, "share"),
    ],
)
def test_a_parameter_that_the_estimator_has_may_be_searched(estimator, name):
    assert told(estimator, **{name: FLOAT}) == []


@pytest.mark.parametrize(
    ("estimator", "name", "meant"),
    [
        ({"_target_": LOGISTIC}, "class_weigth", "class_weight"),
        (SVC, "estimator__gama", "estimator__gamma"),
        (SVC, "C", "estimator__C"),
        (FOREST, "lr__max_itr", "lr__max_iter"),
        ({"_target_": "xgboost.XGBClassifier"}, "max_deep", "max_depth"),  # set_params would take it in silence
        ({"_target_": LOGISTIC, "no_argument": 1}, "max_itr", "max_iter"),  # even where nothing can be built
    ],
)
def test_a_parameter_that_the_estimator_has_not_is_told_with_the_nearest(estimator, name, meant):
    target = estimator["_target_"]
    line = f"space.classification.{name} is no parameter of {target}, did you mean {meant!r}?"
    assert line in told(estimator, **{name: FLOAT})


def test_a_space_without_an_estimator_is_told():
    found = model_mistakes({"space": {"regression": {"C": FLOAT}}})
    assert found == ["space.regression has parameters, but there is no estimator for regression"]


RANGES = {
    "goes from 2 to 1": {"low": 2, "high": 1},
    "must begin above 0 where log is true, but begins at 0": {"low": 0, "high": 1, "log": True},
    ".step must be left out where log is true": {"low": 1, "high": 8, "log": True, "step": 2},
    ".step must be above 0, but is -1": {"low": 1, "high": 8, "step": -1},
    ".step must lead from 1 to 8, but is 2": {"low": 1, "high": 8, "step": 2},
    ".high is missing": {"low": 1},
    ".low must be a": {"low": "one", "high": 2},
    ".high must be a": {"low": 1, "high": float("inf")},
    ".log must be true or false, but is 'yes'": {"low": 1, "high": 2, "log": "yes"},
}
CHOICES = {
    ".choices must be a list with at least one value, but is empty": {"choices": []},
    ".choices must be a list with at least one value, but is 'sqrt'": {"choices": "sqrt"},
    "but one is [64, 64]": {"choices": [32, [64, 64]]},
}
ROWS = [
    *((kind, words, config) for kind in ("Float", "Int") for words, config in RANGES.items()),
    *(("Categorical", words, config) for words, config in CHOICES.items()),
    ("Int", ".low must be a whole number, but is 0.5", {"low": 0.5, "high": 2}),  # Optuna would take 0 in silence
    (
        "Uniform",
        "UniformDistribution, but must be one of optuna.distributions.FloatDistribution",
        {"low": 1, "high": 2},
    ),
]


@pytest.mark.parametrize(("kind", "words", "config"), ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_a_distribution_that_is_none_is_told_in_one_line(kind, words, config):
    found = told({"_target_": LOGISTIC}, C={"_target_": f"optuna.distributions.{kind}Distribution", **config})
    assert len(found) == 1
    assert found[0].startswith("space.classification.C")
    assert words in found[0]


@pytest.mark.parametrize("kind", ["Float", "Int"])
def test_what_is_not_told_is_what_optuna_takes(kind):
    """Every mixture of ends, logarithm and step: Optuna refuses it exactly when it was told."""
    name = f"{kind}Distribution"
    for low, high, log, step in itertools.product((-1, 0, 1, 2), (0, 1, 2), (True, False), (None, -1, 0, 1, 2)):
        config = {"low": low, "high": high, "log": log} | ({} if step is None else {"step": step})
        try:
            getattr(optuna.distributions, name)(**config)
            taken = True
        except (ValueError, UserWarning):  # it warns that it takes another high
            taken = False
        assert (distribution_mistakes({"_target_": f"optuna.distributions.{name}", **config}) == []) == taken, config


def test_what_hydra_fills_in_later_is_not_told():
    assert distribution_mistakes({**FLOAT, "low": "${low}"}) == []
    assert told({"_target_": LOGISTIC, "random_state": "${seed}"}, C=FLOAT) == []


@pytest.mark.parametrize(
    "estimator", ["sklearn.svm.LinearSVC", "sklearn.svm.SVC", "sklearn.linear_model.SGDClassifier"]
)
def test_a_classifier_without_probabilities_is_told_with_the_metrics_that_rest_on_them(estimator):
    found = told({"_target_": estimator})
    assert len(found) == 1
    assert found[0].startswith(f"classification: {estimator} gives no probabilities, but roc_auc, average_precision")
    assert "CalibratedClassifierCV" in found[0]


def test_a_classifier_that_gives_probabilities_under_a_condition_is_asked():
    assert told({"_target_": "sklearn.linear_model.SGDClassifier", "loss": "log_loss"}) == []


# ---- in conf/


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of conf/ to break, as the working folder."""
    monkeypatch.chdir(copy_conf(tmp_path))
    return tmp_path


def test_all_mistakes_of_spaces_are_told_at_once_whichever_model_is_chosen(root):
    change("conf/model/knn.yaml", "n_neighbors: {", "n_neigbors: {")
    change("conf/model/svm_rbf.yaml", "low: 0.01, high: 100.0", "low: 0.0, high: 100.0")
    change("conf/model/mlp.yaml", "low: 16, high: 256", "low: 256, high: 16")
    change("conf/model/random_forest.yaml", "[null, balanced]", "[]")
    found = conf.validate_all()
    for line in (
        "conf/model/knn.yaml: space.classification.n_neigbors is no parameter of sklearn.neighbors",
        "conf/model/svm_rbf.yaml: space.classification.estimator__C must begin above 0",
        "conf/model/mlp.yaml: space.classification.hidden_layer_sizes must go from low to high",
        "conf/model/random_forest.yaml: space.classification.class_weight.choices must be a list",
    ):
        assert len([one for one in found if one.startswith(line)]) == 1, found


def test_a_space_that_an_override_breaks_is_told():
    found = validate(conf.compose(["model.space.classification.C.low=0.0"]))
    assert any("space.classification.C must begin above 0 where log is true, but begins at 0.0" in one for one in found)


def test_rows_that_make_no_sense_for_the_task_are_told():
    found = validate(conf.compose(["problem=diabetes", "augment=oversample"]))
    assert found == [
        "conf/augment/oversample.yaml: it is for binary, multiclass, but the task is regression; "
        "augment=none leaves the rows as they are"
    ]


def test_a_shelf_without_mistakes_is_checked_without_a_heavy_library():
    code = (
        "import sys; from mlworkflow.config.mistakes import file_mistakes; assert file_mistakes() == []\n"
        "print(sorted({'sklearn', 'xgboost', 'optuna', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
