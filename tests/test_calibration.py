"""Calibration watched: by formulas, and quiet where a model is as wrong as it was."""

from __future__ import annotations

import numpy as np
import pytest

from mlworkflow.core.params import Monitor
from mlworkflow.measures.metrics import Scored
from mlworkflow.measures.recalibration import mended
from mlworkflow.monitoring.calibration import checks, measured, spiegelhalter, unanswered
from mlworkflow.monitoring.checks import decide
from tests.promised import drawn, promised

SETTINGS = Monitor(name="default")


@pytest.fixture(scope="module")
def promise():
    return promised(drawn(2000, seed=1))


def saying(scored, intercept, slope):
    """Return the rows with other probabilities, no longer true, in the same order."""
    said = mended(scored.probabilities[:, 1], intercept, slope)
    return Scored(scored.truth, (said > 0.5).astype(int), np.column_stack([1 - said, said]))


def alarms(scored, promise):
    return [one.subject for one in decide(checks(scored, promise, SETTINGS), 0.5) if one.alarm]


def test_the_gap_is_the_mean_probability_minus_the_rate(promise):
    scored = drawn(400)
    found = measured(scored, promise)["calibration/gap"]
    off = scored.probabilities[:, 1] - scored.truth
    assert found.value == pytest.approx(off.mean())
    assert found.high - found.value == pytest.approx(1.96 * off.std() / 20, rel=1e-3)


def test_z_is_that_of_spiegelhalter_and_normal_where_probabilities_are_true():
    said, true = np.array([0.2, 0.7, 0.9]), np.array([0, 1, 0])
    top = (0 - 0.2) * 0.6 + (1 - 0.7) * -0.4 + (0 - 0.9) * -0.8
    under = 0.36 * 0.16 + 0.16 * 0.21 + 0.64 * 0.09
    assert spiegelhalter(said, true).value == pytest.approx(top / np.sqrt(under))
    draws = [drawn(200, seed) for seed in range(300)]
    z = np.array([spiegelhalter(one.probabilities[:, 1], one.truth == 1).value for one in draws])
    assert abs(z.mean()) < 0.2
    assert z.std() == pytest.approx(1.0, abs=0.15)
    assert spiegelhalter(np.array([0.5, 1.0]), np.array([1, 1])).value is None


def test_rows_as_promised_are_quiet(promise):
    assert alarms(drawn(1000), promise) == []


def test_too_high_probabilities_are_a_gap_and_too_sure_ones_a_shape(promise):
    found = checks(saying(drawn(1000), 1.0, 1.0), promise, SETTINGS)[0]
    assert found.beyond
    assert found.value > 0.1
    assert "yes is said with a mean probability of" in found.words
    assert "gap" in alarms(saying(drawn(1000), -1.0, 1.0), promise)
    assert alarms(saying(drawn(1000), 0.0, 3.0), promise) == ["shape"]


def test_a_model_that_never_was_calibrated_is_no_news():
    off = [saying(drawn(2000, seed), 1.0, 2.0) for seed in (1, 2)]
    promise = promised(off[0])
    assert promise["calibration"]["gap"] > SETTINGS.calibration
    assert alarms(off[1], promise) == []
    assert checks(off[1], promise, SETTINGS)[1].p > 0.01  # mended as the promise says, the probabilities are true


def test_the_class_that_is_farthest_off_is_named():
    promise = promised(drawn(2000, 1, classes=3), ("a", "b", "c"), "multiclass")
    scored = drawn(1000, 2, classes=3)
    assert alarms(scored, promise) == []
    moved = np.where(np.arange(1000) % 3 == 0, 2, scored.truth)  # c comes more often than it is said
    found = checks(Scored(moved, scored.labels, scored.probabilities), promise, SETTINGS)[0]
    assert found.beyond
    assert found.words.startswith("c is said")
    assert "calibration/gap/c" in measured(scored, promise)


def test_a_class_that_comes_by_chance_more_often_in_few_rows_is_quiet():
    """Of 60 rows that are yes at 2%, five come: the normal distribution would be sure of a change."""
    said = np.full(2000, 0.02)
    reference = Scored(np.arange(2000) % 50 == 0, np.zeros(2000, int), np.column_stack([1 - said, said]))
    promise = promised(Scored(reference.truth.astype(int), reference.labels, reference.probabilities))
    few = Scored((np.arange(60) < 5).astype(int), np.zeros(60, int), reference.probabilities[:60])
    found = checks(few, promise, SETTINGS)[0]
    assert found.beyond
    assert found.p > 0.005


@pytest.mark.parametrize("rows", [0, 1, 49])
def test_too_few_outcomes_and_one_class_alone_are_said(promise, rows):
    assert checks(drawn(rows), promise, SETTINGS) == []
    assert "50 are needed" in unanswered(drawn(rows), promise, SETTINGS)
    measured(drawn(rows), promise)
    one = drawn(400).take(drawn(400).truth == 1)
    assert checks(one, promise, SETTINGS) == []
    assert "one class" in unanswered(one, promise, SETTINGS)


def test_numbers_have_no_calibration_and_no_promise_is_said():
    values = Scored(np.arange(100.0), np.arange(100.0))
    assert checks(values, {"task": "regression"}, SETTINGS) == []
    assert unanswered(values, {"task": "regression"}, SETTINGS) is None
    assert "no promise" in unanswered(drawn(100), {}, SETTINGS)
    assert measured(drawn(100), {}) == {}
