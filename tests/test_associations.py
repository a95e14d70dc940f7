"""Associations: each measure is that of scikit-learn or the textbook on numbers that can be checked by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mlworkflow.exploring.associations import correlations, nearest_classes, stability_index, strength
from mlworkflow.rows.schema import Column, Schema

DRAW = np.random.default_rng(0)
NUMBERS = pd.Series(DRAW.normal(size=300))
BINARY = (NUMBERS + DRAW.normal(size=300) > 0).astype(int).to_numpy()


def told(values, kind, target, *classes):
    return strength(values, Column("x", kind, "input"), target, Schema("any", "y", list(classes), []))


def test_a_number_against_two_classes_is_the_area_whichever_way_it_points():
    area = roc_auc_score(BINARY, NUMBERS)
    for values in (NUMBERS, -NUMBERS):
        found = told(values, "number", BINARY, "a", "b")
        assert (found.measure, found.value, found.share) == ("AUC", pytest.approx(area), pytest.approx(2 * area - 1))


def test_a_number_against_a_number_is_the_rank_correlation():
    found = told(NUMBERS, "number", -np.exp(NUMBERS.to_numpy()))
    assert (found.measure, found.value, found.share) == ("rank correlation", pytest.approx(-1), pytest.approx(1))


def test_words_that_decide_tell_all_and_names_of_one_row_nothing():
    found = told(pd.Series(BINARY).astype(str), "category", BINARY, "a", "b")
    assert (found.measure, found.value, found.share) == ("AUC", 1, 1)
    assert told(pd.Series(range(300)).astype(str), "category", BINARY, "a", "b").share == 0


def test_words_tell_of_a_rare_class_without_making_it_likely():
    rare = np.where(np.arange(3000) % 10 == 0, 1, 0)
    words = pd.Series(np.where((np.arange(3000) % 20 == 0) | (np.arange(3000) % 10 == 5), "risky", "safe"))
    assert 0.6 < told(words, "category", rare, "a", "b").value < 0.9


def test_what_holds_one_value_or_too_few_is_not_measured():
    assert told(NUMBERS * 0, "number", BINARY, "a", "b") is None
    assert told(NUMBERS[:9], "number", BINARY[:9], "a", "b") is None


def test_the_nearest_classes_are_those_told_apart_least():
    code = np.repeat([0, 1, 2], 100)
    values = pd.Series(np.concatenate([NUMBERS[:100], NUMBERS[:100], NUMBERS[:100] + 99]))
    assert nearest_classes(values, code) == pytest.approx(0.5)


def test_columns_that_hold_the_same_are_correlated():
    table = pd.DataFrame({"x": NUMBERS, "y": -2 * NUMBERS})
    assert correlations(table)[0, 1] == pytest.approx(-1)


@pytest.mark.parametrize("words", [True, False])
def test_the_stability_index_is_high_where_values_moved_and_chance_is_taken_off(words):
    whole = NUMBERS.round()
    assert stability_index(whole[:150], whole[150:], words=words) < 0.1
    assert stability_index(whole[:150], whole[150:] + 3, words=words) > 1
