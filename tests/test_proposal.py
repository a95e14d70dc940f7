"""What is decided about an unknown table, and that the user's word wins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.new.asked import Asked, ProposalError
from mlworkflow.new.look import look
from mlworkflow.new.proposal import propose


@pytest.fixture
def customers() -> pd.DataFrame:
    """A hundred customers, as words."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "customer_id": [f"c{number}" for number in range(100)],
            "age": rng.integers(18, 90, 100).astype(str),
            "plan": rng.choice(["basic", "gold"], 100),
            "since": pd.date_range("2020-01-01", periods=100).strftime("%Y-%m-%d"),
            "spent": rng.normal(100, 20, 100).round(2).astype(str),
            "left": ["yes", "no", "no", "no"] * 25,
        },
        dtype="str",
    )


def proposed(table: pd.DataFrame, **asked):
    return propose(table, look(table), Asked("shop", **asked))


def why(made, what: str) -> str:
    return next(decision.why for decision in made.decisions if decision.what == what)


def test_two_classes_are_a_binary_task_whose_event_is_looked_for(customers):
    made = proposed(customers, target="left")
    assert (made.problem["task"], made.problem["data"]["positive"]) == ("binary", "yes")


def test_without_a_word_for_yes_the_rarer_class_is_looked_for(customers):
    customers["left"] = customers["left"].map({"yes": "gone", "no": "stayed"})
    made = proposed(customers, target="left")
    assert made.problem["data"]["positive"] == "gone"
    assert "rarer" in why(made, "positive")


def test_whole_numbers_one_and_two_are_classes_and_many_are_amounts(customers):
    customers["grade"] = ["1", "2"] * 50
    assert proposed(customers, target="grade").problem["task"] == "binary"
    assert proposed(customers, target="age").problem["task"] == "regression"
    assert proposed(customers, target="grade", task="regression").problem["task"] == "regression"
    customers["tens"] = [str(number % 20) for number in range(100)]
    assert proposed(customers, target="tens").problem["task"] == "regression"
    assert proposed(customers, target="tens", categorical=["tens"]).problem["task"] == "multiclass"


def test_broken_numbers_are_amounts_even_if_few(customers):
    customers["rate"] = ["0.5", "1.5"] * 50
    assert proposed(customers, target="rate").problem["task"] == "regression"


def test_a_clustering_needs_no_target_but_must_be_asked_for(customers):
    made = proposed(customers, task="clustering")
    assert made.problem["task"] == "clustering"
    assert made.model == "kmeans"


def test_a_key_is_found_by_its_name_and_its_values(customers):
    assert proposed(customers, target="left").problem["data"]["key"] == ["customer_id"]


def test_a_number_that_is_unique_by_chance_is_no_key(customers):
    made = proposed(customers.drop(columns="customer_id").assign(spent=[f"{n}.25" for n in range(100)]), target="left")
    assert "key" not in made.problem["data"]


def test_a_key_with_several_rows_each_is_a_group(customers):
    customers["customer_id"] = [f"c{number // 4}" for number in range(100)]
    made = proposed(customers, target="left")
    assert made.problem["data"]["group"] == "customer_id"
    assert "key" not in made.problem["data"]


def test_rows_in_the_order_of_a_date_are_told_but_not_decided(customers):
    made = proposed(customers, target="left")
    assert made.problem["split"]["scheme"] == "hash"
    assert any("--time since" in doubt for doubt in made.doubts)
    assert proposed(customers, target="left", time="since").problem["split"]["scheme"] == "time"
    assert not any(
        "--time" in doubt for doubt in proposed(customers.sample(frac=1, random_state=0), target="left").doubts
    )


def test_a_column_that_marks_the_test_rows_is_the_split(customers):
    customers["part"] = ["train", "train", "train", "Test"] * 25
    split = proposed(customers, target="left", split_column="part").problem["split"]
    assert (split["scheme"], split["column"], split["test"]) == ("column", "part", "Test")


def test_spellings_words_for_missing_and_commas_become_policy(customers):
    customers.loc[:2, "plan"] = ["Gold", "GOLD", "gold "]
    customers.loc[0, "age"] = "unknown"
    customers["spent"] = customers["spent"].str.replace(".", ",")
    made = proposed(customers, target="left").problem
    assert set(made["prepare"]["spelling"]["plan"]) == {"Gold", "GOLD"}
    assert made["data"]["missing"] == ["unknown"]
    assert made["data"]["commas"] == ["spent"]


def test_small_tables_get_the_linear_model_and_larger_ones_trees(customers):
    assert proposed(customers, target="left").model == "linear"
    large = pd.concat([customers] * 25, ignore_index=True)
    assert proposed(large, target="left").model == "xgboost"


def test_a_rare_class_has_fewer_folds_and_a_word_of_warning(customers):
    customers["left"] = ["yes"] * 6 + ["no"] * 94
    made = proposed(customers, target="left")
    assert made.problem["split"]["folds"] == 2
    assert any("'yes' has 6 rows" in doubt for doubt in made.doubts)


def test_the_least_gain_of_an_amount_is_a_hundredth_of_its_spread(customers):
    customers["age"] = ["0", "100"] * 50
    made = proposed(customers.assign(age=[str(n) for n in range(100)]), target="age")
    assert made.problem["metrics"]["least_gain"] == 0.3


def test_every_wrong_name_is_told_at_once_with_the_nearest(customers):
    with pytest.raises(ProposalError) as error:
        proposed(customers, target="Left", key=["customerid"], drop=["spend"])
    told = str(error.value)
    assert "did you mean 'left'" in told
    assert "did you mean 'customer_id'" in told
    assert "did you mean 'spent'" in told


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"target": "left", "positive": "Yes"}, "no class 'Yes', did you mean 'yes'"),
        ({"target": "age", "positive": "yes"}, "--positive is for two classes"),
        ({"target": "left", "metric": "rmse"}, "does not fit the task binary"),
        ({"target": "left", "metric": "roc_acu"}, "did you mean 'roc_auc'"),
        ({"target": "left", "task": "regression"}, "holds words such as 'no'"),
        ({"target": "age", "task": "binary"}, "different values, not 2"),
        ({"target": "customer_id"}, "is it a key or a text?"),
        ({"target": "left", "drop": ["left"]}, "--drop: 'left' is the target"),
        ({"task": "regression"}, "--target is missing"),
        ({}, "Or add --task clustering"),
        ({"target": "left", "task": "clustering"}, "a clustering has no target"),
        ({"target": "left", "split_column": "plan"}, "no value of 'plan' is called test"),
    ],
)
def test_options_that_cannot_be_are_refused_in_words(customers, asked, told):
    if asked.get("target") == "customer_id":
        customers = pd.concat([customers, customers.assign(customer_id=[f"d{n}" for n in range(100)])])
    with pytest.raises(ProposalError, match=told.replace("?", r"\?")):
        proposed(customers, **asked)


@pytest.mark.parametrize(
    ("values", "told"), [(["yes"] * 100, "only the value 'yes'"), ([""] * 100, "no value in any row")]
)
def test_a_target_that_tells_nothing_apart_is_refused(customers, values, told):
    with pytest.raises(ProposalError, match=told):
        proposed(customers.assign(left=values), target="left")


def test_a_class_of_one_row_is_refused_by_its_name(customers):
    with pytest.raises(ProposalError, match="the class 'maybe' has 1 row"):
        proposed(customers.assign(left=["maybe"] + ["yes", "no"] * 49 + ["no"]), target="left")


def test_classes_that_differ_in_spelling_alone_are_one(customers):
    customers.loc[:3, "left"] = ["YES", "No", " no", "NO"]
    made = proposed(customers, target="left")
    assert (made.problem["task"], made.problem["data"]["positive"]) == ("binary", "yes")
    assert set(made.problem["prepare"]["spelling"]["left"]) == {"YES", "No", "NO"}


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_of_test_rows_that_cannot_be_is_refused(customers, share):
    with pytest.raises(ProposalError, match="--test-fraction must be above 0 and below 1"):
        proposed(customers, target="left", test_fraction=share)


def test_one_and_two_have_no_class_that_sounds_like_the_event(customers):
    made = proposed(customers.assign(left=["1", "1", "1", "2"] * 25), target="left")
    assert made.problem["data"]["positive"] == "2"
    assert "rarer" in why(made, "positive")


def test_ids_too_long_for_a_number_are_a_key_or_names_and_nothing_contradicts_it(customers):
    long = [str(10**30 + number) for number in range(100)]
    made = proposed(customers.drop(columns="customer_id").assign(code=long), target="left")
    assert made.problem["data"]["key"] == ["code"]
    assert not any("'code'" in doubt for doubt in made.doubts)
    made = proposed(customers.assign(shop=[word[:-1] for word in long]), target="left", categorical=["age"])
    assert made.problem["data"]["kinds"] == {"age": "category", "shop": "category"}
    assert "run together" in why(made, "names")


def test_numbers_that_no_model_computes_with_are_a_doubt_and_no_key(customers):
    made = proposed(customers.assign(amount=[f"{number + 1}e40" for number in range(100)]), target="left")
    assert [doubt for doubt in made.doubts if "'amount'" in doubt] == [
        "100 values of 'amount' are beyond 3.4e+38, with which no model computes: they count as missing"
    ]


def test_columns_without_a_name_are_told_once_each_way(customers):
    rows = customers.assign(**{"Unnamed: 0": [str(number) for number in range(100)]})
    told = [doubt for doubt in proposed(rows, target="left").doubts if "Unnamed" in doubt]
    assert len(told) == 1
    assert "stands for a column without a name" in told[0]
    assert told[0].endswith("--drop 'Unnamed: 0'")
    told = proposed(rows.assign(**{"Unnamed: 7": "1"}), target="left").doubts
    assert any("'Unnamed: 0', 'Unnamed: 7' stand for columns without a name" in doubt for doubt in told)
    assert not any("Unnamed" in doubt for doubt in proposed(rows, target="left", drop=["Unnamed: 0"]).doubts)


def test_what_is_to_be_typed_is_quoted_as_a_shell_takes_it(customers):
    customers = customers.rename(columns={"since": "since when"}).assign(**{"row no.": [str(n) for n in range(100)]})
    told = " ".join(proposed(customers, target="left").doubts)
    assert "--time 'since when';" in told
    assert "--key 'row no.'" in told


def test_rows_without_a_target_are_a_doubt(customers):
    customers.loc[:4, "left"] = ""
    assert any("5 rows have no 'left'" in doubt for doubt in proposed(customers, target="left").doubts)
