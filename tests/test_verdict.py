"""The verdict: each rule, the best baseline, the simplest model that does as well."""

from __future__ import annotations

import pytest

from mlworkflow.judging.verdict import BETTER, NO_BETTER, Facts, decision
from tests.conftest import make_problem

LADDER = {
    "random": {"roc_auc": 0.5},
    "majority": {"roc_auc": 0.5},
    "one_column": {"roc_auc": 0.7},
    "linear": {"roc_auc": 0.8},
}
NOTHING = {"value": 0.001, "low": -0.02, "high": 0.02}
CLEAR = {"value": 0.1, "low": 0.05, "high": 0.15}


def facts(against: dict, *, slices=(), tested=None, megabytes=1.0, constraints=None, shares=None) -> Facts:
    findings = {"against": against, "slices": list(slices), "constraints": constraints or {}, "shares": shares or {}}
    return Facts(LADDER, tested or {"roc_auc": 0.9, "accuracy": 0.8}, findings, megabytes)


ALL_CLEAR = dict.fromkeys(LADDER, CLEAR)


def told(found: Facts, own: str | None = None, **changes) -> dict:
    return decision(found, make_problem(**changes), "forest", own)


def test_a_gain_above_its_noise_is_better():
    assert told(facts(ALL_CLEAR))["verdict"] == BETTER
    assert told(facts(ALL_CLEAR))["good_enough"] is True


def test_a_gain_within_its_noise_is_no_better():
    found = told(facts({**ALL_CLEAR, "linear": NOTHING}))
    assert found["verdict"] == NO_BETTER
    assert found["good_enough"] is False
    assert found["passed"]["gain_over_baseline_above_noise"] is False


def test_a_sure_gain_too_small_to_be_worth_having_is_no_better():
    sure = {"value": 0.004, "low": 0.002, "high": 0.006}
    found = told(facts({**ALL_CLEAR, "linear": sure}))
    assert found["verdict"] == NO_BETTER
    assert found["passed"]["gain_over_baseline_above_noise"] is True
    assert found["margin"]["gain_over_baseline_worth_having"] == pytest.approx(-0.006)


def test_the_best_baseline_is_chosen_by_cross_validation():
    assert told(facts(ALL_CLEAR))["best_baseline"] == "linear"


def test_a_model_is_not_compared_with_its_own_rung():
    found = told(facts({**ALL_CLEAR, "linear": NOTHING}), own="linear")
    assert (found["best_baseline"], found["verdict"], found["simplest_adequate"]) == ("one_column", BETTER, "forest")


def test_the_simplest_model_that_does_as_well_is_named():
    assert told(facts({**ALL_CLEAR, "linear": NOTHING}))["simplest_adequate"] == "linear"
    assert told(facts(dict.fromkeys(LADDER, NOTHING)))["simplest_adequate"] == "majority"
    assert told(facts(ALL_CLEAR))["simplest_adequate"] == "forest"


def test_a_difference_that_cannot_be_computed_is_no_gain():
    assert told(facts(dict.fromkeys(LADDER, {"value": None, "low": None, "high": None})))["verdict"] == NO_BETTER


LIMITS = {
    "largest_model_megabytes": 2,
    "metrics": {"accuracy": 0.75, "log_loss": 0.5},
    "largest_gap_of_a_slice": 0.1,
    "slices": [{"column": "plan", "value": "gold", "smallest_share": 0.2}],
}
SLICES = [{"gap": 0.05, "too_small": False}, {"gap": 0.9, "too_small": True}]


def test_each_rule_tells_by_how_much_it_is_kept():
    found = told(
        facts(
            ALL_CLEAR,
            slices=SLICES,
            tested={"roc_auc": 0.9, "accuracy": 0.8, "log_loss": 0.6},
            constraints={"slowest_prediction_milliseconds": {"limit": 5, "passed": True}},
            shares={"plan": {"gold": 0.3}},
        ),
        constraints=LIMITS,
    )
    assert found["margin"]["largest_model_megabytes"] == pytest.approx(1)
    assert found["margin"]["least_accuracy"] == pytest.approx(0.05)
    assert found["margin"]["largest_log_loss"] == pytest.approx(-0.1)
    assert found["margin"]["largest_gap_of_a_slice"] == pytest.approx(0.05)
    assert found["margin"]["share_of_plan_gold"] == pytest.approx(0.1)
    assert [rule for rule, passed in found["passed"].items() if not passed] == ["largest_log_loss"]
    assert found["good_enough"] is False


def test_a_measured_time_is_told_as_kept_or_not_without_its_margin():
    found = told(facts(ALL_CLEAR, constraints={"slowest_prediction_milliseconds": {"limit": 5, "passed": False}}))
    assert found["passed"]["slowest_prediction_milliseconds"] is False
    assert "slowest_prediction_milliseconds" not in found["margin"]


def test_a_limit_on_a_metric_that_was_not_measured_is_not_kept():
    found = told(facts(ALL_CLEAR), constraints={"metrics": {"recall": 0.5}})
    assert found["passed"]["least_recall"] is False


def test_a_human_figure_is_a_rule():
    human = {"human": {"metric": "accuracy", "figure": 0.85, "source": "a count of last year's calls"}}
    found = told(facts(ALL_CLEAR), reference=human)
    assert found["passed"]["as_good_as_people_in_accuracy"] is False
    assert found["margin"]["as_good_as_people_in_accuracy"] == pytest.approx(-0.05)
