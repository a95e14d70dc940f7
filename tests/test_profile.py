"""The reference profile: exact counts, plain JSON, the same whatever the order of the rows."""

import json

import numpy as np
import pandas as pd
import pytest

from mlworkflow.rows.profile import MOST_SHOWN, bin_counts, bin_edges, column_profile, profile
from mlworkflow.rows.schema import Column, Schema
from tests.conftest import make_schema

SCHEMA = make_schema(
    Column("age", "number", "input"),
    Column("town", "category", "input"),
    Column("since", "time", "input"),
    Column("id", "category", "key"),
)


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": np.where(np.arange(1000) % 10, random.normal(40, 10, 1000), np.nan),
            "town": pd.Series(random.choice(["Bern", "Genf", "Zürich"], 1000, p=[0.5, 0.3, 0.2]), dtype="str"),
            "since": pd.Timestamp("2020-01-01"),
            "left": 1,
            "id": [str(number) for number in range(1000)],
        }
    )


def test_only_inputs_that_are_no_dates_are_profiled(rows):
    assert list(profile(rows, SCHEMA)["columns"]) == ["age", "town"]


def test_a_text_is_profiled_by_its_number_of_words_and_none_of_them_is_kept():
    notes = pd.DataFrame({"note": pd.Series(["came late", "thank you very much", "", None] * 5, dtype="str")})
    schema = Schema("regression", None, [], [Column("note", "text", "input")])
    told = profile(notes, schema)["columns"]["note"]
    assert (told["kind"], told["missing"], told["low"], told["high"]) == ("text", 5, 0.0, 4.0)
    assert "late" not in json.dumps(told)


def test_each_bin_of_a_number_holds_a_tenth_and_none_is_outside(rows):
    age = profile(rows, SCHEMA)["columns"]["age"]
    assert age["counts"][0] == age["counts"][-1] == 0
    assert sum(age["counts"]) == 900
    assert age["missing"] == 100
    assert all(abs(count - 90) <= 1 for count in age["counts"][1:-1])


def test_mean_std_low_and_high_are_those_of_the_values():
    told = column_profile(pd.Series([1.0, 2.0, 3.0, None]))
    assert (told["mean"], told["low"], told["high"]) == (2.0, 1.0, 3.0)
    assert told["std"] == pytest.approx((2 / 3) ** 0.5)


def test_the_order_of_the_rows_changes_nothing_but_rounding(rows):
    first, other = profile(rows, SCHEMA), profile(rows.sample(frac=1, random_state=1), SCHEMA)
    for told in (first, other):
        (
            told["columns"]["age"].pop("mean"),
            told["columns"]["age"].pop("std"),
            told["columns"]["age"]["fine"].pop("sums"),
        )
    assert json.dumps(first) == json.dumps(other)


def test_a_profile_is_plain_json(rows):
    told = profile(rows, SCHEMA, predictions=pd.Series([0.1, 0.9]))
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_number_with_few_values_has_a_bin_for_each():
    values = np.array([0.0] * 100 + [1.0, 1.0, 2.0])
    assert bin_counts(values, bin_edges(values)).tolist() == [0, 100, 2, 1, 0]


@pytest.mark.parametrize("values", [[], [None, None]], ids=["no rows", "all missing"])
def test_a_column_without_values_has_a_profile(values):
    assert column_profile(pd.Series(values, dtype="float64"))["counts"] == [0]
    assert column_profile(pd.Series(values, dtype="str"))["distinct"] == 0


def test_many_categories_are_counted_together_and_the_largest_are_named():
    words = pd.Series([f"w{number:03}" for number in range(80) for _ in range(number + 1)], dtype="str")
    told = column_profile(words)
    assert next(iter(told["counts"])) == "w079"
    assert len(told["counts"]) == MOST_SHOWN
    assert sum(told["counts"].values()) + told["other"] == len(words)
    assert told["distinct"] == len(told["known"]) == 80


def test_equally_frequent_categories_are_in_the_order_of_their_names():
    assert list(column_profile(pd.Series(["b", "a", "c", "c"], dtype="str"))["counts"]) == ["c", "a", "b"]


def test_without_predictions_there_is_no_profile_of_them(rows):
    assert profile(rows, SCHEMA)["predictions"] is None
    assert profile(rows, SCHEMA, pd.Series(["a", "b"], dtype="str"))["predictions"]["kind"] == "category"
