"""Nothing is dropped or changed in silence, and nothing is learnt from test rows."""

from __future__ import annotations

import pandas as pd
import pytest

from mlworkflow.core.errors import TableError
from mlworkflow.preparing.prepare import prepare
from mlworkflow.rows.split import unit_hash
from tests.conftest import make_problem


def line(prepared, words: str) -> dict:
    found = [row for row in prepared.ledger.to_dict("records") if words in row["rule"]]
    assert len(found) == 1, prepared.ledger
    return found[0]


def test_rows_in_are_rows_out_plus_rows_in_the_ledger(table, problem):
    table.loc[[3, 7], "left"] = ["", "NA"]
    prepared = prepare(table, problem)
    assert len(table) == len(prepared.train) + len(prepared.test) + prepared.ledger["dropped"].sum()


def test_a_row_without_target_is_dropped_and_named(table, problem):
    table.loc[3, "left"] = "NA"
    told = line(prepare(table, problem), "rows without a target")
    assert (told["dropped"], told["examples"]) == (1, "row 4")


def test_an_exact_duplicate_is_dropped_and_named(table, problem):
    told = line(prepare(table, problem), "exact duplicates")
    assert (told["dropped"], told["examples"]) == (1, "row 41")


def test_a_second_row_of_one_key_is_dropped(table, problem):
    table.loc[40, "age"] = "99"
    assert line(prepare(table, problem), "a second row of one customer")["dropped"] == 1


def test_words_for_missing_are_counted(table, problem):
    told = line(prepare(table, problem), "a word for missing in age")
    assert (told["changed"], told["examples"]) == (1, "'?'")


def test_impossible_values_become_missing_and_are_counted(table):
    prepared = prepare(table, make_problem(data={"ranges": {"age": [None, 50]}}))
    told = line(prepared, "impossible values made missing in age")
    assert told["changed"] == 9
    assert max(prepared.train["age"].max(), prepared.test["age"].max()) <= 50


def test_no_customer_is_on_both_sides(table, problem):
    prepared = prepare(table, problem)
    assert set(prepared.train["customer"]).isdisjoint(prepared.test["customer"])


@pytest.mark.parametrize("how", [{}, {"data": {"key": []}}, {"data": {"group": "age"}}, {"data": {"time": "age"}}])
def test_a_smaller_share_of_the_training_rows_lies_in_a_larger_one_and_the_ledger_tells(table, how):
    scheme = {"scheme": "time"} if "time" in how.get("data", {}) else {}
    table["age"] = [f"2024-01-{day % 28 + 1:02}" for day in range(len(table))] if scheme else table["age"]
    full, large, small = (
        prepare(table, make_problem(split={"train_share": share, **scheme}, **how)) for share in (1.0, 0.7, 0.4)
    )
    rows = [set(one.train["customer"]) for one in (small, large, full)]
    assert rows[0] < rows[1] < rows[2]
    assert set(full.test["customer"]) == set(large.test["customer"]) == set(small.test["customer"])
    dropped = line(small, "training rows beyond problem.split.train_share 0.4")["dropped"]
    assert dropped == len(full.train) - len(small.train)
    assert "train_share" not in " ".join(full.ledger["rule"])
    if scheme:
        assert small.train["age"].min() > full.train["age"].min()


def test_the_share_is_of_the_training_rows_alone():
    rows = pd.DataFrame(
        {"customer": [f"c{number}" for number in range(4000)], "age": "1", "left": ["yes", "no"] * 2000}
    )
    kept = prepare(rows.astype("str"), make_problem(split={"train_share": 0.5}))
    assert len(kept.train) == pytest.approx(0.5 * (4000 - len(kept.test)), rel=0.05)


def test_the_schema_describes_training_rows_alone(table, problem):
    prepared = prepare(table, problem)
    age = next(column for column in prepared.schema.columns if column.name == "age")
    assert (age.low, age.high) == (prepared.train["age"].min(), prepared.train["age"].max())
    assert prepared.schema.rows == len(prepared.train)


def test_the_target_is_coded_by_the_classes(table, problem):
    prepared = prepare(table, problem)
    assert prepared.schema.classes == ["no", "yes"]
    assert prepared.train["left"].dtype == "int64"


@pytest.mark.parametrize(
    "target", [[0, 1], [0.0, 1.0], ["0", "1"], [False, True]], ids=["int", "float", "text", "bool"]
)
def test_a_target_of_numbers_is_coded_too(table, target):
    positive = "True" if target == [False, True] and isinstance(target[0], bool) else "1"
    prepared = prepare(table.assign(left=target * 20 + target[:1]), make_problem(data={"positive": positive}))
    assert set(prepared.train["left"]) == set(prepared.test["left"]) == {0, 1}


def test_an_infinite_target_is_no_target(table):
    made = make_problem(
        task="regression", data={"target": "age", "positive": None}, metrics={"primary": "rmse", "also": []}
    )
    table.loc[3, "age"] = "inf"
    prepared = prepare(table, made)
    assert line(prepared, "impossible values made missing in age")["changed"] == 1
    assert line(prepared, "rows without a target")["dropped"] == 2


def test_a_class_without_training_rows_is_named(table, problem):
    table["left"] = ["yes"] + ["no"] * 40
    held_out = table.assign(part=["test"] + ["train"] * 40, customer=[f"k{number}" for number in range(41)])
    with pytest.raises(TableError, match="no training row has the class 'yes'"):
        prepare(held_out, make_problem(split={"scheme": "column", "column": "part"}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"data": {"key": [], "group": "town"}},
            [
                "no test rows are left: all 40 rows have the same 'town', and so are on one side",
                "another problem.data.group",
            ],
        ),
        (
            {"split": {"scheme": "column", "column": "part"}},
            [
                "no test rows are left: problem.split.test is 'test', and the column 'part' has 'train' in 30 rows, "
                "'valid' in 10 rows"
            ],
        ),
        (
            {"data": {"time": "day"}, "split": {"scheme": "time"}},
            ["no test rows are left: all 40 rows have the same 'day'"],
        ),
        (
            {"split": {"test_fraction": 0.0001}},
            ["40 rows of 40 different 'customer' are too few for a test_fraction of 0.0001", "set a larger"],
        ),
        (
            {"split": {"test_fraction": 0.9999}},
            ["no training rows are left: 40 rows of 40 different 'customer' are too few", "set a smaller"],
        ),
        (
            {"data": {"missing": ["yes", "no"]}},
            ["no rows are left", "41 of 41 rows were dropped before: rows without a"],
        ),
    ],
    ids=["group", "column", "time", "small", "large", "nothing"],
)
def test_an_empty_side_is_told_with_its_reason_and_what_this_run_dropped(table, changes, told):
    made = table.assign(town="Bern", day="2024-01-31", part=["train"] * 30 + ["valid"] * 10 + ["train"])
    with pytest.raises(TableError) as caught:
        prepare(made, make_problem(**changes))
    dropped = (
        [] if "data" in changes and "missing" in changes["data"] else ["1 of 41 rows were dropped before: exact dup"]
    )
    for words in [*told, *dropped]:
        assert words in str(caught.value)
    assert "ledger" not in str(caught.value)


def test_the_raw_table_is_left_as_it_was(table, problem):
    before = table.copy()
    prepare(table, problem)
    pd.testing.assert_frame_equal(table, before)


# ---- the policy of the problem


def test_spelling_variants_become_one_word_and_are_counted(table):
    table.loc[:2, "plan"] = ["GOLD", " au", "Basic"]
    made = make_problem(prepare={"spelling": {"plan": {"au": "gold", "basic": "basic"}}})
    prepared = prepare(table, made)
    told = line(prepared, "spelling variants in plan")
    assert (told["changed"], told["examples"]) == (3, "'GOLD' as 'gold'; 'au' as 'gold'; 'Basic' as 'basic'")
    assert set(prepared.train["plan"].dropna()) == {"basic", "gold"}


def test_spelling_variants_of_the_target_are_one_class(table):
    table["left"] = table["left"].where(table.index % 8 != 0, "YES")
    prepared = prepare(table, make_problem(prepare={"spelling": {"left": {"y": "yes"}}}))
    assert prepared.schema.classes == ["no", "yes"]


def test_exact_duplicates_may_be_kept(table):
    made = make_problem(data={"key": []}, prepare={"duplicates": "keep"})
    prepared = prepare(table, made)
    assert len(prepared.train) + len(prepared.test) == len(table)


@pytest.mark.parametrize(("policy", "age"), [("first", 20), ("last", 99)])
def test_of_several_rows_of_one_key_the_first_or_the_last_stays(table, policy, age):
    table.loc[40, "age"] = "99"
    prepared = prepare(table, make_problem(prepare={"same_key": policy}))
    both = pd.concat([prepared.train, prepared.test])
    assert both.loc[both["customer"] == "c0", "age"].tolist() == [age]
    assert line(prepared, "row of one customer")["dropped"] == 1


def test_all_rows_of_one_key_may_be_kept_on_one_side(table):
    table.loc[40, "age"] = "99"
    prepared = prepare(table, make_problem(prepare={"same_key": "keep"}))
    assert [int((side["customer"] == "c0").sum()) for side in (prepared.train, prepared.test)] in ([2, 0], [0, 2])


def test_rows_without_a_key_are_not_rows_of_one_key(table, problem):
    table.loc[[1, 2, 3], "customer"] = ""
    assert line(prepare(table, problem), "a second row of one customer")["dropped"] == 0


def test_outliers_are_named_for_the_pipeline_and_counted_among_training_rows(table):
    table.loc[7, "age"] = "9999"
    prepared = prepare(table, make_problem(prepare={"outliers": {"age": "clip"}}))
    assert next(c for c in prepared.schema.columns if c.name == "age").outliers == "clip"
    told = line(prepared, "outliers of training rows clipped by the pipeline in age")
    assert told["seen"] == len(prepared.train)
    assert prepared.train["age"].max() == 9999 or told["changed"] == 0  # the pipeline clips, not prepare


def test_rare_categories_are_counted_among_training_rows(table):
    rare = table.assign(plan=["basic"] * 38 + ["tin", "zinc", "basic"])
    prepared = prepare(rare, make_problem(prepare={"rare": 0.1}))
    counts = prepared.train["plan"].value_counts()
    told = line(prepared, "rare categories of training rows pooled")
    assert told["changed"] == counts[counts < 0.1 * len(prepared.train)].sum()
    assert prepared.schema.rare == 0.1


def test_a_column_of_the_policy_that_is_not_there_or_no_number_is_told(table):
    made = make_problem(
        prepare={"outliers": {"plan": "clip"}, "spelling": {"plam": {"a": "b"}}},
        treatments={"age": "onehot", "plam": "drop"},
    )
    with pytest.raises(TableError) as caught:
        prepare(table, made)
    for told in (
        "prepare.spelling: there is no column 'plam', did you mean 'plan'?",
        "prepare.outliers: 'plan' must be a number, but is a category",
        "treatments.age: onehot does not fit a column of the kind number",
        "treatments: 'plam' is no input, did you mean 'plan'?",
    ):
        assert told in str(caught.value)


def test_a_rule_that_did_nothing_is_named_once(table, problem):
    prepared = prepare(table.assign(plan="basic", age="20"), problem)
    assert line(prepared, "a word for missing")["changed"] == 0


def test_words_that_are_unreadable_are_all_told_with_their_rows(table):
    table.loc[[3, 9], "age"] = ["old", "young"]
    with pytest.raises(TableError, match=r"(?s)'age', row 4: 'old' is no number.*'age', row 10: 'young'"):
        prepare(table, make_problem(data={"kinds": {"age": "number"}}))


def test_a_time_of_words_is_told_with_the_way_to_write_it(table):
    made = make_problem(data={"time": "plan"}, split={"scheme": "time"})
    with pytest.raises(TableError, match=r"'plan', row 1: 'basic' is no time, which is written as 2024-01-31"):
        prepare(table, made)


def test_key_values_are_in_no_ledger_and_no_schema(table, problem):
    secret = table.assign(customer=[f"$90{number}" for number in range(41)])
    prepared = prepare(secret, problem)
    assert "$90" not in prepared.ledger.to_csv() + str(prepared.schema.to_dict())


# ---- odd tables


def test_a_column_of_a_hundred_thousand_words_is_prepared_without_listing_them():
    count = 120_000
    rows = pd.DataFrame({"word": [f"w{n}" for n in range(count)], "left": ["yes", "no", "no"] * (count // 3)})
    column = prepare(rows, make_problem(data={"key": []})).schema.columns[0]
    assert (column.kind, column.categories, column.distinct, column.treatment) == ("category", [], 1001, "target")


def test_odd_column_names_are_columns_like_others(table, problem):
    odd = {"age": 'the "age"/years, größe', "plan": "plan's name\t1"}
    prepared = prepare(table.rename(columns=odd), problem)
    assert set(odd.values()) <= set(prepared.train)


def test_dates_before_1900_are_dates(table, problem):
    prepared = prepare(table.assign(born="1850-02-28"), problem)
    assert prepared.train["born"].eq(pd.Timestamp("1850-02-28")).all()


def test_a_class_of_one_row_is_on_the_side_where_the_row_is(table, problem):
    table["left"] = ["no"] * 40 + ["yes"]
    table.loc[40, "customer"] = next(f"k{n}" for n in range(99) if unit_hash(pd.DataFrame({"k": [f"k{n}"]}))[0] > 0.25)
    assert prepare(table, problem).train["left"].sum() == 1
