"""What the bundle says that the model does, held against scikit-learn and sums by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlworkflow.bundling.promise import promise
from mlworkflow.judging.predicted import predictions
from mlworkflow.measures.expected import ESTIMATED, Confidence, expected, sketch, worth
from mlworkflow.measures.losses import losses
from mlworkflow.measures.metrics import Scored, metrics_for, score
from mlworkflow.measures.recalibration import fitted, logit, mended
from mlworkflow.rows.schema import Schema
from tests.conftest import make_problem
from tests.promised import MONEY, drawn, promised


def test_the_promise_of_two_classes_is_what_evaluate_found_and_sums_by_hand():
    scored = drawn()
    told = promised(scored, value=MONEY)
    assert (told["rows"], told["primary"], told["least_gain"]) == (1000, "roc_auc", 0.01)
    assert told["metrics"]["roc_auc"]["value"] == pytest.approx(score(["roc_auc"], scored)["roc_auc"])
    assert told["counts"] == [int((scored.truth == code).sum()) for code in (0, 1)]
    assert told["shares"] == pytest.approx({"no": told["counts"][0] / 1000, "yes": told["counts"][1] / 1000})
    brier = (scored.truth - scored.probabilities[:, 1]) ** 2
    assert (told["loss"]["mean"], told["loss"]["std"]) == pytest.approx((brier.mean(), brier.std(ddof=1)))
    hits = int(((scored.truth == 1) & (scored.labels == 1)).sum())
    misses = int(((scored.truth == 0) & (scored.labels == 1)).sum())
    assert told["worth"]["per_row"] == pytest.approx((50 * hits - 10 * misses) / 1000)
    assert told["worth"]["constant"] == "yes"
    assert told["worth"]["constant_per_row"] == pytest.approx((50 * told["counts"][1] - 10 * told["counts"][0]) / 1000)
    assert told["calibration"]["gap"] == pytest.approx(scored.probabilities[:, 1].mean() - scored.truth.mean())


def test_the_error_of_a_metric_is_that_of_the_wider_side_of_its_interval():
    told = promised(drawn())["metrics"]["roc_auc"]
    wider = max(told["high"] - told["value"], told["value"] - told["low"])
    assert told["error"] == pytest.approx(wider / 1.959964)


def test_a_promise_of_numbers_has_a_cap_and_the_best_constant():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=2000) * 10
    scored = Scored(truth, truth + generator.standard_t(3, 2000))
    told = promised(
        scored, (), "regression", metrics={"primary": "mae", "also": []}, value={"unit": "h", "over": -1, "under": -3}
    )
    far = np.abs(scored.labels - truth)
    assert told["loss"]["cap"] == pytest.approx(np.quantile(far, 0.995))
    assert losses(scored, told["loss"]).max() == 1.0
    assert told["worth"]["constant"] == pytest.approx(np.quantile(truth, 0.75), abs=0.3)  # 3 / (3 + 1)
    assert not told["greater_is_better"]
    assert "calibration" not in told


def test_a_clustering_promises_its_rows_alone():
    scored = Scored(np.zeros((5, 2)), np.arange(5) % 2)
    table = predictions(np.arange(5), scored, [])
    problem = make_problem(task="clustering", metrics={"primary": "silhouette", "also": []})
    told = promise(table, problem, Schema("clustering", None, [], []), {"level": 0.95, "metrics": {}})
    assert told == {"rows": 5, "task": "clustering", "limits": {"milliseconds": None}}


def test_the_recalibration_is_that_of_scikit_learn():
    generator = np.random.default_rng(1)
    true = generator.random(20_000)
    said = mended(true, 0.5, 2.0)  # too sure, and too high
    came = generator.random(20_000) < true
    theirs = LogisticRegression(C=np.inf).fit(logit(said)[:, None], came)
    assert fitted(said, came) == pytest.approx((theirs.intercept_[0], theirs.coef_[0, 0]), abs=1e-3)
    assert fitted(said, came) == pytest.approx((-0.25, 0.5), abs=0.05)


@pytest.mark.parametrize("came", [np.ones(50, bool), np.linspace(0, 1, 50) > 0.5])
def test_a_perfect_or_one_sided_reference_gives_a_finite_recalibration(came):
    assert np.isfinite(fitted(np.linspace(0.01, 0.99, 50), came)).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_expected_metrics_are_those_of_outcomes_drawn_from_the_probabilities(classes):
    scored = drawn(4000, classes=classes)
    names = [name for name in metrics_for("binary") if name in ESTIMATED]
    found = expected(sketch(scored), names, {})
    generator = np.random.default_rng(5)
    cumulated = scored.probabilities.cumsum(axis=1)
    draws = [(generator.random(4000)[:, None] > cumulated).sum(axis=1) for _ in range(40)]
    seen = [score(names, Scored(truth, scored.labels, scored.probabilities)) for truth in draws]
    for name in names:
        values = np.array([one[name] for one in seen])
        assert found[name] == pytest.approx(values.mean(), abs=4 * values.std() / np.sqrt(40) + 2e-4), name


def test_a_miscalibrated_model_is_estimated_after_it_was_mended():
    true = drawn(20_000)
    said = mended(true.probabilities[:, 1], 0.0, 3.0)  # much too sure
    sure = Scored(true.truth, true.labels, np.column_stack([1 - said, said]))
    intercept, slope = fitted(said, true.truth == 1)
    actual = score(["accuracy"], sure)["accuracy"]
    assert expected(sketch(sure), ["accuracy"], {})["accuracy"] > actual + 0.05
    mended_to = expected(sketch(sure), ["accuracy"], {"intercept": intercept, "slope": slope})["accuracy"]
    assert mended_to == pytest.approx(actual, abs=0.01)


@pytest.mark.parametrize("classes", [2, 3])
def test_sketches_of_parts_add_up_and_survive_json(classes):
    scored = drawn(1000, classes=classes)
    whole = sketch(scored)
    parts = sketch(scored.take(np.arange(300))) + sketch(scored.take(np.arange(300, 1000)))
    again = Confidence.from_dict(json.loads(json.dumps(parts.to_dict())))
    names = ["roc_auc", "accuracy", "f1", "log_loss", "brier_score"]
    assert expected(again, names, {}) == pytest.approx(expected(whole, names, {}))
    assert again.rows == 1000


def test_expected_worth_is_the_sum_over_rows():
    scored = drawn(500)
    table = np.array([[0.0, -10.0], [0.0, 50.0]])
    by_row = (scored.probabilities * table[:, scored.labels].T).sum(axis=1)
    assert worth(sketch(scored), {}, table) == pytest.approx(by_row.mean())


def test_rows_of_equal_probability_are_in_no_order():
    assert expected(Confidence.of(np.zeros(9, int), np.full((9, 2), 0.5)), ["roc_auc"], {}) == {"roc_auc": 0.5}


def test_no_rows_are_expected_to_do_nothing():
    assert np.isnan(expected(Confidence.empty(2), ["accuracy"], {})["accuracy"])
