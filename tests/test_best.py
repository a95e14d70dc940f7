"""The best possible score: on rows whose truth is known, a model comes near it and does not beat it beyond noise."""

from __future__ import annotations

import contextlib
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from mlworkflow.churn import stream
from mlworkflow.core.problem import Problem
from mlworkflow.featurelines import build
from mlworkflow.features import add_features
from mlworkflow.judging import best
from mlworkflow.learning.crossval import fit, predict, rows_of
from mlworkflow.learning.models import pipeline
from mlworkflow.measures.metrics import Scored
from mlworkflow.preparing.prepare import prepare
from mlworkflow.rows.infer import infer
from mlworkflow.rows.schema import Schema
from mlworkflow.serving.bundle import load
from mlworkflow.stages.collect import mistakes
from mlworkflow.stages.featurize import featurize
from tests.conftest import ROOT, make_problem
from tests.test_bundle import MODEL, customers, make, question
from tests.test_churn import terms

CHURN = Problem.model_validate(yaml.safe_load((ROOT / "conf/problem/churn.yaml").read_text(encoding="utf-8")))
CLASSES = Schema("binary", "left", ["no", "yes"], [])


def examined(raw: pd.DataFrame) -> dict:
    """Return what is told of the best possible score beside that of a straight line on the churn problem."""
    prepared = prepare(raw, CHURN)
    features = build([], prepared.schema)
    train, wide = featurize(prepared.train, prepared.schema, features)
    test = add_features(prepared.test, features)
    fitted = fit(pipeline(MODEL, wide, "binary"), rows_of(train, wide, "binary"))
    scored = predict(fitted, rows_of(test, wide, "binary"))
    told = best.told(best.possible(test, scored, CHURN, wide), scored, CHURN, wide, 0)
    assert told is not None
    return told


def test_a_model_does_not_beat_the_best_possible_score_beyond_noise():
    for seed in (1, 2):
        assert examined(stream(800, 12, seed=seed))["ahead"]["high"] > 0


def test_without_drift_and_blemishes_a_model_that_sees_what_counts_comes_near():
    clean = stream(2000, 10, drift=0.0, blemishes=0)
    seen = clean.assign(**terms(clean, 0.0).fillna(0).add_suffix(" in the process"))
    ahead = examined(seen)["ahead"]
    assert -0.005 < ahead["value"] < 0.01
    assert examined(clean)["ahead"]["value"] > ahead["value"]


def test_classes_are_decided_by_the_largest_expected_worth():
    table = pd.DataFrame({"truth": [0.0, 0.16, 0.17, 0.5, 0.9]})
    scored = Scored(np.array([0, 1, 0, 1, 1]), np.zeros(5, dtype=int), np.full((5, 2), 0.5))
    priced = {"unit": "EUR", "outcomes": {"yes": {"yes": 50}, "no": {"yes": -10}}}
    for value, labels in ((priced, [0, 0, 1, 1, 1]), (None, [0, 0, 0, 0, 1])):
        made = make_problem(reference={"best": "truth"}, value=value)
        possible = best.possible(table, scored, made, CLASSES)
        assert possible is not None
        assert possible.labels.tolist() == labels
        told = best.told(possible, scored, made, CLASSES, 0)
        assert told is not None
        assert told["money"] == (90 if value else None)
        assert told["metrics"]["accuracy"] == pytest.approx(0.6)


def test_the_mean_of_a_regression_is_scored_as_a_prediction():
    made = make_problem(
        task="regression",
        data={"target": "y", "positive": None},
        metrics={"primary": "rmse", "also": ["adjusted_r2"]},
        reference={"best": "mean"},
    )
    rng = np.random.default_rng(0)
    mean = rng.normal(0, 3, 2000)
    truth = mean + rng.normal(0, 1, 2000)
    scored, schema = Scored(truth, np.zeros(2000), None, columns=4), Schema("regression", "y", [], [])
    told = best.told(best.possible(pd.DataFrame({"mean": mean}), scored, made, schema), scored, made, schema, 0)
    assert told is not None
    assert told["metrics"]["rmse"] == pytest.approx(1.0, abs=0.05)
    assert told["metrics"]["adjusted_r2"] == pytest.approx(0.9, abs=0.02)
    assert told["ahead"]["low"] > 1.8


def test_without_a_simulation_nothing_is_told():
    scored = Scored(np.array([0, 1]), np.array([0, 1]), np.eye(2))
    assert best.possible(pd.DataFrame(), scored, make_problem(), CLASSES) is None
    assert best.told(None, scored, make_problem(), CLASSES, 0) is None


def test_the_truth_is_a_number_that_no_model_sees(table):
    made = make_problem(reference={"best": "truth"})
    schema = infer(table.assign(truth="0.25"), made)
    assert "truth" not in schema.names
    assert [(column.kind, column.role) for column in schema.columns if column.name == "truth"] == [("number", "best")]
    assert prepare(table.assign(truth="0.25"), made).test["truth"].dtype == "float64"


def test_serving_asks_neither_for_the_truth_nor_for_the_target(tmp_path):
    rows = customers()
    with contextlib.chdir(tmp_path):
        make(
            question().model_copy(update={"reference": make_problem(reference={"best": "truth"}).reference}),
            rows.assign(truth="0.5"),
        )
        bundle = load(tmp_path / "models/bundle")
    assert "truth" not in bundle.columns
    assert len(bundle.predict(rows.drop(columns=["left", "worth"]))) == len(rows)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["0.5"] * 39 + ["1.5", ""], r"must be a probability from 0 to 1 .* not in 2 \(row 40: '1.5', row 41: ''\)"),
        (["0.5"] * 40 + ["high"], r"not in 1 \(row 41: 'high'\)"),
    ],
)
def test_a_truth_that_is_no_probability_stops_at_collect(table, values, told):
    made = make_problem(reference={"best": "truth"})
    assert len(table) == len(values)
    (found,) = mistakes(table.assign(truth=values), made)
    assert re.search(told, found)
    assert mistakes(table.assign(truth="0.5"), made) == []
    assert mistakes(table, made) == ["the column 'truth' is not there"]
