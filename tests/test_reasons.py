"""Reasons: what each value contributes, exactly so where the model is a straight line."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from mlworkflow.core import paths
from mlworkflow.learning.threshold import Threshold
from mlworkflow.runtime import load
from mlworkflow.runtime.reasons import reasons
from tests.test_bundle import customers, make, question


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with contextlib.chdir(tmp_path_factory.mktemp("reasons")):
        make(question("regression"), customers())
        return load(paths.BUNDLE)


def columns(model, *rows):
    return model.fields.read([{**dict.fromkeys(model.fields.names), **row} for row in rows])


def linear(model, change):
    """Return the model with another function of age and paid in the place of its own."""
    return replace(model, compute=lambda wide: change(wide["age"], wide["paid"]), features=[])


def test_of_a_straight_line_they_are_its_slopes_times_the_distance_from_the_usual(model):
    line = linear(model, lambda age, paid: 3 * age - paid + 7)
    (found,) = reasons(line, columns(line, {"age": 60, "paid": 40.0, "plan": "gold", "since": "2024-02-01"}))
    usual = {one.name: one.usual for one in line.fields.all}
    effects = {one.field: one.effect for one in found}
    assert effects["age"] == pytest.approx(3 * (60 - usual["age"]))
    assert effects["paid"] == pytest.approx(-(40 - usual["paid"]))
    assert [abs(one.effect) for one in found] == sorted((abs(one.effect) for one in found), reverse=True)


def test_of_an_interaction_of_two_they_add_up_to_the_whole_difference(model):
    product = linear(model, lambda age, paid: age * paid)
    rows = columns(product, {"age": 60, "paid": 40.0}, {"age": 20, "paid": 55.0})
    usual = {one.name: one.usual for one in product.fields.all}
    for row, found in enumerate(reasons(product, rows)):
        whole = rows["age"][row] * rows["paid"][row] - usual["age"] * usual["paid"]
        assert sum(one.effect for one in found) == pytest.approx(whole)


def test_as_many_as_asked_for_and_the_same_for_a_row_alone_and_among_others(model):
    rows = [{"age": age, "paid": 50.0 + age, "plan": "basic"} for age in range(20, 30)]
    together = reasons(model, columns(model, *rows), most=2)
    alone = [reasons(model, columns(model, row), most=2)[0] for row in rows]
    assert {len(found) for found in together} == {2}
    assert [one.field for found in together for one in found] == [one.field for found in alone for one in found]
    np.testing.assert_allclose(
        [one.effect for found in together for one in found], [one.effect for found in alone for one in found], rtol=1e-9
    )


def test_a_value_that_is_not_known_is_a_reason_like_another(model):
    found = reasons(model, columns(model, {"age": None, "paid": 50.0}), most=9)[0]
    assert {one.field: one.value for one in found}["age"] is None


def test_a_usual_value_and_one_that_changes_nothing_are_no_reasons(model):
    line = linear(model, lambda age, paid: 3 * age)
    usual = {one.name: one.usual for one in line.fields.all}
    rows = columns(line, usual, {**usual, "paid": usual["paid"] + 1}, {**usual, "age": 20})
    assert [[one.field for one in found] for found in reasons(line, rows)] == [[], [], ["age"]]


def test_no_rows_have_no_reasons(model):
    assert reasons(model, columns(model)) == []


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.95])
def test_they_speak_of_the_class_that_is_decided_not_of_the_likelier_one(model, threshold):
    def said(age, paid):
        positive = 1 / (1 + np.exp(-(age - 50) / 20))
        return np.column_stack([1 - positive, positive])

    two = linear(replace(model, schema=replace(model.schema, task="binary", classes=["no", "yes"])), said)
    two = replace(two, threshold=Threshold(threshold, "a false alarm costs little, or much"))
    rows = columns(two, {"age": 30, "paid": 50.0}, {"age": 69, "paid": 50.0})  # 0.27 and 0.72: decided by the threshold
    usual = {one.name: one.usual for one in two.fields.all}["age"]
    for age, decided, found in zip(rows["age"], two.score(rows).predictions, reasons(two, rows, most=1), strict=True):
        towards = 1 if decided == "yes" else -1
        assert found[0].field == "age"
        assert found[0].effect == pytest.approx(towards * (age - usual) / 20)
