"""What threshold.py promises: the threshold worth most on the rows given, the middle of its plateau, and why."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlworkflow.core.problem import Value
from mlworkflow.learning.threshold import Threshold, choose
from mlworkflow.measures import worth
from mlworkflow.measures.metrics import Scored

CLASSES = ["no", "yes"]


def rows(truth: list[int], probability: list[float]) -> Scored:
    p = np.array(probability, dtype=float)
    return Scored(np.array(truth), (p >= 0.5).astype(int), np.column_stack([1 - p, p]))


def costs(missed: float, false_alarm: float) -> Value:
    return Value(unit="euro", outcomes={"yes": {"no": -missed}, "no": {"yes": -false_alarm}})


def won(threshold: Threshold, scored: Scored, value: Value) -> float:
    assert scored.probabilities is not None
    return worth.total(Scored(scored.truth, threshold.labels(scored.probabilities)), value, CLASSES)


def test_without_values_the_threshold_is_a_half() -> None:
    scored = rows([0, 1], [0.4, 0.45])
    for value in (None, Value(unit="euro")):
        found = choose(scored, value, CLASSES)
        assert found.threshold == 0.5
        assert "no values" in found.words


def test_the_threshold_is_the_middle_of_the_best_plateau() -> None:
    assert choose(rows([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]), costs(1, 1), CLASSES).threshold == pytest.approx(0.4)


def test_of_two_plateaus_worth_the_same_the_wider_is_taken() -> None:
    scored = rows([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9])  # in (0.1, 0.2] and in (0.8, 0.9] one error; in (0.2, 0.8] two
    found = choose(rows([0, 1, 0, 1], [0.1, 0.5, 0.8, 0.9]), costs(1, 1), CLASSES)
    assert found.threshold == pytest.approx(0.3)
    assert won(choose(scored, costs(1, 1), CLASSES), scored, costs(1, 1)) == -1


def test_no_threshold_is_worth_more() -> None:
    generator = np.random.default_rng(0)
    for trial in range(30):
        n = int(generator.integers(1, 60))
        scored = rows(generator.integers(0, 2, n).tolist(), np.round(generator.random(n), int(trial % 3)).tolist())
        value = Value(
            unit="euro",
            outcomes={a: {b: float(generator.normal()) for b in CLASSES} for a in CLASSES},
        )
        best = won(choose(scored, value, CLASSES), scored, value)
        tried = [won(Threshold(t, ""), scored, value) for t in [*np.linspace(0, 1, 201).tolist(), 1.01]]
        assert best == pytest.approx(max(tried)), trial


def test_a_dear_miss_lowers_the_threshold_to_where_theory_puts_it() -> None:
    p = np.random.default_rng(0).random(200_000)
    truth = (np.random.default_rng(1).random(200_000) < p).astype(int)
    found = choose(Scored(truth, truth, np.column_stack([1 - p, p])), costs(4, 1), CLASSES)
    assert found.threshold == pytest.approx(1 / 5, abs=0.03)  # false alarm / (false alarm + miss), Elkan 2001


def test_it_can_be_best_to_call_nobody_or_everybody_positive_even_at_probabilities_of_zero_and_one() -> None:
    sure = rows([0, 0, 1], [1.0, 1.0, 0.0])
    assert sure.probabilities is not None
    assert choose(sure, costs(0, 5), CLASSES).labels(sure.probabilities).tolist() == [0, 0, 0]
    assert choose(sure, costs(50, 1), CLASSES).labels(sure.probabilities).tolist() == [1, 1, 1]


def test_where_nothing_matters_the_threshold_stays_a_half() -> None:
    assert choose(rows([0, 1], [0.3, 0.6]), costs(0, 0), CLASSES).threshold == 0.5


def test_no_rows_leave_the_threshold_at_a_half() -> None:
    assert choose(rows([], []), costs(1, 5), CLASSES).threshold == 0.5


def test_the_words_name_class_threshold_worth_and_unit() -> None:
    words = choose(rows([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.9]), costs(10, 1), CLASSES).words
    assert words.startswith("yes is predicted from a probability of 0.25 on")
    assert "4 out-of-fold rows, 0 euro (at 0.5: -10 euro)" in words


def test_several_classes_take_the_largest_expected_worth() -> None:
    value = Value(unit="euro", outcomes={"a": {"a": 1}, "b": {"b": 1}, "c": {"c": 1, "a": -100}})
    found = choose(Scored(np.zeros(1, int), np.zeros(1, int)), value, ["a", "b", "c"])
    assert found.threshold is None
    assert found.labels(np.array([[0.6, 0.3, 0.1], [0.9, 0.1, 0.0]])).tolist() == [1, 0]
    assert "expected worth in euro" in found.words


def test_several_classes_without_values_take_the_likeliest() -> None:
    found = choose(Scored(np.zeros(1, int), np.zeros(1, int)), None, ["a", "b", "c"])
    assert found.labels(np.array([[0.2, 0.5, 0.3]])).tolist() == [1]


def test_among_classes_of_equal_worth_the_likeliest_is_taken() -> None:
    found = Threshold(None, "", ((0.0,) * 3,) * 3)
    assert found.labels(np.array([[0.2, 0.5, 0.3]])).tolist() == [1]


def test_a_threshold_survives_its_file() -> None:
    value = Value(unit="euro", outcomes={"a": {"b": -1.5}})
    for found in (
        choose(rows([0, 1], [0.2, 0.9]), costs(1, 1), CLASSES),
        choose(rows([0, 1], [0.2, 0.9]), value, ["a", "b", "c"]),
        choose(rows([0, 1], [0.2, 0.9]), None, ["a", "b", "c"]),
    ):
        assert Threshold.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert Threshold.from_dict({"threshold": 0.3, "words": "w"}) == Threshold(0.3, "w")
