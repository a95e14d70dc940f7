"""Words are read as numbers, dates and categories, each by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.core.errors import ConfError
from mlworkflow.rows.cast import cast
from mlworkflow.rows.infer import infer
from mlworkflow.rows.reading import dates, numbers, spelt, words
from mlworkflow.rows.schema import Schema
from tests.conftest import make_problem


def series(*values: object) -> pd.Series:
    return pd.Series(values, dtype="str")


def kind(*values: object, **data: object) -> str:
    table = pd.DataFrame({"x": pd.Series(values), "left": ["yes"] * len(values)})
    return next(column.kind for column in infer(table, make_problem(data={"key": [], **data})).columns)


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("1e3", 1000),
        ("1,234.5", 1234.5),
        ("1'234", 1234),
        ("1 234 567", 1234567),
        ("1\u202f234", 1234),
        ("$1,234", 1234),
        ("-$5", -5),
        ("5 €", 5),
        ("12%", 12),
    ],
)
def test_a_number_may_have_separators_and_a_sign(word, number):
    assert numbers(series(word))[0] == number
    assert numbers(series(word, "old"))[0] == number  # the other rows change nothing


@pytest.mark.parametrize("word", ["1,23", "1,2345", "one", "1.2.3", "$", "1 2", "--1", "0x10"])
def test_what_is_no_number_is_none(word):
    assert np.isnan(numbers(series(word))[0])


@pytest.mark.parametrize(
    ("word", "number"), [("1.234,5", 1234.5), ("1,5", 1.5), ("1.5", 1.5), ("1.234.567", 1234567), ("-0,25", -0.25)]
)
def test_a_decimal_comma_is_read_where_it_is_told(word, number):
    assert numbers(series(word, "7"), comma=True)[0] == number


@pytest.mark.parametrize("values", [("1,234", "999"), ("$1", "$2.50"), ("5%", "100%"), ("1", "2")])
def test_a_column_written_in_one_manner_is_a_number(values):
    assert kind(*values) == "number"


@pytest.mark.parametrize("values", [("1,234", "1234"), ("$1", "2"), ("$1", "€1"), ("5%", "0.05"), ("1,5", "1.5")])
def test_a_column_written_in_two_manners_is_no_number(values):
    assert kind(*values) == "category"


def test_two_manners_are_found_in_whatever_order_they_come():
    assert kind("1234", *["1"] * 200, "1,234") == kind("1,234", *["1"] * 200, "1234") == "category"


def test_what_conf_says_of_a_column_goes_before_its_values():
    assert kind("1", "2", kinds={"x": "category"}) == "category"
    assert kind("1,5", "1.5", commas=["x"]) == "number"
    assert kind("31/12/2024", dates={"x": "%d/%m/%Y"}) == "time"


def test_integers_stay_numbers():
    assert kind(1, 2, 1) == "number"


def test_long_free_text_is_text_and_few_phrases_are_categories():
    notes = [f"Customer {number} asked for a refund of the last bill" for number in range(40)]
    assert kind(*notes) == "text"
    assert kind(*notes[:3] * 20) == "category"
    assert kind(*[f"name{number}" for number in range(40)]) == "category"


def test_dates_before_1900_and_far_ahead_are_dates():
    assert kind("1850-02-28", "0001-01-01", "9999-12-31") == "time"
    assert dates(series("31/12/1849"), "%d/%m/%Y")[0] == pd.Timestamp("1849-12-31")


def test_dates_of_a_zone_are_in_utc():
    assert dates(series("2024-01-01T00:30+01:00", "2024-01-01T00:30"))[0] == pd.Timestamp("2023-12-31 23:30")


def test_a_way_to_write_dates_that_is_none_is_a_mistake_in_conf():
    with pytest.raises(ConfError, match=r"data\.dates: '%Q' is no way to write a date"):
        dates(series("2024"), "%Q")


def test_variants_are_one_word_without_regard_to_case_and_spaces():
    found = spelt(series("GLD", " gold  card", "Gold Card", "tin", None), {"gld": "gold card"})
    assert found.tolist()[:4] == ["gold card"] * 3 + ["tin"]
    assert found.isna().tolist() == [False] * 4 + [True]


def test_serving_spells_as_training_does(table):
    made = make_problem(prepare={"spelling": {"plan": {"au": "gold"}}})
    schema = Schema.from_dict(infer(table, made).to_dict())
    assert cast(table.head(1).assign(plan=" AU"), schema)["plan"][0] == "gold"


@pytest.mark.parametrize("values", [[1, 2], [1.0, 2.0], ["1", "2 "], [1, "2"]], ids=["int", "float", "words", "mixed"])
def test_a_category_is_the_same_word_whatever_its_dtype(values):
    assert words(pd.Series(values)).tolist() == ["1", "2"]


def test_long_whole_numbers_stay_apart_as_keys():
    keys = [9007199254740992, 9007199254740993]
    table = pd.DataFrame({"customer": keys, "left": ["yes", "no"]})
    assert cast(table, infer(table, make_problem()))["customer"].tolist() == [str(key) for key in keys]
