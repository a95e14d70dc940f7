"""What worth.py promises: each row's worth in the problem's unit, and a paired comparison of the totals."""

from __future__ import annotations

import numpy as np
import pytest

from mlworkflow.core.problem import Value
from mlworkflow.measures.metrics import Scored
from mlworkflow.measures.worth import against, outcome_table, per_row, total

VALUE = Value(unit="euro", outcomes={"no": {"yes": -2}, "yes": {"no": -10, "yes": 30}})
CLASSES = ["no", "yes"]
PRICES = Value(unit="euro", over=-1, under=-4)


def test_cells_that_are_not_given_are_worth_nothing() -> None:
    assert outcome_table(VALUE, CLASSES).tolist() == [[0, -2], [-10, 30]]


def test_labels_are_matched_to_classes_as_they_are_written() -> None:
    value = Value(unit="euro", outcomes={1: {"0": -5}})
    assert outcome_table(value, ["0", "1"]).tolist() == [[0, 0], [-5, 0]]
    assert outcome_table(Value(unit="euro", outcomes={True: {False: -1}}), [False, True]).tolist() == [[0, 0], [-1, 0]]


def test_each_row_is_worth_its_cell() -> None:
    scored = Scored(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert per_row(scored, VALUE, CLASSES).tolist() == [0, -2, -10, 30]
    assert total(scored, VALUE, CLASSES) == 18


def test_too_high_and_too_low_have_their_own_price() -> None:
    scored = Scored(np.array([10.0, 10.0, 10.0]), np.array([13.0, 8.0, 10.0]))
    assert per_row(scored, PRICES, []).tolist() == [-3, -8, 0]
    assert per_row(scored, Value(unit="euro", over=-1), []).tolist() == [-3, 0, 0]


def labels(seed: int, right: float, n: int = 300) -> Scored:
    truth = np.random.default_rng(0).integers(0, 2, n)
    hit = np.random.default_rng([1, seed]).random(n) < right
    return Scored(truth, np.where(hit, truth, 1 - truth))


def test_a_better_model_wins_money_beyond_its_noise() -> None:
    found = against(labels(1, 0.9), labels(2, 0.6), VALUE, CLASSES, seed=0)
    assert found.value == total(labels(1, 0.9), VALUE, CLASSES) - total(labels(2, 0.6), VALUE, CLASSES)
    assert 0 < found.low < found.value < found.high


def test_the_same_model_wins_nothing() -> None:
    found = against(labels(1, 0.9), labels(1, 0.9), VALUE, CLASSES, seed=0)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_interval_of_a_sum_is_as_wide_as_its_standard_error_says() -> None:
    one, two = labels(1, 0.8), labels(2, 0.8)
    won = per_row(one, VALUE, CLASSES) - per_row(two, VALUE, CLASSES)
    found = against(one, two, VALUE, CLASSES, seed=0)
    assert found.high - found.low == pytest.approx(2 * 1.96 * won.std() * np.sqrt(len(won)), rel=0.1)


def test_no_rows_are_worth_nothing() -> None:
    none = Scored(np.zeros(0, int), np.zeros(0, int))
    assert total(none, VALUE, CLASSES) == 0
    assert against(none, none, VALUE, CLASSES, seed=0).value == 0
