"""What the model earns: by hand, against one decision for all, and with the threshold known afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlworkflow.core.params import Monitor
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring.checks import decide
from mlworkflow.monitoring.money import checks, measured, unanswered
from tests.promised import MONEY, drawn, promised
from tests.test_performance import shuffled

SETTINGS = Monitor(name="default")
EVEN = {"unit": "EUR", "outcomes": {"yes": {"yes": 30, "no": -30}, "no": {"yes": -30, "no": 30}}}


@pytest.fixture(scope="module")
def promise():
    return promised(drawn(2000, seed=1), value=EVEN)


def test_the_numbers_are_sums_by_hand():
    promise = promised(drawn(2000, seed=1), value=MONEY)
    truth, labels = np.array([1, 1, 0, 0, 0]), np.array([1, 0, 1, 0, 0])
    said = np.array([0.9, 0.4, 0.6, 0.3, 0.2])
    found = measured(Scored(truth, labels, np.column_stack([1 - said, said])), promise)
    assert found["money/model"].value == pytest.approx((50 - 10) / 5)
    assert found["money/baseline"].value == pytest.approx((2 * 50 - 3 * 10) / 5)  # always yes
    assert found["money/best_threshold"].value == pytest.approx((2 * 50 - 10) / 5)  # from 0.4 on
    assert 0.3 < found["money/threshold"].value <= 0.4


def test_a_model_worth_less_than_one_decision_is_an_alarm_and_a_good_one_is_not(promise):
    assert [one.alarm for one in decide(checks(drawn(400), promise, SETTINGS), 0.5)] == [False]
    turned = drawn(400)
    turned = Scored(1 - turned.truth, turned.labels, turned.probabilities)
    (found,) = decide(checks(turned, promise, SETTINGS), 0.5)
    assert found.alarm
    assert found.value < 0
    assert "EUR a row less" in found.words


def test_a_model_that_knows_nothing_is_not_called_worse_without_evidence(promise):
    assert [one.alarm for one in decide(checks(shuffled(drawn(400)), promise, SETTINGS), 0.5)] == [False]


def test_the_test_is_that_of_students_paired_rows(promise):
    scored = drawn(400)
    turned = Scored(1 - scored.truth, scored.labels, scored.probabilities)
    always = promise["classes"].index(promise["worth"]["constant"])
    more = 30.0 * (np.where(turned.labels == turned.truth, 1, -1) - np.where(turned.truth == always, 1, -1))
    (found,) = checks(turned, promise, SETTINGS)
    assert found.value == pytest.approx(more.mean())
    z = more.mean() / (max(more.std(ddof=1), promise["worth"]["std"]) / np.sqrt(400))
    counts = np.bincount(turned.truth)
    assert found.p == pytest.approx(stats.t.cdf(z, 1 / (1 / counts).sum() - 1))


def test_rows_decided_as_the_one_decision_win_and_lose_nothing(promise):
    """They have no spread of their own: that of the test rows stands for it."""
    always = promise["classes"].index(promise["worth"]["constant"])
    scored = drawn(400)
    (found,) = checks(Scored(scored.truth, np.full(400, always), scored.probabilities), promise, SETTINGS)
    assert (found.value, found.p, found.beyond) == (0.0, 0.5, False)


def test_outcomes_of_one_class_are_not_sure_of_a_loss():
    """Calls cost 10 and none was worth it: rows without a spread of their own would be certain."""
    promise = promised(drawn(2000, seed=1), value=MONEY)
    one = drawn(400).take(drawn(400).truth == 0)
    assert checks(one, promise, SETTINGS) == []
    assert "one class" in unanswered(one, promise, SETTINGS)


def test_errors_of_numbers_have_their_price():
    truth = np.arange(200.0)
    price = {"unit": "h", "over": -1, "under": -3}
    metrics = {"primary": "mae", "also": []}
    promise = promised(Scored(truth, truth + 1), (), "regression", metrics=metrics, value=price)
    found = measured(Scored(truth, truth - 2), promise)
    assert found["money/model"].value == pytest.approx(-6)
    assert found["money/baseline"].value == pytest.approx(promise["worth"]["constant_per_row"])
    assert "money/best_threshold" not in found
    (check,) = checks(Scored(truth, truth - 2), promise, SETTINGS)
    assert not check.beyond


@pytest.mark.parametrize("rows", [0, 1, 49])
def test_too_few_outcomes_are_said(promise, rows):
    assert checks(drawn(rows), promise, SETTINGS) == []
    assert "50 are needed" in unanswered(drawn(rows), promise, SETTINGS)
    measured(drawn(rows), promise)


def test_without_a_price_nothing_is_said():
    promise = promised(drawn(500))
    assert (checks(drawn(400), promise, SETTINGS), measured(drawn(400), promise)) == ([], {})
    assert unanswered(drawn(400), promise, SETTINGS) is None
