"""Performance without outcomes: estimated where the rows moved, silent where it cannot be known."""

from __future__ import annotations

import numpy as np
import pytest

from mlworkflow.core.params import Monitor
from mlworkflow.measures.expected import sketch
from mlworkflow.measures.metrics import Scored, score
from mlworkflow.measures.worth import per_row
from mlworkflow.monitoring.checks import decide
from mlworkflow.monitoring.confidence import ASSUMPTIONS, Confidence, checks, estimates, unanswered
from mlworkflow.monitoring.money import valued
from tests.promised import MONEY, drawn, promised

SETTINGS = Monitor(name="default")


@pytest.fixture(scope="module")
def promise():
    return promised(drawn(2000, seed=1), value=MONEY)


def hard(rows, seed=0):
    """Return rows that the model is less sure of: their probabilities lie near a half, and are true."""
    scored = drawn(8 * rows, seed)
    order = np.argsort(np.abs(scored.probabilities[:, 1] - 0.5), kind="stable")
    return scored.take(np.random.default_rng(seed).permutation(order[: 3 * rows])[:rows])


def test_what_is_estimated_of_harder_rows_is_what_outcomes_say_later(promise):
    scored = hard(4000)
    found = estimates(sketch(scored), promise)
    seen = score(["roc_auc", "accuracy"], scored)
    for name, value in seen.items():
        assert found[f"estimated/{name}"].value == pytest.approx(value, abs=0.03)
        assert value < promise["metrics"][name]["value"] - 0.1
    earned = per_row(scored, valued(promise), promise["classes"]).mean()
    assert found["estimated/worth"].value == pytest.approx(earned, abs=1.5)


def test_harder_rows_are_an_alarm_and_the_same_kind_of_rows_is_not(promise):
    assert [one.alarm for one in decide(checks(sketch(hard(500)), promise, SETTINGS), 0.5)] == [True]
    (quiet,) = checks(sketch(drawn(500)), promise, SETTINGS)
    assert (quiet.beyond, quiet.p > 0.05) == (False, True)


def test_the_interval_holds_what_outcomes_say_in_quiet_windows(promise):
    inside = 0
    for seed in range(100, 140):
        scored = drawn(200, seed)
        one = estimates(sketch(scored), promise)["estimated/roc_auc"]
        inside += one.low <= score(["roc_auc"], scored)["roc_auc"] <= one.high
    assert inside >= 35


def test_the_estimate_sees_no_concept_drift_and_says_so(promise):
    scored = drawn(500)
    turned = Scored(1 - scored.truth, scored.labels, scored.probabilities)
    assert estimates(sketch(turned), promise) == estimates(sketch(scored), promise)
    assert "no concept drift" in ASSUMPTIONS


def test_a_predicted_number_gives_no_estimate_and_says_why():
    truth = np.arange(100.0)
    metrics = {"primary": "mae", "also": []}
    promise = promised(Scored(truth, truth + np.sin(truth)), (), "regression", metrics=metrics)
    assert "does not say how sure" in unanswered(None, promise, SETTINGS)


@pytest.mark.parametrize("rows", [0, 1, 49])
def test_too_few_rows_are_said_and_not_judged(promise, rows):
    confidence = sketch(drawn(rows)) if rows else Confidence.empty(2)
    assert checks(confidence, promise, SETTINGS) == []
    assert "50 are needed" in unanswered(confidence, promise, SETTINGS)


def test_a_bundle_without_a_promise_is_not_judged():
    assert checks(sketch(drawn(100)), {}, SETTINGS) == []
    assert estimates(sketch(drawn(100)), {}) == {}
    assert "holds no promise" in unanswered(sketch(drawn(100)), {}, SETTINGS)


def test_probabilities_that_are_mended_to_certainty_are_judged(promise):
    sure = {**promise, "primary": "log_loss", "calibration": {**promise["calibration"], "slope": 80.0}}
    sure["estimated"] = {**promise["estimated"], "log_loss": 0.1}
    (check,) = checks(sketch(drawn(400)), sure, SETTINGS)
    assert np.isfinite(check.value)
    assert np.isfinite(check.limit)
