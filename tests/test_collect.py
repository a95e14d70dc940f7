"""A table that cannot carry the problem stops at collect, with every reason at once."""

from __future__ import annotations

import pandas as pd
import pytest

from mlworkflow.core.errors import ConfError, TableError, UnreadableError
from mlworkflow.sources import TARGETS, bundled
from mlworkflow.stages.collect import collect, mistakes
from tests.conftest import make_problem


@pytest.mark.parametrize("name", TARGETS)
def test_a_bundled_table_has_its_target_under_its_own_name(name):
    table = bundled(name)
    assert TARGETS[name] in table
    assert len(table) >= 150


def test_an_unknown_bundled_table_is_refused_with_the_nearest():
    with pytest.raises(TableError, match=r"did you mean 'wine'"):
        bundled("wines")


def test_a_good_table_is_taken_as_it_is(table, problem, tmp_path):
    table.to_csv(tmp_path / "customers.csv", index=False)
    found = collect(make_problem(source={"path": str(tmp_path / "customers.csv")}))
    pd.testing.assert_frame_equal(found, table)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b"\x80\x00a,b\n1,2\n", "line 1, byte 2"),
        (b"a,b\n1,2\n1,2,3,4\n", "row 2 has 4 values"),
    ],
    ids=["missing", "empty", "binary", "ragged"],
)
def test_a_file_that_is_no_table_is_named_with_the_reason(tmp_path, content, words):
    path = tmp_path / "customers.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableError, match=words) as told:
        collect(make_problem(source={"path": str(path)}))
    assert str(path) in str(told.value)


def test_a_source_that_cannot_be_built_is_a_mistake_in_conf(problem):
    with pytest.raises(ConfError, match=r"problem\.source"):
        collect(make_problem(source={"_target_": "mlworkflow.sources.sql"}))


def test_every_reason_is_told_at_once(table, problem):
    made = make_problem(
        data={"target": "lefft", "hidden": ["plam"], "group": "house"},
        prepare={"spelling": {"agge": {"a": "b"}}, "outliers": {"aage": "clip"}},
        constraints={"slices": [{"column": "town", "value": "Bern", "smallest_share": 0.1}]},
    )
    found = "; ".join(mistakes(table.head(3), made))
    assert "the column 'agge' is not there, did you mean 'age'?" in found
    assert "the column 'aage' is not there, did you mean 'age'?" in found
    assert "the column 'town' is not there" in found
    assert "the column 'lefft' is not there, did you mean 'left'?" in found
    assert "the column 'plam' is not there, did you mean 'plan'?" in found
    assert "the column 'house' is not there" in found
    assert "it has 3 rows, too few for 2 folds" in found


def test_a_target_of_one_class_is_refused(table, problem):
    assert mistakes(table.assign(left="no"), problem) == [
        "the target 'left' must have two classes or more, but has only 'no'"
    ]


def test_a_target_that_is_missing_everywhere_is_refused(table, problem):
    assert mistakes(table.assign(left="NA"), problem) == ["the target 'left' is missing in every row"]


def test_three_classes_are_no_binary_task(table, problem):
    table.loc[3, "left"] = "perhaps"
    assert "must have two classes in a binary task, but has 3" in mistakes(table, problem)[0]


def test_a_positive_class_that_does_not_occur_is_refused_with_the_nearest(table):
    found = mistakes(table, make_problem(data={"positive": "yess"}))
    assert found == ["the positive class 'yess' is not in 'left', did you mean 'yes'?"]


def test_a_class_with_fewer_rows_than_folds_is_refused(table, problem):
    table["left"] = ["yes"] + ["no"] * 40
    assert mistakes(table, problem) == ["the class 'yes' has 1 rows, too few for 2 folds"]


def test_words_are_no_target_of_a_regression(table):
    made = make_problem(task="regression", data={"positive": None}, metrics={"primary": "rmse", "also": []})
    assert mistakes(table, made) == ["the target 'left' must be a number, but row 1 has 'yes'"]


def test_a_table_whose_columns_are_all_hidden_leaves_nothing_to_see(table):
    made = make_problem(data={"hidden": ["age", "plan"]})
    assert mistakes(table, made) == ["no column is left for a model to see"]


def test_a_column_name_that_is_there_twice_is_refused(table, problem):
    twice = pd.concat([table, table[["age"]]], axis=1)
    assert mistakes(twice, problem) == ["the column 'age' is there twice"]
