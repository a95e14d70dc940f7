"""Columns made row by row: what they hold, and that they need no other row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.core.errors import ConfError
from mlworkflow.featurelines import build
from mlworkflow.features import Cycle, DateParts, Elapsed, add_features
from mlworkflow.rows.schema import Column, Schema
from mlworkflow.stages.featurize import featurize, featurize_test

SCHEMA = Schema(
    "regression",
    None,
    [],
    [
        Column("a", "number", "input"),
        Column("b", "number", "input"),
        Column("when", "time", "time"),
        Column("until", "time", "input", treatment="drop"),
        Column("town", "category", "input"),
        Column("id", "category", "key"),
    ],
)
ROWS = pd.DataFrame(
    {
        "a": [1.0, 4.0, np.nan],
        "b": [2.0, 0.0, 1.0],
        "when": pd.to_datetime(["2024-02-29 13:05", "2024-03-04 00:00", None]),
        "until": pd.to_datetime(["2024-03-01 01:05", "2024-03-03 00:00", "2024-01-01 00:00"]),
    }
)
LINES = [
    {"_target_": "mlworkflow.features.Ratio", "over": "a", "under": "b"},
    {"_target_": "mlworkflow.features.Product", "first": "a", "second": "b"},
    {"_target_": "mlworkflow.features.Log", "column": "a"},
    {"_target_": "mlworkflow.features.Bins", "column": "b", "edges": [1, 2]},
    {"_target_": "mlworkflow.features.Difference", "first": "a", "second": "b"},
    {"_target_": "mlworkflow.features.Elapsed", "column": "until", "after": "when"},
    {"_target_": "mlworkflow.features.Elapsed", "column": "when", "since": "2024-02-28"},
]


def test_each_feature_holds_what_it_says():
    wide = add_features(ROWS, build(LINES, SCHEMA))
    np.testing.assert_equal(wide["a / b"].to_numpy(), [0.5, np.nan, np.nan])
    np.testing.assert_equal(wide["a * b"].to_numpy(), [2.0, 0.0, np.nan])
    np.testing.assert_equal(wide["log a"].to_numpy(), [np.log(2), np.log(5), np.nan])
    np.testing.assert_equal(wide["bin of b"].to_numpy(), [2.0, 0.0, 1.0])
    np.testing.assert_equal(wide["a - b"].to_numpy(), [-1.0, 4.0, np.nan])
    np.testing.assert_equal(wide["days from when to until"].to_numpy(), [0.5, -1.0, np.nan])
    np.testing.assert_equal(wide["days from 2024-02-28 to when"].to_numpy(), [1 + 785 / 1440, 5.0, np.nan])


def test_a_date_gets_its_parts_without_being_asked():
    wide = add_features(ROWS, build([], SCHEMA)).filter(like="when_")
    assert wide.iloc[0, :5].tolist() == [2024, 2, 29, 3, 13]
    assert list(wide)[5:] == [f"when_{part}_{name}" for part in ("month", "weekday", "hour") for name in ("sin", "cos")]
    assert wide.iloc[2].isna().all()


def test_a_cycle_closes_and_midnight_is_beside_the_minute_before():
    rows = pd.DataFrame({"when": pd.to_datetime(["2024-12-31 23:59", "2025-01-01 00:00", "2024-06-30 12:00"])})
    sine, cosine = (add_features(rows, [Cycle("when", ["hour"])])[f"when_hour_{name}"] for name in ("sin", "cos"))
    assert abs(sine[0] - sine[1]) + abs(cosine[0] - cosine[1]) < 0.01
    assert (sine[1], cosine[1], sine[2], cosine[2]) == (0.0, 1.0, 0.0, -1.0)


def test_dates_before_1900_have_parts_and_days():
    rows = pd.DataFrame({"when": pd.to_datetime(["1815-06-18"]).astype("datetime64[us]")})
    wide = add_features(rows, [DateParts("when"), Elapsed("when", since="1815-06-17")])
    assert wide.iloc[0, 1:].tolist() == [1815, 6, 18, 6, 0, 1.0]


def test_a_date_for_which_the_problem_names_parts_has_those_alone():
    lines = [{"_target_": "mlworkflow.features.DateParts", "column": "when", "parts": ["month"]}]
    assert list(add_features(ROWS, build(lines, SCHEMA)).filter(like="when_")) == ["when_month"]


def test_no_column_of_the_table_is_overwritten():
    rows = ROWS.assign(when_month=7.0, **{"a / b": 1.0})
    named = [*SCHEMA.columns, Column("when_month", "number", "input")]
    schema = Schema("regression", None, [], named)
    assert add_features(ROWS.assign(when_month=7.0), build([], schema))["when_month"].tolist() == [7.0] * 3
    with pytest.raises(ConfError, match="'a / b' is the name of a column already"):
        add_features(rows, build(LINES, schema))


def test_a_dropped_date_has_no_parts():
    assert list(add_features(ROWS, build([], SCHEMA)).filter(like="until_")) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"_target_": "Log", "column": "town"}, "'town' is a category, but Log reads a number"),
        ({"_target_": "Cycle", "column": "a"}, "'a' is a number, but Cycle reads a time"),
        ({"_target_": "Elapsed", "column": "when"}, "one of after .a column. and since"),
        ({"_target_": "Elapsed", "column": "when", "since": "yesterday"}, "yesterday"),
        ({"_target_": "DateParts", "column": "when", "parts": ["minute"]}, "parts must be of year, .*minute is not"),
        ({"_target_": "Lag", "column": "a", "by": "twon"}, "'twon' is no column to go by, did you mean 'town'"),
        ({"_target_": "Lag", "column": "a", "steps": 0}, "steps must be a whole number from 1"),
        ({"_target_": "Rolling", "column": "town", "window": 2}, "'town' is a category, but Rolling reads a number"),
    ],
)
def test_a_feature_that_cannot_be_made_says_why(line, said):
    with pytest.raises(ConfError, match=said):
        build([{**line, "_target_": f"mlworkflow.features.{line['_target_']}"}], SCHEMA)


def test_a_lag_needs_a_time_and_classes_have_none():
    lines = [{"_target_": "mlworkflow.features.Lag", "column": "y"}]
    schema = Schema("multiclass", "y", ["a", "b", "c"], [Column("y", "category", "target")])
    with pytest.raises(ConfError, match=r"(?s)classes of 'y' are no numbers.*Lag needs data\.time"):
        build(lines, schema)


def test_a_part_that_never_changes_is_dropped_and_every_other_kept():
    days = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=400), "a": 1.5})
    schema = Schema("regression", None, [], [Column("a", "number", "input"), Column("when", "time", "time")])
    _, wide = featurize(days, schema, build([], schema))
    dropped = {column.name: column.why for column in wide.columns if column.treatment == "drop"}
    assert dropped == {
        f"when_hour{end}": f"{value} in every training row" for end, value in (("", 0), ("_sin", 0), ("_cos", 1))
    }


def test_test_rows_see_the_training_rows_before_them_and_training_rows_no_test_row():
    rows = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=6), "a": np.arange(6.0)})
    schema = Schema("regression", None, [], [Column("a", "number", "input"), Column("when", "time", "time")])
    features = build([{"_target_": "mlworkflow.features.Lag", "column": "a"}], schema)
    train, _ = featurize(rows[:4], schema, features)
    test = featurize_test(rows[4:], rows[:4], schema, features)
    assert [*train["a 1 back"][1:], *test["a 1 back"]] == [0, 1, 2, 3, 4]


def test_a_row_has_the_same_features_alone_as_among_others():
    features = build(LINES, SCHEMA)
    alone = pd.concat([add_features(ROWS.iloc[[row]], features) for row in range(len(ROWS))])
    pd.testing.assert_frame_equal(add_features(ROWS, features), alone)


def test_a_feature_of_an_unknown_or_hidden_column_is_refused_with_the_nearest():
    lines = [
        {"_target_": "mlworkflow.features.Log", "column": "id"},
        {"_target_": "mlworkflow.features.Log", "column": "whem"},
    ]
    with pytest.raises(ConfError, match=r"(?s)'id' is no input.*'whem' is no input, did you mean 'when'\?"):
        build(lines, SCHEMA)


def test_a_feature_that_does_not_exist_or_lacks_an_argument_is_refused():
    lines = [
        {"_target_": "mlworkflow.features.Squareroot", "column": "a"},
        {"_target_": "mlworkflow.features.Ratio", "over": "a"},
    ]
    with pytest.raises(ConfError, match=r"(?s)Squareroot.*Ratio"):
        build(lines, SCHEMA)
