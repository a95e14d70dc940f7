"""Columns made row by row: what they hold, and that they need no other row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.errors import ConfError
from mlworkflow.features import add_features, build
from mlworkflow.schema import Column, Schema

SCHEMA = Schema(
    "regression",
    None,
    [],
    [
        Column("a", "number", "input"),
        Column("b", "number", "input"),
        Column("when", "time", "time"),
        Column("id", "category", "key"),
    ],
)
ROWS = pd.DataFrame(
    {
        "a": [1.0, 4.0, np.nan],
        "b": [2.0, 0.0, 1.0],
        "when": pd.to_datetime(["2024-02-29 13:05", "2024-03-04 00:00", None]),
    }
)
LINES = [
    {"_target_": "mlworkflow.features.Ratio", "over": "a", "under": "b"},
    {"_target_": "mlworkflow.features.Product", "first": "a", "second": "b"},
    {"_target_": "mlworkflow.features.Log", "column": "a"},
    {"_target_": "mlworkflow.features.Bins", "column": "b", "edges": [1, 2]},
]


def test_each_feature_holds_what_it_says():
    wide = add_features(ROWS, build(LINES, SCHEMA))
    np.testing.assert_equal(wide["a / b"].to_numpy(), [0.5, np.nan, np.nan])
    np.testing.assert_equal(wide["a * b"].to_numpy(), [2.0, 0.0, np.nan])
    np.testing.assert_equal(wide["log a"].to_numpy(), [np.log(2), np.log(5), np.nan])
    np.testing.assert_equal(wide["bin of b"].to_numpy(), [2.0, 0.0, 1.0])


def test_a_date_gets_its_parts_without_being_asked():
    wide = add_features(ROWS, build([], SCHEMA)).filter(like="when_")
    assert wide.iloc[0, :5].tolist() == [2024, 2, 29, 3, 13]
    assert list(wide)[5:] == [f"when_{part}_{name}" for part in ("month", "weekday", "hour") for name in ("sin", "cos")]
    assert wide.iloc[2].isna().all()


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
