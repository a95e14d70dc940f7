"""Nothing is dropped or changed in silence, and nothing is learnt from test rows."""

from __future__ import annotations

import pandas as pd
import pytest

from mlworkflow.errors import TableError
from mlworkflow.prepare import prepare
from tests.conftest import make_problem


def line(prepared, words: str) -> dict:
    found = [row for row in prepared.ledger.to_dict("records") if words in row["rule"]]
    assert len(found) == 1, prepared.ledger
    return found[0]


def test_rows_in_are_rows_out_plus_rows_in_the_ledger(table, problem):
    table.loc[[3, 7], "left"] = ["", "NA"]
    prepared = prepare(table, problem)
    assert len(table) == len(prepared.train) + len(prepared.test) + prepared.ledger["dropped"].sum()


def test_a_row_without_target_is_dropped_and_named(table, problem):
    table.loc[3, "left"] = "NA"
    told = line(prepare(table, problem), "rows without a target")
    assert (told["dropped"], told["examples"]) == (1, "row 4")


def test_an_exact_duplicate_is_dropped_and_named(table, problem):
    told = line(prepare(table, problem), "exact duplicates")
    assert (told["dropped"], told["examples"]) == (1, "row 41")


def test_a_second_row_of_one_key_is_dropped(table, problem):
    table.loc[40, "age"] = "99"
    assert line(prepare(table, problem), "a second row of one customer")["dropped"] == 1


def test_words_for_missing_are_counted(table, problem):
    told = line(prepare(table, problem), "a word for missing in age")
    assert (told["changed"], told["examples"]) == (1, "'?'")


def test_impossible_values_become_missing_and_are_counted(table):
    prepared = prepare(table, make_problem(data={"ranges": {"age": [None, 50]}}))
    told = line(prepared, "impossible values made missing in age")
    assert told["changed"] == 9
    assert max(prepared.train["age"].max(), prepared.test["age"].max()) <= 50


def test_no_customer_is_on_both_sides(table, problem):
    prepared = prepare(table, problem)
    assert set(prepared.train["customer"]).isdisjoint(prepared.test["customer"])


def test_the_schema_describes_training_rows_alone(table, problem):
    prepared = prepare(table, problem)
    age = next(column for column in prepared.schema.columns if column.name == "age")
    assert (age.low, age.high) == (prepared.train["age"].min(), prepared.train["age"].max())
    assert prepared.schema.rows == len(prepared.train)


def test_the_target_is_coded_by_the_classes(table, problem):
    prepared = prepare(table, problem)
    assert prepared.schema.classes == ["no", "yes"]
    assert prepared.train["left"].dtype == "int64"


@pytest.mark.parametrize(
    "target", [[0, 1], [0.0, 1.0], ["0", "1"], [False, True]], ids=["int", "float", "text", "bool"]
)
def test_a_target_of_numbers_is_coded_too(table, target):
    positive = "True" if target == [False, True] and isinstance(target[0], bool) else "1"
    prepared = prepare(table.assign(left=target * 20 + target[:1]), make_problem(data={"positive": positive}))
    assert set(prepared.train["left"]) == set(prepared.test["left"]) == {0, 1}


def test_an_infinite_target_is_no_target(table):
    made = make_problem(
        task="regression", data={"target": "age", "positive": None}, metrics={"primary": "rmse", "also": []}
    )
    table.loc[3, "age"] = "inf"
    prepared = prepare(table, made)
    assert line(prepared, "impossible values made missing in age")["changed"] == 1
    assert line(prepared, "rows without a target")["dropped"] == 2


def test_a_class_without_training_rows_is_named(table, problem):
    table["left"] = ["yes"] + ["no"] * 40
    held_out = table.assign(part=["test"] + ["train"] * 40, customer=[f"k{number}" for number in range(41)])
    with pytest.raises(TableError, match="no training row has the class 'yes'"):
        prepare(held_out, make_problem(split={"scheme": "column", "column": "part"}))


def test_the_raw_table_is_left_as_it_was(table, problem):
    before = table.copy()
    prepare(table, problem)
    pd.testing.assert_frame_equal(table, before)
