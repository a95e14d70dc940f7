"""What the model does now, against the promise: the tests are held against scipy, and quiet stays quiet."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlworkflow.core.params import Monitor
from mlworkflow.measures.metrics import Scored, score
from mlworkflow.monitoring.checks import decide
from mlworkflow.monitoring.performance import checks, measured, scale, unanswered
from mlworkflow.monitoring.tails import deciding, tail, welch
from tests.promised import drawn, promised

SETTINGS = Monitor(name="default")


@pytest.fixture(scope="module")
def promise():
    return promised(drawn(2000, seed=1))


def shuffled(scored, share=1.0, seed=0):
    """Return the rows with the outcomes of a share of them mixed among all: what they say no longer holds."""
    generator = np.random.default_rng(seed)
    mixed = generator.random(len(scored)) < share
    return Scored(
        np.where(mixed, generator.permutation(scored.truth), scored.truth), scored.labels, scored.probabilities
    )


def test_rows_as_promised_are_quiet_and_rows_that_got_worse_are_not(promise):
    quiet, worse = (checks(one, promise, SETTINGS) for one in (drawn(500), shuffled(drawn(500), 0.6)))
    assert [(one.subject, one.alarm) for one in decide(quiet, 0.5)] == [("roc_auc", False), ("loss", False)]
    assert [(one.subject, one.alarm) for one in decide(worse, 0.5)] == [("roc_auc", True), ("loss", True)]
    assert "worse by" in worse[0].words


def test_the_limit_is_the_least_gain_or_a_standard_error_if_that_is_more(promise):
    few, many = (checks(drawn(rows), promise, SETTINGS)[0] for rows in (60, 4000))
    kept = promise["metrics"]["roc_auc"]
    assert kept["value"] - few.limit > 0.02
    assert many.limit == pytest.approx(kept["value"] - max(0.01, kept["error"] * np.sqrt(1.5)), abs=1e-3)


def test_numbers_are_those_of_the_metrics_with_intervals_around_them(promise):
    scored = drawn(300)
    found = measured(scored, promise)
    for name in ("roc_auc", "accuracy"):
        one = found[f"performance/{name}"]
        assert one.value == pytest.approx(score([name], scored)[name])
        assert one.low < one.value < one.high
    brier = (scored.truth - scored.probabilities[:, 1]) ** 2
    assert found["performance/loss"].value == pytest.approx(brier.mean())


def test_the_error_of_a_mean_is_that_of_welch():
    generator = np.random.default_rng(0)
    ours, theirs = generator.normal(1, 3, 80), generator.normal(0, 1, 500)
    found = stats.ttest_ind(ours, theirs, equal_var=False)
    error = welch(ours, float(theirs.std(ddof=1)), 500)
    assert (ours.mean() - theirs.mean()) / error == pytest.approx(found.statistic)
    assert welch(np.zeros(80), 1.0, 500) == pytest.approx(np.hypot(1 / np.sqrt(80), 1 / np.sqrt(500)))


def test_the_tail_is_students_with_the_rows_that_decide():
    assert tail(3.0, 10) == pytest.approx(stats.t.sf(3.0, 9))
    assert deciding([5, 95]) == pytest.approx(1 / (1 / 5 + 1 / 95))
    assert deciding([50, 0]) == 0
    assert tail(3.0, 1) is None


def test_fewer_rows_of_the_rare_class_make_more_noise(promise):
    scored = drawn(500)
    rare = scored.take(np.flatnonzero((scored.truth == 0) | (np.arange(500) < 50)))
    assert scale(rare, promise) > scale(scored, promise) == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("rows", [0, 1, 49])
def test_too_few_outcomes_are_said_and_not_judged(promise, rows):
    assert checks(drawn(rows), promise, SETTINGS) == []
    assert "50 are needed" in unanswered(drawn(rows), promise, SETTINGS)
    assert bool(measured(drawn(rows), promise)) == (rows > 0)


def test_a_single_class_of_outcomes_has_no_metric(promise):
    scored = drawn(400)
    one = scored.take(scored.truth == 1)
    assert checks(one, promise, SETTINGS) == []
    assert "all have the class 'yes'" in unanswered(one, promise, SETTINGS)
    assert measured(one, promise)["performance/roc_auc"].value is None


def test_a_bundle_without_a_promise_is_not_judged():
    assert checks(drawn(400), {}, SETTINGS) == []
    assert measured(drawn(400), {}) == {}
    assert "holds no promise" in unanswered(drawn(400), {}, SETTINGS)


@pytest.mark.parametrize("classes", [("no", "yes"), ("no", "so", "yes")])
def test_a_perfect_model_that_errs_now_is_found_and_one_that_does_not_is_quiet(classes):
    def sure(rows, wrong=0):
        truth = np.arange(rows) % len(classes)
        said = np.where(np.arange(rows) < wrong, (truth + 1) % len(classes), truth)
        return Scored(truth, said, np.eye(len(classes))[said])

    promise = promised(sure(300), classes, "binary" if len(classes) == 2 else "multiclass")
    assert not any(one.beyond for one in checks(sure(200), promise, SETTINGS))
    assert [one.beyond and one.p < 1e-4 for one in checks(sure(200, wrong=60), promise, SETTINGS)] == [True, True]


def test_numbers_are_judged_by_their_errors():
    generator = np.random.default_rng(3)
    truth = generator.normal(size=1000)
    scored = Scored(truth, truth + generator.normal(size=1000) / 2)
    promise = promised(scored, (), "regression", metrics={"primary": "rmse", "also": ["mae"], "least_gain": 0.05})
    assert not any(one.beyond for one in checks(scored.take(np.arange(300)), promise, SETTINGS))
    off = Scored(truth[:300], scored.labels[:300] * 1.0 + 1)
    found = checks(off, promise, SETTINGS)
    assert [one.beyond and one.p < 1e-6 for one in found] == [True, True]
    assert found[0].limit == pytest.approx(promise["metrics"]["rmse"]["value"] + 0.05)


def test_chance_alone_is_seldom_taken_for_a_loss():
    """Of 400 quiet windows of 60 rows p < 0.01 comes in at most twelve, which chance passes once in ten thousand."""
    promise = promised(drawn(500, seed=1))
    whole = drawn(24_000, seed=9)
    windows = [whole.take(np.arange(start, start + 60)) for start in range(0, 24_000, 60)]
    found = [checks(window, promise, SETTINGS, _quick(window)) for window in windows]
    for place in (0, 1):
        assert sum(each[place].p < 0.01 for each in found if each) <= 12


def _quick(scored):
    """Return the metric without its bootstrap: the noise is then that of the promise alone."""
    from mlworkflow.measures.weighted import values_of
    from mlworkflow.monitoring.report import Value

    return {"performance/roc_auc": Value(values_of(["roc_auc"], scored)["roc_auc"])}
