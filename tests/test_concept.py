"""The detector of concept drift: equal to its formula, quiet on other rows, loud where outcomes stop following."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlworkflow.core.params import Monitor
from mlworkflow.measures.losses import losses
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring.concept import CHUNK, HIGHEST, Detector, checks, numbers, stream, threshold
from tests.promised import drawn, promised
from tests.test_confidence import hard
from tests.test_performance import shuffled

SETTINGS = Monitor(name="default")


@pytest.fixture(scope="module")
def promise():
    return promised(drawn(2000, seed=1))


def fed(promise, *parts):
    detector = Detector.start(promise)
    start = 0
    for scored in parts:
        detector = detector.add(stream(scored, promise), np.arange(start, start + len(scored)))
        start += len(scored)
    return detector


def test_the_evidence_is_that_of_the_recursion(promise):
    detector = Detector.start(promise)
    values = np.random.default_rng(0).random(700) * 2 * detector.mu
    evidence = np.zeros(len(detector.bets))
    for value in values:
        evidence = (evidence + 1) * (1 + np.array(detector.bets) * (value - detector.mu))
    detector = detector.add(values, np.arange(700))
    assert detector.evidence == pytest.approx(np.log(evidence))
    assert detector.log_evidence == pytest.approx(np.log(evidence.mean()))


def test_how_the_rows_are_handed_over_does_not_matter(promise):
    values = np.random.default_rng(0).random(20 * CHUNK)
    whole = Detector.start(promise).add(values, np.arange(len(values)))
    parts = Detector.start(promise)
    for start in range(0, len(values), 37):
        parts = parts.add(values[start : start + 37], np.arange(start, min(start + 37, len(values))))
        parts = Detector.from_dict(json.loads(json.dumps(parts.to_dict())))
    assert parts.evidence == pytest.approx(whole.evidence)
    assert (parts.since, parts.after, parts.rows) == (whole.since, whole.after, whole.rows)


def test_where_outcomes_stop_following_there_is_an_alarm_that_says_since_when(promise):
    detector = fed(promise, drawn(3000), shuffled(drawn(1000, seed=4)))
    (found,) = checks(detector, 500, SETTINGS)
    assert found.beyond
    assert found.p is None
    assert abs(detector.changed - 3000) < 60
    assert found.value == pytest.approx(1.0, abs=0.25)  # all of what the probabilities told is lost
    assert "likely from" in found.words
    assert numbers(detector, 500, SETTINGS)["concept/evidence"].value > 1


@pytest.mark.parametrize("rows", [drawn, hard])
def test_rows_as_usual_and_harder_ones_alone_are_quiet(promise, rows):
    (found,) = checks(fed(promise, rows(6000, seed=5)), 500, SETTINGS)
    assert not found.beyond
    assert "still holds" in found.words


def test_the_alarm_ends_when_the_losses_are_as_usual_again(promise):
    bad = fed(promise, shuffled(drawn(6000, seed=4)))
    assert bad.log_evidence < HIGHEST + 30
    good = bad.add(stream(drawn(6000, seed=5), promise), np.arange(6000, 12_000))
    assert not checks(good, 500, SETTINGS)[0].beyond


def test_a_false_alarm_takes_as_many_rows_as_promised_where_losses_are_at_their_worst(promise):
    """Two hundred streams of losses of mean mu: the evidence first reaches 200 after 200 rows or more, on average."""
    start, generator, took = Detector.start(promise), np.random.default_rng(1), []
    for _ in range(200):
        detector, rows = start, 0
        while detector.log_evidence < np.log(200) and rows < 3000:
            detector = detector.add((generator.random(20) < start.mu).astype(float), np.arange(20))
            rows += 20
        took.append(rows)
    assert np.mean(took) > 200


def test_the_threshold_is_the_rows_until_a_false_alarm():
    assert threshold(500, SETTINGS) == pytest.approx(np.log(500 * 100 / (0.5 * 0.1)))


def test_numbers_have_a_loss_of_their_own():
    generator = np.random.default_rng(3)
    truth = generator.normal(size=2000)
    scored = Scored(truth, truth + generator.normal(size=2000) / 2)
    promise = promised(scored, (), "regression", metrics={"primary": "mae", "also": []})
    assert stream(scored, promise) == pytest.approx(losses(scored, promise["loss"]))
    worse = Scored(truth, truth + generator.normal(size=2000))
    (found,) = checks(fed(promise, scored, worse), 500, SETTINGS)
    assert found.beyond
    assert found.value == pytest.approx(1.0, abs=0.3)  # twice the loss
    assert "higher than promised" in found.words


def test_several_classes_are_followed_too():
    promise = promised(drawn(2000, 1, classes=3), ("a", "b", "c"), "multiclass")
    quiet, worse = drawn(2000, 2, classes=3), shuffled(drawn(2000, 3, classes=3))
    assert not checks(fed(promise, quiet), 500, SETTINGS)[0].beyond
    assert checks(fed(promise, quiet, worse), 500, SETTINGS)[0].beyond


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_reference_whose_losses_are_all_the_same_is_no_error(value):
    promise = {"rows": 50, "concept": {"name": "error", "cap": None, "mean": value, "std": 0.0, "unit": value}}
    detector = Detector.start(promise).add(np.full(300, value), np.arange(300))
    assert not checks(detector, 100, SETTINGS)[0].beyond


def test_no_promise_and_no_rows_are_not_judged(promise):
    assert Detector.start({}) is None
    assert checks(None, 500, SETTINGS) == []
    assert checks(Detector.start(promise), 500, SETTINGS) == []
    assert numbers(Detector.start(promise), 500, SETTINGS) == {}
    assert checks(fed(promise, drawn(1)), 500, SETTINGS)[0].beyond is False
