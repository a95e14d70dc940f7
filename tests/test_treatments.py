"""How a model sees a column: chosen from what the column is, told with a reason, overridden by a line of conf/."""

from __future__ import annotations

import pandas as pd
import pytest

from mlworkflow.core.errors import ConfError, TableError
from mlworkflow.preparing.prepare import prepare
from mlworkflow.rows.schema import MOST_CATEGORIES, Column, Schema
from mlworkflow.rows.treatments import MOST_ONE_HOT, decide
from tests.conftest import make_problem


def schema(*columns: Column, task: str = "binary") -> Schema:
    return Schema(task, None, [], list(columns))


def treated(column: Column, task: str = "binary") -> tuple[object, str]:
    (found,) = decide(schema(column, task=task), {}).columns
    return found.treatment, found.why


@pytest.mark.parametrize(
    ("column", "treatment"),
    [
        (Column("age", "number", "input", low=1.0, high=2.0), "number"),
        (Column("plan", "category", "input", categories=["a", "b"], distinct=2), "onehot"),
        (Column("town", "category", "input", distinct=MOST_ONE_HOT), "onehot"),
        (Column("town", "category", "input", distinct=MOST_ONE_HOT + 1), "target"),
        (Column("note", "text", "input"), "text"),
        (Column("since", "time", "input"), "dates"),
        (Column("since", "time", "time"), "dates"),
        (Column("flat", "number", "input", low=3.0, high=3.0), "drop"),
        (Column("flat", "number", "input", missing=0.5, low=3.0, high=3.0), "number"),  # that it is missing may tell
        (Column("flat", "category", "input", categories=["a"], distinct=1), "drop"),
        (Column("empty", "number", "input", missing=1.0), "drop"),
    ],
    ids=lambda one: f"{one.name}-{one.kind}-{one.distinct}" if isinstance(one, Column) else one,
)
def test_each_kind_has_its_treatment_and_a_reason(column, treatment):
    found, why = treated(column)
    assert found == treatment
    assert why


def test_a_clustering_has_no_target_to_encode_by():
    many = Column("town", "category", "input", distinct=MOST_CATEGORIES + 1)
    assert treated(many, "clustering") == (
        "hash",
        "more than 1000 categories are too many for a column each: their hash says which column",
    )


def test_keys_targets_and_hidden_columns_have_no_treatment():
    columns = [Column(role, "category", role) for role in ("key", "group", "target", "hidden", "existing")]
    assert {column.treatment for column in decide(schema(*columns), {}).columns} == {None}


def test_one_line_overrides_the_choice_and_is_told():
    found = decide(schema(Column("plan", "category", "input", distinct=3)), {"plan": "hash"}).columns[0]
    assert (found.treatment, found.why) == ("hash", "problem.treatments says so")


def test_overrides_that_do_not_fit_are_told_all_at_once():
    columns = [Column("age", "number", "input"), Column("plan", "category", "input"), Column("id", "category", "key")]
    overrides = {"age": "text", "plan": "target", "id": "drop", "plam": "drop"}
    with pytest.raises(ConfError) as caught:
        decide(schema(*columns, task="clustering"), overrides)
    for said in (
        "problem.treatments.age: text does not fit a column of the kind number; those that do: number, drop",
        "problem.treatments.plan: a clustering has no target to encode by; take hash",
        "'id' is no input",
        "'plam' is no input, did you mean 'plan'?",
        "data.kinds",
    ):
        assert said in str(caught.value)


def test_prepare_decides_by_what_the_training_rows_hold(table):
    towns = [f"town {number}" for number in range(len(table))]
    problem = make_problem(treatments={"age": "drop"})
    raw = table.assign(town=towns, country="CH", empty="")
    found = {column.name: column.treatment for column in prepare(raw, problem).schema.inputs}
    kept = {"age": "drop", "plan": "onehot", "country": "drop", "empty": "drop"}
    assert found == kept | {"town": "onehot" if len(prepare(raw, problem).train) <= MOST_ONE_HOT else "target"}


def test_prepare_refuses_an_override_of_an_unknown_column(table):
    with pytest.raises(TableError, match="'agee' is no input, did you mean 'age'"):
        prepare(pd.DataFrame(table), make_problem(treatments={"agee": "drop"}))
