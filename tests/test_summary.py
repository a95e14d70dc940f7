"""The summary on a terminal: in a simulation the best possible score stands beside the model's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlworkflow.core import io, paths
from mlworkflow.summary import decision, summary
from tests.test_report import facts, write_files

KNOWN = {"metrics": {"roc_auc": 0.9876}, "ahead": {"value": 0.0091, "low": 0.002, "high": 0.016}, "money": 14321.0}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Return what makes the summary of a run with the given findings on the best possible score."""
    monkeypatch.chdir(tmp_path)

    def summarise(best: dict | None = None, money: dict | None = None, **decided: object) -> str:
        run = facts("binary")
        found = {**run.findings, "best": best, "threshold": {"silent": []}}
        found |= {"money": money} if money else {}
        write_files(replace(run, findings=found, decision={**run.decision, "model": run.model, **decided}), tmp_path)
        assert max(len(line) for text in (summary(), decision()) for line in text.splitlines()) <= 80
        return summary()

    return summarise


def test_the_best_possible_score_and_how_far_the_model_is_from_it_are_told(told):
    said = told(KNOWN)
    assert "  roc_auc                    0.9812     0.9785     0.9876   0.96 to 0.99" in said
    assert "the best possible roc_auc is 0.0091 better\n  than the model's (interval 0.002 to 0.016)." in said


def test_without_a_simulation_there_is_no_word_of_it(told):
    assert "possible" not in told(None)


def test_a_metric_without_an_answer_on_these_rows_is_a_dash(told):
    said = told({"metrics": {"roc_auc": None}, "ahead": {"value": None, "low": None, "high": None}, "money": None})
    assert "0.9785          -   0.96 to 0.99" in said
    assert "best possible" not in said


UNTOLD = {
    "verdict": "cannot be told",
    "why": "roc_auc has no value on the 7 test rows: all have the class 'no'. Collect more rows.",
    "good_enough": False,
    "simplest_adequate": None,
    "passed": {"gain_over_baseline_above_noise": None, "largest_model_megabytes": True},
    "margin": {"largest_model_megabytes": 19.9},
} | dict.fromkeys(("gain", "gain_low", "gain_high"))


def test_a_verdict_that_cannot_be_told_says_why_and_no_rule_counts_as_broken(told):
    said = " ".join(told(**UNTOLD).split())
    assert f"Verdict: cannot be told. {UNTOLD['why']}" in said
    assert "Good enough: cannot be told, 1 of 2 rules kept; unknown: gain_over_baseline_above_noise." in said
    assert "does as well" not in said
    assert "  unknown   gain_over_baseline_above_noise                         -" in decision()


def test_a_model_that_is_a_rung_itself_is_set_against_the_best_of_the_others(told):
    gain = {"value": 210.0, "low": -40.0, "high": 480.0}
    money = {"unit": "euros", "rows": 143, "model": 12345.5, "against": {"one_column": gain}}
    said = told(money=money, own_rung="linear", model="linear", best_baseline="one_column")
    assert "one_column                      0.81  <- best baseline beside the model's own" in said
    assert "(the model's own rung, untuned)" in said
    assert "against one_column, the best baseline beside the model's own: " in " ".join(said.split())
    assert "beside" not in told()


def test_a_limit_on_time_is_told_with_the_time_that_was_measured_here(told):
    told()
    assert "  kept      slowest_prediction_milliseconds                see below" in decision()
    assert "not measured here yet, `dvc repro -s -f evaluate` does" in " ".join(decision().split())
    io.write_json({"milliseconds_a_row": 18.92}, paths.PREDICTION_TIME)
    assert "slowest_prediction_milliseconds: 18.92 when last measured here (timings" in " ".join(decision().split())
