"""What a pipeline says of rows it was not fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from mlworkflow.judging.calibration import curve, error, words
from mlworkflow.judging.importance import importance
from mlworkflow.learning import models
from mlworkflow.learning.crossval import check_folds, pool, predict, rows_of, validate
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.split import folds
from mlworkflow.stages.evaluate import fit_words
from mlworkflow.stages.train import learning_curve
from tests.test_baselines import problem_of
from tests.test_models import SHELF, table

SMALL_FOREST = {"n_estimators": 30, "min_samples_leaf": 1}


def parts_of(task: str, made):
    problem = problem_of(task)
    target = made["y"].to_numpy() if task == "binary" else None
    return folds(made, target, problem.data, problem.split, task, 0)


def test_no_row_is_scored_by_a_pipeline_that_was_fitted_on_it():
    """A tree that learns rows by heart knows random targets perfectly, unless it has not seen the row."""
    made, schema = table("binary", rows=300)
    made["y"] = np.random.default_rng(1).integers(0, 2, 300)
    rows = rows_of(made, schema, "binary")
    pipe = models.pipeline(SHELF["random_forest"], schema, "binary", SMALL_FOREST)
    parts = parts_of("binary", made)
    scored = pool(check_folds(pipe, rows, parts), parts)
    assert 0.35 < (scored.labels == scored.truth).mean() < 0.65
    assert (predict(pipe.fit(rows.table, rows.target), rows).labels == made["y"]).mean() > 0.95


def test_pooled_predictions_are_in_the_order_of_the_rows():
    made, schema = table("binary")
    rows, parts = rows_of(made, schema, "binary"), parts_of("binary", made)
    scored = pool(check_folds(models.pipeline(SHELF["linear"], schema, "binary"), rows, parts), parts)
    np.testing.assert_array_equal(scored.truth, made["y"])


def test_the_threshold_follows_the_costs():
    made, schema = table("binary", rows=400)
    made["y"] = (made["z"] + np.random.default_rng(2).normal(size=400) > 0).astype(int)
    rows, pipe = rows_of(made, schema, "binary"), models.pipeline(SHELF["linear"], schema, "binary")
    recalls = []
    for missed in (-100, -1):
        value = {"unit": "EUR", "outcomes": {"yes": {"no": missed}, "no": {"yes": -10}}}
        problem = problem_of("binary", value=value)
        validated = validate(pipe, rows, parts_of("binary", made), problem, schema.classes)
        recalls.append(validated.scored.labels[validated.scored.truth == 1].mean())
    assert recalls[0] > 0.95
    assert recalls[1] < 0.3


def test_a_learning_curve_ends_with_all_rows_and_shows_overfitting():
    made, schema = table("binary", rows=300)
    made["y"] = np.random.default_rng(1).integers(0, 2, 300)
    rows = rows_of(made, schema, "binary")
    pipe = models.pipeline(SHELF["random_forest"], schema, "binary", SMALL_FOREST)
    told = learning_curve(pipe, rows, parts_of("binary", made), "roc_auc", seed=0)
    assert told["rows"].iloc[-1] == 200
    assert told["train"].iloc[-1] - told["cross_validated"].iloc[-1] > 0.3


def test_overfitting_is_said_in_words_with_its_size():
    tested = {"value": 0.80, "low": 0.75, "high": 0.85}
    assert "it overfits" in fit_words("roc_auc", 1.0, 0.8, tested)
    assert "no sign of overfitting" in fit_words("roc_auc", 0.82, 0.8, tested)
    assert "the validation flattered" in fit_words("roc_auc", 0.95, 0.95, tested)
    assert "it overfits" in fit_words("rmse", 5.0, 9.0, {"value": 9.0, "low": 8.0, "high": 10.0})


def test_the_column_that_decides_is_the_most_important_and_a_constant_is_none():
    made, schema = table("binary", rows=400)
    rows = rows_of(made, schema, "binary")
    fitted = models.pipeline(SHELF["linear"], schema, "binary").fit(rows.table, rows.target)
    found = importance(fitted, rows, "roc_auc", seed=0).set_index("column")["drop"]
    assert found.index[0] == "x"
    assert found["flat"] == 0


@pytest.mark.parametrize(("honest", "small"), [(True, True), (False, False)])
def test_probabilities_that_mean_what_they_say_have_a_small_calibration_error(honest, small):
    rng = np.random.default_rng(0)
    share = rng.uniform(0.05, 0.95, 4000)
    truth = (rng.uniform(size=4000) < share).astype(int)
    said = share if honest else share**3
    bins = curve(Scored(truth, (said > 0.5).astype(int), np.column_stack([1 - said, said])))
    assert (error(bins) < 0.03) == small
    assert ("no more than noise" in words(bins)) == small
    assert bins["rows"].sum() == 4000
