"""What a column is, and that each row is typed by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.core.errors import TableError
from mlworkflow.rows.cast import cast
from mlworkflow.rows.describe import describe
from mlworkflow.rows.infer import infer
from mlworkflow.rows.possible import impossible
from mlworkflow.rows.schema import Schema, codes
from tests.conftest import make_problem


def test_numbers_written_as_words_are_numbers(table, problem):
    kinds = {column.name: column.kind for column in infer(table, problem).columns}
    assert kinds == {"customer": "category", "age": "number", "plan": "category", "left": "category"}


def test_key_and_target_are_not_seen_by_a_model(table, problem):
    assert infer(table, problem).names == ["age", "plan"]


def test_the_positive_class_has_code_one_wherever_it_stands_in_the_alphabet(table):
    for positive, order in (("yes", ["no", "yes"]), ("no", ["yes", "no"])):
        assert infer(table, make_problem(data={"positive": positive})).classes == order


def test_numeric_classes_are_in_the_order_of_numbers():
    rows = pd.DataFrame({"x": range(12), "digit": [2, 10, 1] * 4})
    made = make_problem(task="multiclass", data={"target": "digit", "positive": None, "key": []})
    assert infer(rows, made).classes == ["1", "2", "10"]


def test_blanks_are_missing_and_words_are_trimmed(table, problem):
    typed = cast(table, infer(table, problem))
    assert np.isnan(typed["age"][5])
    assert typed["plan"][1] == "gold"
    assert typed["plan"].isna().sum() == (table["plan"] == "NA").sum()


def test_a_row_is_typed_the_same_alone_as_among_others(table, problem):
    schema = infer(table, problem)
    whole = cast(table, schema)
    alone = pd.concat([cast(table.iloc[[row]], schema) for row in range(len(table))])
    pd.testing.assert_frame_equal(whole, alone)


def test_one_and_one_point_zero_are_one_category():
    schema = Schema.from_dict(
        {
            "task": "binary",
            "target": None,
            "classes": [],
            "columns": [{"name": "a", "kind": "category", "role": "input"}],
        }
    )
    typed = [cast(pd.DataFrame({"a": values}), schema)["a"][0] for values in ([1], [1.0, np.nan], ["1 "])]
    assert typed == ["1", "1", "1"]


def test_every_unreadable_value_and_missing_column_is_told_at_once(table, problem):
    schema = infer(table, problem)
    bad = table.drop(columns="plan").rename(columns={"customer": "costumer"})
    bad.loc[3, "age"] = "old"
    with pytest.raises(TableError) as told:
        cast(bad, schema)
    assert "'age', row 4: 'old' is no number" in str(told.value)
    assert "the column 'plan' is missing" in str(told.value)
    assert "'customer' is missing, did you mean 'costumer'?" in str(told.value)


def test_a_schema_survives_being_stored(table, problem):
    schema = describe(infer(table, problem), cast(table, infer(table, problem)))
    assert Schema.from_dict(schema.to_dict()) == schema


def test_a_word_that_is_no_class_has_the_code_minus_one():
    assert codes(pd.Series(["b", "a", "c"]), ["a", "b"]).tolist() == [1, 0, -1]


def test_numbers_that_no_tree_can_hold_are_impossible():
    values = pd.Series([1e300, -np.inf, 3e38, np.nan, -1.0])
    assert impossible(values, (None, None)).tolist() == [True, True, False, False, False]
