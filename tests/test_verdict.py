"""The verdict: each rule, the best baseline, the simplest model that does as well."""

from __future__ import annotations

import pytest

from mlworkflow.judging.verdict import BETTER, NO_BETTER, UNTOLD, Facts, decision
from tests.conftest import make_problem

LADDER = {
    "random": {"roc_auc": 0.5},
    "majority": {"roc_auc": 0.5},
    "one_column": {"roc_auc": 0.7},
    "linear": {"roc_auc": 0.8},
}
NOTHING = {"value": 0.001, "low": -0.02, "high": 0.02}
CLEAR = {"value": 0.1, "low": 0.05, "high": 0.15}


def facts(
    against: dict, *, slices=(), tested=None, megabytes=1.0, constraints=None, shares=None, why: str | None = None
) -> Facts:
    findings = {"against": against, "slices": list(slices), "constraints": constraints or {}, "shares": shares or {}}
    findings |= {"rows": {"train": 23, "test": 7}, "without_value": why}
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


NONE = {"value": None, "low": None, "high": None}


def test_a_metric_without_a_value_on_the_test_rows_tells_neither_a_gain_nor_its_absence():
    found = told(facts(dict.fromkeys(LADDER, NONE), tested={"roc_auc": None}, why="all have the class 'no'"))
    assert (found["verdict"], found["good_enough"], found["simplest_adequate"]) == (UNTOLD, False, None)
    assert found["passed"] == {"gain_over_baseline_above_noise": None, "gain_over_baseline_worth_having": None}
    assert found["why"] == (
        "roc_auc has no value on the 7 test rows: all have the class 'no'. "
        "Collect more rows, or set a problem.split.test_fraction above 0.25."
    )


def test_a_gain_without_an_interval_cannot_be_told():
    found = told(facts(dict.fromkeys(LADDER, {"value": 0.3, "low": None, "high": None})))
    assert found["verdict"] == UNTOLD
    assert found["why"].startswith("the gain in roc_auc has no interval on the 7 test rows")
    assert found["passed"] == {"gain_over_baseline_above_noise": None, "gain_over_baseline_worth_having": True}


def test_where_a_column_splits_the_rows_more_of_them_must_be_marked():
    found = told(facts(dict.fromkeys(LADDER, NONE)), split={"scheme": "column", "column": "part"})
    assert found["why"].endswith("or mark more of them as test rows in 'part'.")


def test_what_is_told_has_no_reason():
    assert "why" not in told(facts(ALL_CLEAR))


def test_a_ladder_without_any_cross_validated_value_is_no_crash():
    nothing = Facts({name: {"roc_auc": None} for name in LADDER}, {"roc_auc": None}, facts(ALL_CLEAR).findings, 1.0)
    assert told(nothing)["best_baseline"] == "majority"


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


def test_a_limit_on_a_metric_without_a_value_is_neither_kept_nor_broken_and_not_good_enough():
    human = {"human": {"metric": "recall", "figure": 0.85, "source": "a count of last year's calls"}}
    unmeasured = facts(ALL_CLEAR, tested={"roc_auc": 0.9, "recall": None})
    found = told(unmeasured, constraints={"metrics": {"recall": 0.5}}, reference=human)
    assert (found["passed"]["least_recall"], found["passed"]["as_good_as_people_in_recall"]) == (None, None)
    assert found["good_enough"] is False


def test_slices_that_are_all_too_small_tell_no_gap():
    small = facts(ALL_CLEAR, slices=[{"gap": 0.9, "too_small": True}])
    assert told(small, constraints={"largest_gap_of_a_slice": 0.1})["passed"]["largest_gap_of_a_slice"] is None
    assert told(facts(ALL_CLEAR), constraints={"largest_gap_of_a_slice": 0.1})["passed"]["largest_gap_of_a_slice"]


def test_a_human_figure_is_a_rule():
    human = {"human": {"metric": "accuracy", "figure": 0.85, "source": "a count of last year's calls"}}
    found = told(facts(ALL_CLEAR), reference=human)
    assert found["passed"]["as_good_as_people_in_accuracy"] is False
    assert found["margin"]["as_good_as_people_in_accuracy"] == pytest.approx(-0.05)
