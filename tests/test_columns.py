"""What a problem says of a column and that cannot be so is told before anything runs, without the table."""

from __future__ import annotations

import pytest

from mlworkflow.config.columns import column_mistakes
from mlworkflow.config.question import problem_mistakes
from tests.conftest import make_problem

NUMBER = {"task": "regression", "metrics": {"primary": "rmse", "also": []}}
BEHIND = {"data": {"hidden": ["secret"], "time": "day", "kinds": {"age": "number", "plan": "category"}}}


def made(name: str, **arguments: object) -> dict:
    return {"features": [{"_target_": f"mlworkflow.features.{name}", **arguments}]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        # how a column is read
        ({"data": {"kinds": {"left": "number"}}}, "data.kinds: 'left' cannot be a number, since data.target makes it"),
        ({**NUMBER, "data": {"kinds": {"left": "text"}}}, "data.kinds: 'left' cannot be a text, since data.target"),
        (
            {"data": {"time": "day", "kinds": {"day": "number"}}},
            "data.kinds: 'day' cannot be a number, since data.time",
        ),
        ({"data": {"kinds": {"a": "number"}, "dates": {"a": "%d/%m/%Y"}}}, "data.dates: 'a' cannot be a date, since"),
        (
            {"data": {"commas": ["a"], "dates": {"a": "%d/%m/%Y"}}},
            "data.commas: 'a' cannot be a number, since data.dates",
        ),
        ({"data": {"dates": {"a": "dd/mm/yyyy"}}}, "data.dates: 'dd/mm/yyyy' is no way to write the dates of 'a'"),
        ({"data": {"dates": {"a": "%d/%Q"}}}, "data.dates: '%d/%Q' is no way to write the dates of 'a'"),
        ({"data": {"key": ["customer", "customer"]}}, "data.key names 'customer' twice"),
        # numbers
        (
            {"data": {"kinds": {"a": "text"}, "ranges": {"a": [0, 1]}}},
            "data.ranges: 'a' must be a number, but data.kinds",
        ),
        ({"data": {"ranges": {"left": [0, 1]}}}, "data.ranges: 'left' must be a number, but data.target makes it"),
        (
            {"data": {"time": "day"}, "prepare": {"outliers": {"day": "clip"}}},
            "prepare.outliers: 'day' must be a number",
        ),
        (
            {**NUMBER, "prepare": {"outliers": {"left": "clip"}}},
            "prepare.outliers: 'left' is no input, as it is in data",
        ),
        # spelling
        ({"data": {"commas": ["a"]}, "prepare": {"spelling": {"a": {"x": "y"}}}}, "words are spelt, but data.commas"),
        ({"prepare": {"spelling": {"a": {"NA": "none"}}}}, "prepare.spelling.a: 'NA' means missing"),
        ({"prepare": {"spelling": {"a": {"x": "NA"}}}}, "'x' would be the word 'NA'; put it into data.missing"),
        ({"prepare": {"spelling": {"a": {"x ": "y", "X": "z"}}}}, "'x ' and 'X' are one word but for case and spaces"),
        (
            {"prepare": {"spelling": {"a": {"x": "y", "y": "z"}}}},
            "'x' becomes 'y', which becomes 'z'; write 'z' for both",
        ),
        ({"prepare": {"spelling": {"left": {"yes": "ja"}}}}, "no row has the class 'yes', as it becomes 'ja'"),
        # treatments
        ({"treatments": {"left": "drop"}}, "treatments: 'left' is no input, as it is in data.target"),
        ({"treatments": {"customer": "onehot"}}, "treatments: 'customer' is no input, as it is in data.key"),
        ({**BEHIND, "treatments": {"secret": "drop"}}, "treatments: 'secret' is no input, as it is in data.hidden"),
        (
            {**BEHIND, "treatments": {"age": "onehot"}},
            "treatments.age: onehot does not fit a column of the kind number",
        ),
        ({**BEHIND, "treatments": {"day": "number"}}, "treatments.day: number does not fit a column of the kind time"),
        # features
        (made("Ratio", over="a"), "features.0: Ratio needs under"),
        (made("Ratio", over="a", under=3), "features.0: Ratio.under must be the name of a column, but is 3"),
        (made("Ratio", over="a", under="left"), "features.0: 'left' is no input, as it is in data.target"),
        (made("Log", column="customer"), "features.0: 'customer' is no input, as it is in data.key"),
        (
            {**BEHIND, **made("Log", column="plan")},
            "features.0: 'plan' is a category by data.kinds, but Log reads a number",
        ),
        (
            {**BEHIND, **made("Cycle", column="age")},
            "features.0: 'age' is a number by data.kinds, but Cycle reads a date",
        ),
        (made("Bins", column="a", edges=[3, 1]), "features.0: Bins: edges must rise, but are [3, 1]"),
        (made("Bins", column="a", edges="1, 2"), "features.0: Bins: edges must be a list of numbers, but are '1, 2'"),
        (made("Bins", column="a", edges=[]), "features.0: Bins: edges must be a list of numbers, but are []"),
        (made("DateParts", column="a", parts="year"), "features.0: DateParts: parts must be a list of year, "),
        (made("DateParts", column="a", parts=["yaer"]), "features.0: DateParts: parts must be of year, "),
        (made("Elapsed", column="a"), "features.0: Elapsed: one of after (a column) and since"),
        (made("Lag", column="a", steps=0), "features.0: Lag: steps must be a whole number from 1"),
        (made("Lag", column="a", steps=True), "features.0: Lag: steps must be a whole number from 1, but is True"),
        (made("Bins", column="a", edges=[0, float("nan")]), "features.0: Bins: edges must be a list of numbers"),
        (made("Log", column="a", _partial_=True), "features.0: Log takes no _partial_"),
        (
            made("ConfError", found=[]),
            "features.0._target_: mlworkflow.features.ConfError is no feature; there are Bins",
        ),
        ({"features": made("Log", column="a")["features"] * 2}, "features.1 is there twice: it is features.0"),
        # the contract
        (
            {"contract": {"a": {"kind": "category", "values": []}}},
            "contract.a.values is empty, so that no value would do",
        ),
        ({"contract": {"a": {"kind": "number", "low": "x"}}}, "contract.a.low must be a number, not 'x'"),
        (
            {"contract": {"a": {"kind": "number", "low": 2, "high": 1}}},
            "contract.a must go from low to high, but goes from 2",
        ),
        (
            {"contract": {"a": {"kind": "time", "low": "soon"}}},
            "contract.a.low must be a date such as 2024-01-31, not 'soon'",
        ),
        ({"contract": {"a": {"kind": "category", "low": 1}}}, "contract.a.low is not for the kind category, not 1"),
        ({"contract": {"a": {"kind": "number", "values": [1, "x"]}}}, "contract.a.values must be numbers, not 'x'"),
        ({"contract": {"a": {"kind": "time", "values": ["2024-01-31"]}}}, "contract.a.values is not for the kind time"),
    ],
)
def test_what_cannot_be_so_is_told_by_its_key_and_by_every_command(changes, told):
    found = problem_mistakes(make_problem(**changes))
    assert any(told in line for line in found), found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": {"kinds": {"a": "number"}, "commas": ["a"], "ranges": {"a": [0, None]}}},
        {"data": {"dates": {"a": "%d/%m/%Y %H:%M", "b": "ISO8601"}}, "treatments": {"a": "dates"}},
        {"prepare": {"spelling": {"plan": {"gold": "Gold", "GOLD": "Gold", "glod": "Gold"}, "left": {"y": "yes"}}}},
        {"data": {"time": "day"}, "treatments": {"day": "drop", "plan": "hash"}},
        {"data": {"time": "day"}, **made("Elapsed", column="day", since="2024-02-28")},
        {"data": {"time": "day"}, "split": {"scheme": "time"}, **made("Lag", column="left", steps=2)},
        made("Bins", column="a", edges=[0, 1.5, 2]),
        made("Ratio", over="a", under="${problem.name}"),
        {
            "contract": {
                "a": {"kind": "time", "low": "2024-01-31", "high": "2025-01-31"},
                "b": {"kind": "number", "low": 0},
            }
        },
    ],
)
def test_what_can_be_so_is_not_told(changes):
    assert column_mistakes(make_problem(**changes)) == []


def test_all_that_is_wrong_is_told_at_once():
    changes = {
        "treatments": {"left": "drop"},
        "prepare": {"spelling": {"a": {"NA": "no"}}},
        **made("Log", column="left"),
    }
    assert len(column_mistakes(make_problem(**changes))) == 3
