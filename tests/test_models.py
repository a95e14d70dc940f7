"""Every model of conf/model/ trains on every task it claims, on rows as they come, and survives being stored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow import conf, modelfile, models
from mlworkflow.crossval import fit, predict, rows_of
from mlworkflow.errors import ConfError
from mlworkflow.params import Model
from mlworkflow.schema import Column, Schema
from tests.conftest import ROOT

FAMILIES = {
    "binary": "classification",
    "multiclass": "classification",
    "regression": "regression",
    "clustering": "clustering",
}


def shelf() -> dict[str, Model]:
    """Return every model of conf/model/ as it is composed for a clustering problem, where every key is filled."""
    names = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))
    return {name: Model.model_validate(conf.compose(["problem=iris", f"model={name}"])["model"]) for name in names}


SHELF = shelf()
CLAIMS = [
    (name, task) for name, model in SHELF.items() for task, kind in FAMILIES.items() if getattr(model, kind) is not None
]


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
    columns = [Column(name, "number", "input") for name in ("x", "z", "flat")] + [Column("plan", "category", "input")]
    classes = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"]}.get(task, [])
    return made, Schema(task, None if task == "clustering" else "y", classes, columns)


@pytest.mark.parametrize(("name", "task"), CLAIMS)
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


@pytest.mark.parametrize(("name", "task"), CLAIMS)
def test_a_model_takes_rows_it_has_never_seen_the_like_of(name, task):
    made, schema = table(task)
    fitted = fit(models.pipeline(SHELF[name], schema, task), rows_of(made, schema, task))
    odd = made.head(4).assign(x=[1e9, np.nan, -1e9, 0.0], z=np.nan, plan=["platinum", None, "rare", "gold"])
    said = predict(fitted, rows_of(odd, schema, task))
    assert np.isfinite(said.labels.astype(float)).all()


@pytest.mark.parametrize(("name", "task"), CLAIMS)
def test_a_model_fits_the_same_bits_twice(name, task):
    made, schema = table(task)
    rows, pipe = rows_of(made, schema, task), models.pipeline(SHELF[name], schema, task)
    assert modelfile.dumps(fit(pipe, rows)) == modelfile.dumps(fit(pipe, rows))


def test_numbers_are_scaled_only_where_the_model_wants_it():
    made, schema = table("binary")
    for name, scaled in (("linear", True), ("random_forest", False)):
        prepared = models.columns(schema, SHELF[name].wants).fit_transform(models.inputs(made, schema))
        assert (abs(prepared[:, 1].std() - 1) < 1e-9) == scaled


def test_what_is_learnt_from_rows_lives_in_the_pipeline():
    """A pipeline fitted on some rows fills a missing number with their median, not with that of the rows it scores."""
    made, schema = table("binary")
    columns = models.columns(schema, SHELF["random_forest"].wants).fit(models.inputs(made, schema))
    other = made.assign(x=np.nan)
    assert (columns.transform(models.inputs(other, schema))[:, 0] == made["x"].median()).all()


def test_a_model_that_cannot_do_the_task_says_what_it_can():
    with pytest.raises(ConfError, match="the model kmeans cannot do classification, only clustering"):
        models.estimator(SHELF["kmeans"], "binary")


def test_a_parameter_that_the_estimator_refuses_is_a_mistake_in_conf():
    with pytest.raises(ConfError, match=r"conf/model/linear\.yaml: .*depth"):
        models.estimator(SHELF["linear"], "binary", {"depth": 3})
