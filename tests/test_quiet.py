"""Quiet when nothing happened: what bench/monitor.py measured, held by small tests."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from bench.monitor import begun, monitor, other_unit, reported
from bench.worlds import made_up, trained, worlds

from mlworkflow.measures.distances import chance
from mlworkflow.measures.expected import Confidence, sketch
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring import joint
from mlworkflow.monitoring.columns import _limit
from mlworkflow.monitoring.confidence import _noise_said
from mlworkflow.monitoring.sketch import Sketch, hashed
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.schema import Column, Schema
from mlworkflow.runtime.fields import Field, Fields, RowsError

FIELDS = Fields(
    [Field("a", "number"), Field("b", "category"), Field("c", "text", required=False), Field("d", "time")],
    Schema("regression", None, [], [Column("a", "number", "input"), Column("b", "category", "input"),
                                    Column("c", "text", "input"), Column("d", "time", "input")], blanks=["?"]),
)  # fmt: skip
ROW = {"a": 1.5, "b": " x", "c": "two words", "d": "2024-01-31"}


def test_small_windows_without_drift_are_no_news_to_the_test():
    generator, told = np.random.default_rng(0), []
    for _ in range(1_000):
        told.append(chance([100] * 10, generator.multinomial(50, [0.1] * 10)))
    assert np.mean(np.array(told) < 0.01) < 0.02  # joined by what was found: 0.06


def test_a_shift_of_a_small_window_is_news_to_the_test():
    assert chance([100] * 10, [0, 0, 0, 1, 2, 3, 6, 8, 13, 17]) < 1e-6


def test_a_column_with_seasons_is_no_joint_drift_and_others_are():
    generator = np.random.default_rng(0)
    then = {"hours": generator.normal(size=400), "other": generator.normal(size=400)}
    now = {"hours": generator.normal(3, 1, size=200), "other": generator.normal(size=200)}
    spread = {"kind": "number", "edges": [0.0], "fine": None}
    held = Sketch.empty({"columns": dict.fromkeys(then, spread), "predictions": None}, [*then])
    held.add(now, hashes=hashed([str(place) for place in range(200)]))
    profile = {"columns": {"hours": {"seen": {"psi": 0.4}}, "other": {"seen": {"psi": 0.0}}}}
    found, _ = joint.check(then, held.sample, monitor(), joint.steady(profile))
    everything, _ = joint.check(then, held.sample, monitor())
    nothing, why = joint.check(then, held.sample, monitor(), [])
    assert not found.beyond
    assert everything.beyond
    assert nothing is None
    assert "seasons" in why


def test_a_part_as_far_off_as_one_of_training_is_within_the_limit_nearly_always():
    generator, shares = np.random.default_rng(0), np.array([0.4, 0.3, 0.2, 0.1])
    whole, part = 4_000 * shares, shares[::-1]
    seen = float(((part - shares) * np.log(part / shares)).sum())
    settings, over = monitor(), 0
    for _ in range(1_000):
        now = generator.multinomial(100, part)
        after = (now + 0.5) / (now + 0.5).sum()
        over += ((after - shares) * np.log(after / shares)).sum() > _limit(
            {"seen": {"psi": seen}}, whole, now, settings
        )
    assert over <= 2  # with the noise of 1 in 20: 9


@pytest.mark.parametrize("name", ["log_loss", "brier_score"])
def test_the_noise_of_an_estimate_is_that_of_the_mean_of_its_rows(name):
    likely = np.random.default_rng(0).beta(2, 3, 500)
    said = np.column_stack([1 - likely, likely])
    held = sketch(Scored((likely > 0.5).astype(int), (likely > 0.5).astype(int), said))
    promise = {"rows": 500, "calibration": {"intercept": 0.0, "slope": 1.0}}
    each = {"log_loss": -(said * np.log(said)).sum(axis=1), "brier_score": 1 - (said**2).sum(axis=1)}[name]
    assert _noise_said(name, held, promise) == pytest.approx(each.std() * (2 / 500) ** 0.5, rel=0.01)


def test_the_noise_of_an_estimate_of_three_classes_is_never_below_that_of_its_rows():
    said = np.random.default_rng(0).dirichlet([1, 2, 3], 500)
    held = Confidence.of(said.argmax(axis=1), said)
    noise = -(said * np.log(said)).sum(axis=1).std() * (2 / 500) ** 0.5
    assert _noise_said("log_loss", held, {"rows": 500, "calibration": {}}) >= abs(noise)
    assert _noise_said("accuracy", held, {"rows": 500, "calibration": {}}) == 0.0


def test_many_rows_are_read_as_single_ones_are():
    rows = [ROW, {**ROW, "a": None, "b": "?", "c": None}, {**ROW, "a": 3, "b": None, "d": None}] * 4
    many, single = FIELDS.read(rows), [FIELDS.read([row]) for row in rows]
    for name, values in many.items():
        assert [*map(str, values)] == [str(one[name][0]) for one in single]


@pytest.mark.parametrize(
    "changes", [{"a": True}, {"a": float("nan")}, {"a": 10**400}, {"a": "1"}, {"b": "\ud800"}, {"c": 1}, {"d": "soon"},
                {"e": 1}],
)  # fmt: skip
def test_a_mistake_among_many_rows_is_told_with_its_row(changes):
    with pytest.raises(RowsError, match="row 11, "):
        FIELDS.read([*[ROW] * 10, {**ROW, **changes}])


def test_a_missing_field_among_many_rows_is_told():
    with pytest.raises(RowsError, match="must be there"):
        FIELDS.read([*[ROW] * 10, {name: value for name, value in ROW.items() if name != "a"}])


def test_a_quiet_window_begins_no_alarm_and_a_column_in_another_unit_does():
    generator = np.random.default_rng(3)
    world = dataclasses.replace(worlds()["made up"], name="small")
    model = trained(world, 400, generator)
    tables = [made_up(100, generator), made_up(100, generator)]
    tables[1] = other_unit(tables[1], model, generator, 0)
    quiet, found = begun(reported(model, tables, monitor()))
    assert quiet == ()
    assert any(key.startswith("quality/") for key in found)
    assert {*Arrays(tables[1])} == {*Arrays(tables[0])}
