"""A row's side of the split depends on the row alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.errors import TableError
from mlworkflow.problem import Data, Split
from mlworkflow.split import folds, is_test, row_ids, unit_hash


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"r{number}" for number in range(count)],
            "house": rng.integers(0, count // 4, count).astype(str),
            "x": rng.normal(size=count),
            "day": pd.date_range("2020-01-01", periods=count, freq="D"),
            "y": rng.integers(0, 2, count),
        }
    )


IDENTITIES = [Data(target="y", key=["id"]), Data(target="y", group="house"), Data(target="y")]


@pytest.mark.parametrize("data", IDENTITIES, ids=["key", "group", "content"])
def test_rows_added_later_move_no_old_row(data):
    many = rows(2000)
    few = is_test(many[:900], data, Split())
    assert (is_test(many, data, Split())[:900] == few).all()


@pytest.mark.parametrize("data", IDENTITIES, ids=["key", "group", "content"])
def test_the_order_of_rows_moves_none(data):
    table = rows(500)
    side = pd.Series(is_test(table, data, Split()), index=table.index)
    shuffled = table.sample(frac=1, random_state=1)
    assert (is_test(shuffled, data, Split()) == side[shuffled.index]).all()


def test_about_the_asked_share_are_test_rows():
    share = is_test(rows(20_000), Data(target="y", key=["id"]), Split(test_fraction=0.2)).mean()
    assert share == pytest.approx(0.2, abs=0.01)


def test_a_group_is_on_one_side():
    table = rows(800)
    side = is_test(table, Data(target="y", group="house"), Split())
    assert pd.Series(side).groupby(table["house"]).nunique().max() == 1


def test_equal_rows_are_on_one_side_even_with_another_target():
    table = rows(300).drop(columns="id")
    twin = table.assign(y=1 - table["y"])
    data = Data(target="y")
    assert (is_test(table, data, Split()) == is_test(twin, data, Split())).all()


def test_the_dtype_of_a_column_moves_no_row():
    whole = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    same = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": pd.Series(["x", "y", "z"], dtype="object")})
    assert (unit_hash(whole) == unit_hash(same)).all()


def test_ids_are_the_same_on_every_machine():
    """Recorded once: another value would move every row of every table."""
    assert row_ids(pd.DataFrame({"a": [1.5, -0.0], "b": ["x", "é"]})).tolist() == RECORDED


RECORDED = [516479203598911716, 11236346796150614146]


def test_a_split_by_time_tests_on_what_comes_after():
    table = rows(400).sample(frac=1, random_state=3)
    side = is_test(table, Data(target="y", time="day"), Split(scheme="time"))
    assert table["day"][~side].max() < table["day"][side].min()
    assert side.mean() == pytest.approx(0.25, abs=0.01)


def test_a_predefined_split_is_kept():
    table = rows(40).assign(part=["train", "holdout"] * 20)
    side = is_test(table, Data(target="y"), Split(scheme="column", column="part", test="holdout"))
    assert (side == (table["part"] == "holdout")).all()


def test_folds_by_time_are_checked_on_what_comes_after():
    table = rows(100)
    for fit, check in folds(table, None, Data(time="day"), Split(scheme="time"), "regression", 0):
        assert table["day"].iloc[fit].max() < table["day"].iloc[check].min()


def test_folds_keep_groups_together_and_classes_even():
    table = rows(400)
    target = table["y"].to_numpy()
    for fit, check in folds(table, target, Data(target="y", group="house"), Split(), "binary", 0):
        assert set(table["house"].iloc[fit]).isdisjoint(table["house"].iloc[check])
        assert target[check].mean() == pytest.approx(target.mean(), abs=0.15)


def test_every_training_row_is_checked_once():
    table = rows(103)
    parts = folds(table, None, Data(), Split(), "regression", 0)
    assert sorted(np.concatenate([check for _, check in parts])) == list(range(103))


def test_too_few_rows_or_members_of_a_class_are_told_together():
    with pytest.raises(TableError) as told:
        folds(rows(8), np.array([0] * 7 + [1]), Data(target="y"), Split(), "binary", 0)
    assert "8 training rows for 5 folds" in str(told.value)
    assert "a class with 1 training rows for 5 folds" in str(told.value)
