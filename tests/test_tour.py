"""The tour in a shorter form: a model goes into use, a concept changes, an alarm names the month of it."""

from __future__ import annotations

import os

import pytest

from mlworkflow.touring.__main__ import tour
from mlworkflow.touring.page import named
from mlworkflow.touring.world import Setting, World
from tests.conftest import ROOT

SHORT = Setting(customers=400, history=6, months=3, turn=2, mishap=None)


def test_outcomes_turn_while_the_customers_stay_the_same():
    plain, turned = World(Setting(customers=50, months=2, turn=None)), World(Setting(customers=50, months=2, turn=2))
    assert plain.requests(2) == turned.requests(2)
    assert plain.outcomes(1) == turned.outcomes(1)
    assert plain.outcomes(2) != turned.outcomes(2)
    assert plain.history.equals(turned.history)


@pytest.mark.slow
def test_a_short_year_tells_its_story(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    told = tour(SHORT, tmp_path)
    turned = "2023-08"
    assert [event.month for event in told.of("quiet")] == ["2023-07", "2023-08"]
    assert named(told) == turned
    assert [event.month for event in told.of("turn")] == [turned]
    assert {event.month for event in told.of("alarm")} == {"2023-09"}
    page = (tmp_path / "tour.html").read_text(encoding="utf-8")
    assert f"From {turned} on they leave for other reasons" in page
    assert f"the monitor named {turned}" in page
    assert "$ mlworkflow release --because" in (tmp_path / "typed.txt").read_text(encoding="utf-8")
    assert "goes into use" in capsys.readouterr().out
    assert os.getcwd() == str(ROOT)
