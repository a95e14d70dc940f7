"""A row's side of the split depends on the row alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.core.errors import TableError
from mlworkflow.core.problem import Data, Split
from mlworkflow.rows.split import fingerprints, folds, is_test, row_ids, unit_hash


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


def test_folds_by_time_do_not_part_the_rows_of_one_time():
    table = rows(120).assign(day=pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(120) // 17, unit="D"))
    parts = folds(table, None, Data(time="day"), Split(scheme="time", folds=3), "regression", 0)
    assert len(parts) == 3
    for fit, check in parts:
        assert table["day"].iloc[fit].max() < table["day"].iloc[check].min()


def test_fewer_points_in_time_than_folds_are_told():
    table = rows(100).assign(day=pd.Timestamp("2020-01-01"))
    with pytest.raises(TableError, match="1 points in time for 5 folds"):
        folds(table, None, Data(time="day"), Split(scheme="time"), "regression", 0)


@pytest.mark.parametrize("key", [["id"], []], ids=["key", "content"])
def test_folds_keep_rows_of_one_key_and_rows_of_one_content_together(key):
    table = rows(100)
    table = pd.concat([table, table.assign(y=1 - table["y"])], ignore_index=True)
    data = Data(target="y", key=key)
    for fit, check in folds(table, table["y"].to_numpy(), data, Split(), "binary", 0):
        assert set(table["id"].iloc[fit]).isdisjoint(table["id"].iloc[check])


def test_folds_keep_the_parts_of_a_predefined_split_together():
    table = rows(100).assign(part=[f"site{number % 7}" for number in range(100)])
    split = Split(scheme="column", column="part")
    for fit, check in folds(table, None, Data(target="y"), split, "regression", 0):
        assert set(table["part"].iloc[fit]).isdisjoint(table["part"].iloc[check])


def test_a_predefined_split_of_numbers_is_kept():
    table = rows(40).assign(part=[1.0, 0.0] * 20)
    side = is_test(table, Data(target="y"), Split(scheme="column", column="part", test=1))
    assert (side == (table["part"] == 1)).all()


def test_the_hours_of_other_rows_move_no_row_with_a_date():
    days = pd.DataFrame({"day": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    hours = pd.concat([days, pd.DataFrame({"day": [pd.Timestamp("2020-01-02 03:00")]})])
    assert row_ids(days).tolist() == row_ids(hours)[:2].tolist()


def test_fingerprints_are_equal_for_equal_rows_alone():
    table = rows(5000).assign(gap=np.nan, zero=-0.0)
    twice = pd.concat([table, table.assign(zero=0.0)])
    prints = fingerprints(twice)
    assert (prints[:5000] == prints[5000:]).all()
    assert len(np.unique(prints[:, 0])) == len(np.unique(prints[:, 1])) == 5000
    swapped = fingerprints(pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]}))
    assert (swapped[0] != swapped[1]).all()


def test_every_training_row_is_checked_once():
    table = rows(103)
    parts = folds(table, None, Data(), Split(), "regression", 0)
    assert sorted(np.concatenate([check for _, check in parts])) == list(range(103))


def test_too_few_rows_or_members_of_a_class_are_told_together():
    with pytest.raises(TableError) as told:
        folds(rows(8), np.array([0] * 7 + [1]), Data(target="y"), Split(), "binary", 0)
    assert "8 training rows for 5 folds" in str(told.value)
    assert "a class with 1 training row for 5 folds" in str(told.value)


def test_the_number_of_folds_that_the_rows_do_for_is_told():
    made, data = rows(60), Data(target="y", group="house")
    for count, told in (
        (3, "3 groups of .* 5 folds(?s:.*)or set problem.split.folds to 3 or fewer"),
        (1, "1 group of"),
    ):
        few = made.assign(house=[str(number % count) for number in range(60)])
        with pytest.raises(TableError, match=told):
            folds(few, None, data, Split(), "regression", 0)
    with pytest.raises(TableError, match="so few cannot be cross-validated"):
        folds(made.assign(house="a"), None, data, Split(), "regression", 0)
    with pytest.raises(TableError, match=r"4 points in time for 5 folds(?s:.*)to 3 or fewer"):
        by_time = Split(scheme="time")
        folds(made.assign(day=made["day"].iloc[:4].tolist() * 15), None, Data(time="day"), by_time, "regression", 0)


def test_a_fold_that_is_fitted_without_a_class_is_told():
    table = rows(120).assign(y=lambda made: (np.arange(len(made)) > 50).astype(int))
    data, split = Data(target="y", time="day"), Split(scheme="time", folds=5)
    with pytest.raises(TableError, match="fold 1 of 5 is fitted on rows of 1 of 2 classes"):
        folds(table, table["y"].to_numpy(), data, split, "binary", 0)
