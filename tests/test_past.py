"""Columns that look back: what they hold, and that nothing of a row's own time or later is in them."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlworkflow.rows.past import Lag, Rolling, columns, history, look_back

ROWS = pd.DataFrame(
    {
        "shop": ["a", "a", "b", "a", "a", None],
        "day": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"]),
        "sold": [1.0, 3.0, 9.0, 5.0, np.nan, 7.0],
    }
)
EACH = [
    Lag("sold"),
    Lag("sold", 2, by="shop"),
    *[Rolling("sold", 2, name, by="shop") for name in ("mean", "sum", "min", "max", "std", "count")],
    Rolling("sold", 3),
]


def test_a_lag_is_the_mean_of_the_point_of_time_before_of_the_same_key():
    found = look_back(ROWS, [Lag("sold", by="shop"), Lag("sold", 2, by="shop"), Lag("sold")], "day")
    assert list(found) == ["sold 1 back of shop", "sold 2 back of shop", "sold 1 back"]
    np.testing.assert_equal(found["sold 1 back of shop"].to_numpy(), [np.nan, 1, np.nan, 1, 4, np.nan])
    np.testing.assert_equal(found["sold 2 back of shop"].to_numpy(), [np.nan, np.nan, np.nan, np.nan, 1, np.nan])
    np.testing.assert_equal(found["sold 1 back"].to_numpy(), [np.nan, 5, np.nan, 5, 4, np.nan])


def test_each_statistic_is_that_of_the_points_in_the_window():
    later = pd.DataFrame({"shop": "a", "day": pd.to_datetime(["2024-02-01"]), "sold": [0.0]})
    rows = pd.concat([ROWS.assign(sold=[1.0, 3.0, 9.0, 5.0, 8.0, 7.0]), later], ignore_index=True)
    statistics = ("mean", "sum", "min", "max", "std", "count")
    found = look_back(rows, [Rolling("sold", 3, name, by="shop") for name in statistics], "day").iloc[-1]
    window = np.array([1.0, 4.0, 8.0])
    wanted = [window.mean(), window.sum(), 1.0, 8.0, window.std(), 3.0]
    np.testing.assert_allclose(found.to_numpy(), wanted, rtol=1e-15)


def test_missing_values_of_a_window_are_skipped_and_an_empty_one_is_missing():
    found = look_back(ROWS, [Rolling("sold", 2), Rolling("sold", 2, "count"), Rolling("sold", 2, "std")], "day")
    assert found["mean of the last 2 sold"].iloc[5] == 4.0  # the row before has no value, the point before it 3 and 5
    assert found["count of the last 2 sold"].tolist()[0] == 0
    assert found.iloc[0, [0, 2]].isna().all()


TABLES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.one_of(st.none(), st.integers(0, 6)),
        st.one_of(st.none(), st.floats(-1e6, 1e6)),
    ),
    min_size=1,
    max_size=25,
)


def table_of(rows):
    shop, day, sold = (list(column) for column in zip(*rows, strict=True))
    days = [None if one is None else pd.Timestamp("2024-01-01") + pd.Timedelta(days=one) for one in day]
    values = [np.nan if one is None else one for one in sold]
    return pd.DataFrame(
        {"shop": pd.Series(shop, dtype="str"), "day": pd.Series(days, dtype="datetime64[us]"), "sold": values}
    )


@settings(max_examples=60, deadline=None)
@given(TABLES, st.integers(0, 6), st.floats(-1e6, 1e6))
def test_no_value_of_a_row_or_later_is_in_its_columns(rows, day, planted):
    """A value is planted in every row from `day` on: what the rows up to `day` see stays the same, to the bit."""
    table = table_of(rows)
    later = table["day"] >= pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)
    changed = table.assign(sold=table["sold"].mask(later, planted))
    unseeing = ~(table["day"] > pd.Timestamp("2024-01-01") + pd.Timedelta(days=day))
    before, after = look_back(table, EACH, "day"), look_back(changed, EACH, "day")
    pd.testing.assert_frame_equal(before[unseeing], after[unseeing], check_exact=True)


@settings(max_examples=60, deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_bit(rows, random):
    table = table_of(rows)
    order = list(range(len(table)))
    random.shuffle(order)
    found = look_back(table.iloc[order], EACH, "day").sort_index()
    pd.testing.assert_frame_equal(found, look_back(table, EACH, "day"), check_exact=True)


def test_the_mean_of_a_time_is_the_same_in_any_order_of_its_rows():
    days = pd.to_datetime(["2024-01-01"] * 4 + ["2024-01-02"])
    for values in itertools.permutations([0.1, 0.2, 0.3, 0.7]):
        table = pd.DataFrame({"day": days, "sold": [*values, 0.0]})
        assert look_back(table, [Lag("sold")], "day").iloc[4, 0] == (0.1 + 0.2 + 0.3 + 0.7) / 4


@settings(max_examples=60, deadline=None)
@given(TABLES, st.integers(1, 6))
def test_the_history_stands_for_all_rows_before(rows, day):
    """Rows after a point of time see the same through the history as together with the rows before it."""
    table = table_of(rows)
    before = table["day"] < pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)
    kept = history(table[before], EACH, "day")
    alone = look_back(table[~before], EACH, "day", kept)
    pd.testing.assert_frame_equal(alone, look_back(table, EACH, "day")[~before], check_exact=True)


def test_the_history_has_the_last_points_of_each_key_and_no_key_in_words():
    kept = history(ROWS, [Lag("sold", 1, by="shop"), Rolling("sold", 2, by="shop")], "day")
    assert list(kept) == ["by", "column", "key", "time", "value"]
    assert kept.groupby("key").size().tolist() in ([1, 2], [2, 1])
    assert "a" not in kept.astype(str).to_numpy()


def test_a_key_is_the_same_whether_read_as_numbers_or_not():
    numbers = ROWS.assign(shop=[1, 1, 2, 1, 1, 3])
    features = [Lag("sold", by="shop")]
    alone = look_back(numbers[4:], features, "day", history(numbers[:4].astype({"shop": "float64"}), features, "day"))
    assert alone.iloc[0, 0] == 4.0


def test_without_rows_there_are_columns_without_rows():
    assert look_back(ROWS[:0], EACH, "day").shape == (0, len(EACH))
    assert len(history(ROWS[:0], EACH, "day")) == 0


def test_the_columns_that_are_read_are_named():
    assert columns(EACH, "day") == ["day", "sold", "shop"]
    assert columns([], "day") == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Lag("sold", 0), "steps must be a whole number from 1, but is 0"),
        (lambda: Rolling("sold", 0), "window must be"),
        (lambda: Rolling("sold", 2, "median"), "statistic must be one of mean, sum"),
    ],
)
def test_a_lag_of_nothing_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_a_million_rows_take_seconds():
    rng = np.random.default_rng(0)
    rows = 1_000_000
    table = pd.DataFrame(
        {
            "shop": rng.integers(0, 20_000, rows).astype("float64"),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10_000, rows), unit="h"),
            "sold": rng.normal(size=rows),
        }
    )
    started = time.process_time()
    look_back(table, [Lag("sold", 1, by="shop"), Lag("sold", 7, by="shop"), Rolling("sold", 7, by="shop")], "day")
    assert time.process_time() - started < 15
