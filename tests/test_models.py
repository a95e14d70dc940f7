"""Pipelines: every kind of column, prepared as each model wants it; what is learnt from rows lives inside."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from mlworkflow.config import conf
from mlworkflow.config.conffiles import content, inherits
from mlworkflow.core.errors import ConfError, TableError
from mlworkflow.core.params import Model, Space
from mlworkflow.core.problem import Target
from mlworkflow.learning import modelfile, models
from mlworkflow.learning.crossval import check_folds, fit, pool, predict, rows_of
from mlworkflow.measures import metrics
from mlworkflow.rows.schema import Column, Schema
from tests.conftest import ROOT

LOGISTIC = "sklearn.linear_model.LogisticRegression"
FAMILIES = {
    "binary": "classification",
    "multiclass": "classification",
    "regression": "regression",
    "clustering": "clustering",
}


def shelf() -> dict[str, Model]:
    """Return every model of conf/model/ as it is composed for a clustering problem; a portfolio is made of these."""
    paths = sorted((ROOT / "conf/model").glob("*.yaml"))
    names = [path.stem for path in paths if not inherits(content(path))]
    with contextlib.chdir(ROOT):
        whole = OmegaConf.create(conf.compose(["problem=iris"]))
        return {name: Model.model_validate(conf._section(whole, "model", name)) for name in names}


SHELF = shelf()
CLAIMS = [
    (name, task) for name, model in SHELF.items() for task, kind in FAMILIES.items() if getattr(model, kind) is not None
]
KINDS = [
    *{(SHELF[name].wants, task): (name, task) for name, task in CLAIMS}.values()
]  # the last of those that want the same


def table(task: str, rows: int = 120) -> tuple[pd.DataFrame, Schema]:
    """Return rows with missing numbers and words, a rare category and a constant column, and their schema."""
    rng = np.random.default_rng(5)
    made = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.normal(size=rows), "flat": 1.0})
    made["plan"] = pd.Series(rng.choice(["basic", "gold"], rows), dtype="str")
    target = {"binary": made["x"] > 0, "multiclass": np.digitize(made["x"], [-0.5, 0.5])}.get(task, made["x"] * 2)
    made["y"] = np.asarray(target).astype("float64" if task == "regression" else "int64")
    made.loc[::7, "x"] = np.nan
    made.loc[::11, "plan"] = None
    made.loc[3, "plan"] = "rare"
    made["far"], made["odd"] = made["z"] ** 3, made["z"] ** 5
    made["town"] = pd.Series([f"town {number}" for number in rng.integers(0, 50, rows)], dtype="str")
    made["code"] = made["town"]
    made["note"] = pd.Series(rng.choice(["came late", "thank you", "late again", "parcel lost"], rows), dtype="str")
    made.loc[::13, ["town", "note"]] = None
    made["id"] = made["note"]
    columns = [Column(name, "number", "input") for name in ("x", "z", "flat")] + [
        Column("plan", "category", "input"),
        Column("far", "number", "input", outliers="clip"),
        Column("odd", "number", "input", outliers="flag"),
        Column("town", "category", "input", treatment="hash" if task == "clustering" else "target"),
        Column("code", "category", "input", treatment="hash"),
        Column("note", "text", "input", treatment="text"),
        Column("id", "text", "input", treatment="drop"),
    ]
    classes = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"]}.get(task, [])
    return made, Schema(task, None if task == "clustering" else "y", classes, columns)


@pytest.mark.parametrize(("name", "task"), KINDS)
def test_a_model_learns_and_says_the_same_after_being_stored(name, task):
    made, schema = table(task)
    rows = rows_of(made, schema, task)
    fitted = fit(models.pipeline(SHELF[name], schema, task), rows)
    stored = modelfile.loads(modelfile.dumps(fitted))
    first, second = predict(fitted, rows), predict(stored, rows)
    np.testing.assert_array_equal(first.labels, second.labels)
    if first.probabilities is not None:
        np.testing.assert_array_equal(first.probabilities, second.probabilities)
        assert (first.labels == first.truth).mean() > 0.8


@pytest.mark.parametrize(("name", "task"), KINDS)
def test_a_model_takes_rows_it_has_never_seen_the_like_of(name, task):
    made, schema = table(task)
    fitted = fit(models.pipeline(SHELF[name], schema, task), rows_of(made, schema, task))
    odd = made.head(4).assign(x=[1e9, np.nan, -1e9, 0.0], z=np.nan, plan=["platinum", None, "rare", "gold"])
    odd = odd.assign(town=["nowhere", None, "", "town 1"], note=["unheard of", None, "", "late"], far=[1e300, 0, 0, 0])
    said = predict(fitted, rows_of(odd, schema, task))
    assert np.isfinite(said.labels.astype(float)).all()


def test_numbers_are_scaled_only_where_the_model_wants_it():
    made, schema = table("binary")
    for name, scaled in (("linear", True), ("random_forest", False)):
        prepared = models.columns(schema, SHELF[name].wants).fit_transform(models.inputs(made, schema), made["y"])
        second = prepared[:, [1]].toarray() if scaled else prepared[:, 1]  # terms of text are sparse
        assert (abs(second.std() - 1) < 1e-9) == scaled


def test_what_is_learnt_from_rows_lives_in_the_pipeline():
    """A pipeline fitted on some rows fills a missing number with their median, not with that of the rows it scores."""
    made, schema = table("binary")
    columns = models.columns(schema, SHELF["random_forest"].wants).fit(models.inputs(made, schema), made["y"])
    other = made.assign(x=np.nan)
    assert (columns.transform(models.inputs(other, schema))[:, 0] == made["x"].median()).all()


def prepare_one(made: pd.DataFrame, column: Column, task: str = "binary", **changes) -> np.ndarray:
    schema = Schema(task, "y", ["no", "yes"] if task == "binary" else [], [column], **changes)
    pipe = models.columns(schema, SHELF["random_forest"].wants)
    return np.asarray(pipe.fit_transform(models.inputs(made, schema), made["y"]))


def test_a_dropped_column_is_not_seen():
    made, schema = table("binary")
    assert "id" not in models.inputs(made, schema)


def test_without_a_column_the_reasons_are_told():
    schema = Schema("binary", "y", ["no", "yes"], [Column("x", "number", "input", treatment="drop", why="1 in all")])
    with pytest.raises(TableError, match="'x' is dropped: 1 in all"):
        models.columns(schema, SHELF["linear"].wants)


def test_rare_categories_are_pooled_below_the_share_that_the_problem_says():
    made = pd.DataFrame({"plan": ["a"] * 80 + ["b"] * 15 + ["c"] * 3 + ["d"] * 2, "y": 0})
    for rare, width in ((0.0, 4), (0.04, 3), (0.5, 2)):
        assert prepare_one(made, Column("plan", "category", "input"), rare=rare).shape[1] == width


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_category_is_encoded_without_the_rows_own_target(task):
    """Each row has a category of its own: encoded with its own target it would give it away."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 300) % (2 if task == "binary" else 3)
    made = pd.DataFrame({"id": [f"i{number}" for number in range(300)], "y": target})
    encoded = prepare_one(made, Column("id", "category", "input", treatment="target"), task)
    assert encoded.shape[1] == (3 if task == "multiclass" else 1)
    assert np.unique(encoded[:, 0]).size <= models.CROSS_FITS  # the mean of the other four fifths


def test_a_random_column_of_many_categories_gains_nothing():
    """10,000 categories that say nothing: cross-validated, the model is as good as without them, up to noise."""
    rng = np.random.default_rng(0)
    rows = 12_000
    made = pd.DataFrame({"x": rng.normal(size=rows), "code": [f"c{one}" for one in rng.integers(0, 10_000, rows)]})
    made["y"] = (made["x"] + rng.normal(size=rows) > 0).astype("int64")
    x, code = Column("x", "number", "input"), Column("code", "category", "input", treatment="target")
    order = np.arange(rows)
    parts = [(order[order % 3 != fold], order[order % 3 == fold]) for fold in range(3)]
    model = {"estimator__n_estimators": 50}
    found = {}
    for name, columns in {"without": [x], "with": [x, code], "alone": [code]}.items():
        schema = Schema("binary", "y", ["no", "yes"], columns)
        rows_ = rows_of(made, schema, "binary")
        scored = pool(check_folds(models.pipeline(SHELF["xgboost"], schema, "binary", model), rows_, parts), parts)
        found[name] = metrics.score(["roc_auc"], scored)["roc_auc"]
    assert abs(found["alone"] - 0.5) < 0.015
    assert found["without"] - 0.01 < found["with"] < found["without"] + 0.003


def test_a_category_that_says_much_is_used():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 200, 4000)
    made = pd.DataFrame({"code": [f"c{one}" for one in codes], "y": rng.normal(size=200)[codes]})
    encoded = prepare_one(made, Column("code", "category", "input", treatment="target"), "regression")
    assert np.corrcoef(encoded[:, 0], made["y"])[0, 1] > 0.95


def test_the_words_of_a_text_are_learnt_from():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"y": rng.integers(0, 2, 400)})
    made["note"] = [f"order {n} {'came late' if bad else 'was fine'} {n % 7}" for n, bad in enumerate(made["y"])]
    schema = Schema("binary", "y", ["no", "yes"], [Column("note", "text", "input", treatment="text")])
    rows_ = rows_of(made, schema, "binary")
    for name in ("linear", "xgboost"):
        fitted = fit(models.pipeline(SHELF[name], schema, "binary"), rows_.take(np.arange(300)))
        said = predict(fitted, rows_.take(np.arange(300, 400)))
        assert (said.labels == said.truth).mean() > 0.95


def test_a_model_that_cannot_do_the_task_says_what_it_can():
    with pytest.raises(ConfError, match="the model kmeans cannot do classification, only clustering"):
        models.estimator(SHELF["kmeans"], "binary")


def test_parameters_that_the_estimator_has_not_are_told_all_at_once_with_the_nearest():
    with pytest.raises(ConfError) as caught:
        models.estimator(SHELF["svm_rbf"], "binary", {"estimator__gama": 1.0, "depth": 3, "estimator__C": 1.0})
    told = str(caught.value)
    assert "conf/model/svm_rbf.yaml: there is no parameter 'estimator__gama'" in told
    assert "did you mean 'estimator__gamma'?" in told
    assert "there is no parameter 'depth'" in told
    assert "estimator__C'" not in told


def test_parameters_are_set_on_the_estimator_inside_of_another():
    built = models.estimator(SHELF["svm_rbf"], "binary", {"estimator__C": 7.0, "estimator__class_weight": "balanced"})
    assert (built.estimator.C, built.estimator.class_weight) == (7.0, "balanced")


def test_own_parameters_are_those_of_the_space_as_the_model_stands_in_conf():
    assert models.own_parameters(SHELF["linear"], "binary") == {"C": 1.0}
    own = models.own_parameters(SHELF["svm_rbf"], "regression")
    assert own == {"regressor__C": 1.0, "regressor__gamma": "scale", "regressor__epsilon": 0.1}
    left_out = SHELF["linear"].model_copy(update={"classification": Target(_target_=LOGISTIC)})
    assert models.own_parameters(left_out, "binary") == {"C": 1.0}  # scikit-learn's own


def test_a_space_that_names_what_the_estimator_has_not_has_no_own_parameters():
    space = Space(classification={"c": Target(_target_="optuna.distributions.FloatDistribution")})
    with pytest.raises(ConfError, match="there is no parameter 'c'"):
        models.own_parameters(SHELF["linear"].model_copy(update={"space": space}), "binary")


def test_lists_of_conf_reach_the_estimator_as_lists():
    layers = Target(_target_="sklearn.neural_network.MLPClassifier", hidden_layer_sizes=[8, 4])
    built = models.estimator(SHELF["mlp"].model_copy(update={"classification": layers}), "binary")
    assert type(built.hidden_layer_sizes) is list
