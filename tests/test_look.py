"""What a column seems to be, judging by its values."""

from __future__ import annotations

import pandas as pd
import pytest

from mlworkflow.new.look import evidence, look


def column(*values, name="x"):
    return evidence(pd.Series(list(values), name=name))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["1", "2.5", "-3e2"], "number"),
        (["1,5", "2,25", "3"], "number"),
        (["1.234,5", "17,0"], "number"),
        (["2024-01-31", "2024-02-01 12:30:00"], "time"),
        (["31.01.2024", "01.02.2024"], "time"),
        (["red", "blue"], "category"),
        (["a", "1", "2"], "category"),
        (["", "NA", "?"], "category"),
    ],
)
def test_the_kind_is_read_from_the_words(words, kind):
    assert column(*words).kind == kind


def test_a_decimal_comma_is_noticed_and_a_point_is_none():
    assert column("1,5", "2,25").comma
    assert not column("1.5", "2.25").comma
    assert column("12", "13").comma is False


def test_words_among_numbers_mean_missing():
    told = column("1", "unknown", "3", "-")
    assert (told.kind, sorted(told.unread), told.missing) == ("number", ["-", "unknown"], 2)


def test_a_word_that_could_be_a_category_stays_one_among_words():
    assert column("red", "unknown", "blue").unread == []


def test_dates_that_can_be_read_in_two_ways_are_told():
    told = column("01/02/2024", "03/04/2024")
    assert (told.dates, told.others) == ("%d/%m/%Y", ["%m/%d/%Y"])
    assert column("13/02/2024", "03/04/2024").others == []
    assert column("2024-02-13").dates is None


def test_dates_before_1900_are_dates():
    assert column("1815-06-18", "1789-07-14").kind == "time"


def test_sentences_are_text_and_names_are_not():
    notes = [f"The customer called about bill number {number} and was angry" for number in range(30)]
    assert column(*notes).kind == "text"
    assert column(*[f"name{number}" for number in range(30)]).kind == "category"


def test_spellings_that_differ_in_case_or_spaces_go_to_the_commonest():
    told = column("gold", "Gold", "gold", " GOLD", "basic", "double  room", "double room", "double room")
    assert told.variants == {"Gold": "gold", "GOLD": "gold", "double  room": "double room"}


def test_whole_numbers_and_order_are_noticed():
    assert column("1", "2", "3").whole
    assert column("1", "2", "3").in_order
    assert not column("1.5", "2").whole
    assert not column("3", "2").in_order
    assert column("2024-01-01", "2024-01-01", "2024-01-02").in_order


def test_whole_numbers_too_long_to_stay_apart_are_names():
    for first in (10**17, 10**30, 10**39):
        told = column(*[str(first + number) for number in range(50)])
        assert (told.kind, told.names, told.distinct) == ("category", True, 50)
    assert column(*[2**62 + number for number in range(50)]).names


def test_large_amounts_stay_numbers():
    assert not column(*[str(number * 10**18) for number in range(50)]).names
    assert not column(*[f"{number}.5e20" for number in range(50)]).names
    assert not column(*[float(10**39 * number) for number in range(50)]).names
    assert not column(*map(str, range(50))).names


def test_numbers_that_no_model_computes_with_are_counted():
    assert column("1e39", "1e39", "-1e40", "5").huge == 3
    assert column("1e38", "5").huge == 0


def test_numbers_are_read_alike_whether_words_or_numbers():
    words, numbers = column("1", "2", "2"), column(1, 2, 2)
    assert words == numbers


@pytest.mark.parametrize(
    "name", ["id", "customerID", "customer_id", "user id", "uuid", "row_no", "instant", "orderKey"]
)
def test_names_of_keys_are_known(name):
    assert column("a", "b", name=name).like_a_key


@pytest.mark.parametrize("name", ["paid", "humidity", "monkey", "index_of_prices", "notes", "valid"])
def test_other_names_are_no_keys(name):
    assert not column("a", "b", name=name).like_a_key


def test_truth_values_are_categories():
    assert column(True, False).kind == "category"


def test_every_column_is_looked_at_in_its_order():
    assert [told.name for told in look(pd.DataFrame({"b": ["1"], "a": ["x"]}))] == ["b", "a"]
