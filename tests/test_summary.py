"""The summary on a terminal: in a simulation the best possible score stands beside the model's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlworkflow.summary import summary
from tests.test_report import facts, write_files

KNOWN = {"metrics": {"roc_auc": 0.9876}, "ahead": {"value": 0.0091, "low": 0.002, "high": 0.016}, "money": 14321.0}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Return what makes the summary of a run with the given findings on the best possible score."""
    monkeypatch.chdir(tmp_path)

    def summarise(best: dict | None) -> str:
        run = facts("binary")
        found = {**run.findings, "best": best, "threshold": {"silent": []}}
        write_files(replace(run, findings=found, decision={**run.decision, "model": run.model}), tmp_path)
        lines = summary().splitlines()
        assert max(map(len, lines)) <= 80
        return "\n".join(lines)

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
