"""Random tables thrown at prepare: a clear error, or a result whose every row is accounted for; never a traceback."""

from __future__ import annotations

import datetime
import math

import pandas as pd
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mlworkflow.core.errors import ProjectError
from mlworkflow.core.problem import Problem
from mlworkflow.preparing.prepare import Prepared, prepare, stream
from mlworkflow.rows.split import identity, row_ids
from tests.conftest import make_problem

WORDS = st.sampled_from(
    ["a", " a", "A", "b", "NA", "", "?", "1", "1.0", "1,234", "1.234,5", "$5", "5%", "inf", "1e400"]
)
DAYS = st.sampled_from(["2024-01-31", "1850-02-01", "2024-01-31T05:06:07Z", "2024-13-01", "31/12/1899", "0001-01-01"])
TIMES = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2262, 1, 1))
CELLS = [
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.floats(-2, 2) | st.none(),
    st.booleans(),
    st.booleans() | st.none(),
    WORDS,
    WORDS | st.none(),
    DAYS,
    st.text(max_size=8),
    TIMES,
    TIMES | st.none(),
    st.one_of(WORDS, st.integers(), st.floats(), st.booleans(), st.none()),
    st.none(),
]
NAMES = st.text(min_size=1, max_size=6) | st.sampled_from(["a b", "a/b", "it's", '"', "größe", "x\ny", "target"])
SCHEMES = st.sampled_from(["hash", "hash", "time", "column"])


@st.composite
def questions(draw: st.DrawFn) -> tuple[pd.DataFrame, Problem]:
    """A table of up to forty rows, and a question about it that fits it or not."""
    rows = draw(st.integers(0, 40) | st.just(40))
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    few = [draw(st.lists(draw(st.sampled_from(CELLS)), min_size=1, max_size=4)) for _ in names]
    own = [draw(st.lists(draw(st.sampled_from(CELLS)), min_size=rows, max_size=rows)) for _ in names]
    values = [draw(st.sampled_from([some * rows, many]))[:rows] for some, many in zip(few, own, strict=True)]
    table = pd.DataFrame({name: pd.Series(cells) for name, cells in zip(names, values, strict=True)}, index=range(rows))
    task = draw(st.sampled_from(["binary", "multiclass", "regression", "clustering"]))

    def rarely(strategy: st.SearchStrategy[dict[str, object]]) -> dict[str, object]:
        return draw(strategy) if draw(st.integers(0, 9)) == 0 else {}

    column = st.sampled_from(names)
    some = st.none() | st.sampled_from(names[1:])
    data = {
        "target": None if task == "clustering" else names[0],
        "positive": "a" if task == "binary" else None,
        "key": draw(st.lists(st.sampled_from(names[1:]), max_size=2, unique=True)),
        "group": draw(some),
        "time": draw(some),
        "ranges": rarely(st.dictionaries(column, st.just([0, None]), max_size=1)),
        "commas": list(rarely(st.dictionaries(column, st.just(True), max_size=1))),
        "dates": rarely(st.dictionaries(column, st.just("%d/%m/%Y"), max_size=1)),
        "kinds": rarely(st.dictionaries(column, st.sampled_from(["number", "category", "text", "time"]), max_size=1)),
    }
    policy = {
        "spelling": draw(st.dictionaries(column, st.just({"A": "a"}), max_size=1)),
        "duplicates": draw(st.sampled_from(["drop", "keep"])),
        "same_key": draw(st.sampled_from(["first", "last", "keep"])),
        "outliers": rarely(st.dictionaries(column, st.sampled_from(["flag", "clip"]), max_size=1)),
    }
    scheme = draw(SCHEMES)
    if scheme == "time" and data["time"] is None:
        scheme = "hash"
    split = {"scheme": scheme, "column": names[-1] if scheme == "column" else None, "test": "a", "test_fraction": 0.4}
    return table, make_problem(task=task, data=data, prepare=policy, split=split)


def in_batches(table: pd.DataFrame, problem: Problem, size: int) -> Prepared:
    """Return what the stage makes of the table when it comes in batches."""
    parts: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    starts = range(0, max(len(table), 1), size)
    done = stream(
        lambda: (table.iloc[first : first + size].reset_index(drop=True) for first in starts),
        problem,
        lambda *sides: parts.append(sides),
    )
    train, test = (pd.concat(side) for side in zip(*parts, strict=True))
    if done.order_by:
        train, test = (side.sort_values(done.order_by, kind="stable") for side in (train, test))
    return Prepared(train.reset_index(drop=True), test.reset_index(drop=True), done.schema, done.ledger)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # without shrinking, which takes minutes: remove to look for a small table
    suppress_health_check=[HealthCheck.too_slow],
)
@given(questions())
def test_any_table_is_refused_clearly_or_prepared_with_every_row_accounted_for(question: tuple[pd.DataFrame, Problem]):
    table, problem = question
    before = table.copy()
    try:
        prepared = prepare(table, problem)
    except ProjectError:
        return
    pd.testing.assert_frame_equal(table, before)
    train, test, schema = prepared.train, prepared.test, prepared.schema
    assert len(table) == len(train) + len(test) + prepared.ledger["dropped"].sum()
    names = [column.name for column in schema.columns]
    assert list(train) == list(test) == names == list(table)
    assert schema.rows == len(train) > 0
    numbers = [column for column in schema.columns if column.kind == "number"]
    assert not any(math.isinf(value) for column in numbers for value in (column.low or 0, column.high or 0))
    if problem.split.scheme == "hash":
        sides = [set(row_ids(identity(side, problem.data)).tolist()) for side in (train, test)]
        assert sides[0].isdisjoint(sides[1])
    if problem.split.scheme == "time":
        assert train[problem.data.time].max() < test[problem.data.time].min()
    apart = in_batches(table, problem, 3)
    pd.testing.assert_frame_equal(apart.train, train)
    pd.testing.assert_frame_equal(apart.test, test)
    pd.testing.assert_frame_equal(apart.ledger, prepared.ledger)
    assert apart.schema == schema
