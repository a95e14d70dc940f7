"""Champion against challenger: paired where both scored the row, by two intervals where they did not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlworkflow.core.problem import Value
from mlworkflow.measures.compare import differences
from mlworkflow.measures.intervals import wilson
from mlworkflow.measures.many import level_at, level_of, moved_out
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring.challenger import compared, mover
from tests.promised import MONEY, drawn
from tests.test_performance import shuffled

CLASSES = ["no", "yes"]
WORTH = Value.model_validate(MONEY)


def asked(champion, challenger, paired, **changes):
    given = {"primary": "roc_auc", "least_gain": 0.01, "names": ["accuracy"], "value": WORTH, "classes": CLASSES}
    return compared(champion, challenger, paired, **given | {"seed": 0} | changes)


def blunt(scored, seed=0):
    """Return the predictions of a worse model of the same rows."""
    generator = np.random.default_rng(seed)
    said = scored.probabilities[:, 1] * 0.5 + generator.random(len(scored)) * 0.5
    return Scored(scored.truth, (said >= 0.5).astype(int), np.column_stack([1 - said, said]))


def test_paired_rows_are_compared_as_review_does():
    champion, challenger = blunt(drawn(600)), drawn(600)
    found = asked(champion, challenger, True)
    theirs = differences(["roc_auc"], challenger, champion, seed=0)["roc_auc"]
    one = found["differences"]["roc_auc"]
    assert (one["value"], one["low"], one["high"]) == pytest.approx((theirs.value, theirs.low, theirs.high))
    assert found["word"] == "better"
    assert asked(challenger, champion, True)["word"] == "worse"
    assert found["rows"] == {"champion": 600, "challenger": 600}


def test_other_rows_are_compared_by_two_intervals_put_together():
    champion, challenger = drawn(500, seed=1), drawn(300, seed=2)
    found = asked(champion, challenger, False, primary="accuracy", names=[])["differences"]["accuracy"]
    hits = [int((one.truth == one.labels).sum()) for one in (champion, challenger)]
    (a, b), (c, d) = wilson(hits[0], 500), wilson(hits[1], 300)
    ours, theirs = hits[1] / 300, hits[0] / 500
    assert found["value"] == pytest.approx(ours - theirs)
    assert found["low"] == pytest.approx(ours - theirs - np.hypot(ours - c, b - theirs))  # Newcombe 1998
    assert found["high"] == pytest.approx(ours - theirs + np.hypot(d - ours, theirs - a))


def test_an_error_points_the_other_way():
    found = asked(blunt(drawn(800, seed=1)), drawn(800, seed=2), False, primary="brier_score", names=[])
    assert found["word"] == "better"
    one = found["differences"]["brier_score"]
    assert 0 < one["low"] < one["value"] < one["high"]


def test_the_ends_of_an_error_change_places():
    found = mover("rmse", {"value": 2.0, "low": 1.9, "high": 2.5}, {"value": 3.0, "low": 2.8, "high": 3.1})
    assert found.value == 1.0
    assert found.low == pytest.approx(1 - np.hypot(0.5, 0.2))  # as bad as 2.5 against as good as 2.8
    assert found.high == pytest.approx(1 + np.hypot(0.1, 0.1))


def test_models_alike_are_told_apart_by_neither():
    assert asked(drawn(500, seed=1), drawn(400, seed=2), False)["word"] == "no clear difference"
    assert asked(drawn(500), drawn(500), True)["word"] == "no clear difference"


def test_money_is_told_by_the_row():
    champion, challenger = shuffled(drawn(600)), drawn(600)
    champion = Scored(challenger.truth, champion.labels[::-1], champion.probabilities[::-1])
    table = np.array([[0, -10], [0, 50]])
    more = table[challenger.truth, challenger.labels] - table[champion.truth, champion.labels]
    found = asked(champion, challenger, True)["money"]
    assert (found["value"], found["unit"]) == (pytest.approx(more.mean()), "EUR")
    half = 1.96 * more.std() / np.sqrt(600)
    assert found["high"] - found["low"] == pytest.approx(2 * half, rel=0.1)
    apart = asked(champion, challenger, False)["money"]
    assert apart["value"] == pytest.approx(found["value"])
    assert asked(champion, challenger, False, value=None)["money"] is None


def test_who_looks_again_is_given_wider_intervals_and_told_so():
    once, first, late = (asked(drawn(500, seed=1), drawn(400, seed=2), False, look=look) for look in (None, 1, 30))
    found = [one["differences"]["roc_auc"] for one in (once, first, late)]
    widths = [one["high"] - one["low"] for one in found]
    for width, one, look in ((widths[1], first, 1), (widths[2], late, 30)):
        spent = 0.05 / (look * (look + 1))
        assert width / widths[0] == pytest.approx(stats.norm.ppf(1 - spent / 2) / stats.norm.ppf(0.975), rel=1e-6)
        assert one["level"] == pytest.approx(1 - spent)
        assert f"at look {look}: all looks together err in at most 5%" in one["words"]
    assert "look" not in once["words"]


def test_what_all_looks_spend_is_the_error_that_was_promised():
    assert sum(1 - level_at(look) for look in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)


def wrong_words(level_of_look, runs=500, looks=60, rows=50):
    """Return in which share of runs any look at two equal models, with more rows each time, calls one better."""
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(runs):
        hits = generator.binomial(rows, 0.8, size=(looks, 2)).cumsum(axis=0)
        wrong += any(clear(hits[look - 1], look * rows, level_of_look(look)) for look in range(1, looks + 1))
    return wrong / runs


def clear(hits, rows, level):
    ours, theirs = ({"value": one / rows, **dict(zip(("low", "high"), wilson(one, rows), strict=True))} for one in hits)
    return moved_out(mover("accuracy", ours, theirs), 0.95, level).clear


def test_sixty_looks_at_two_equal_models_mislead_no_more_often_than_promised():
    assert wrong_words(level_at) <= 0.05
    assert wrong_words(lambda look: 0.95) > 0.25  # who looks each time as if it were the only one
    assert wrong_words(level_of) > 0.05  # or as if it were the last


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("paired", [True, False])
def test_too_few_rows_say_nothing(rows, paired):
    found = asked(drawn(rows), drawn(rows), paired)
    assert (found["word"], found["differences"], found["money"]) == ("no clear difference", {}, None)
    assert "nothing can be said" in found["words"]


def test_one_class_of_outcomes_says_nothing():
    one = drawn(300).take(drawn(300).truth == 1)
    for paired in (True, False):
        found = asked(one, one, paired)
        assert found["word"] == "no clear difference"
        assert found["differences"]["roc_auc"]["low"] is None
