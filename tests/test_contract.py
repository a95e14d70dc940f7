"""New rows keep to the contract or are stopped, with every violation at once; what is only wider is a warning."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ConfError, UnreadableError
from mlworkflow.new.rules import rules_for
from mlworkflow.preparing.contract import Contract, ContractError
from mlworkflow.preparing.newrows import check_file
from mlworkflow.stages.collect import collect
from tests.conftest import ROOT, make_problem, mlworkflow, run

RULES = {
    "customer": {"kind": "category", "unique": True, "missing": False},
    "age": {"kind": "number", "low": 0, "high": 120, "missing": False},
    "plan": {"kind": "category", "values": ["basic", "gold"]},
    "since": {"kind": "time", "low": "2020-01-01"},
}
ROWS = pd.DataFrame(
    {
        "customer": ["c1", "c2", "c3", "c1", "c5", "c1"],
        "age": ["20", "-1", "old", "?", "121", "30"],
        "plan": ["basic", "silver", "gold ", "NA", "basic", "tin"],
        "since": ["2024-01-31", "1999-01-01", "31/12/2024", "", "2020-01-01", "2021-05-05"],
    },
    dtype="str",
)


def violations(rows: pd.DataFrame, size: int = 100, **changes: object) -> list[str]:
    contract = Contract(make_problem(contract=RULES, **changes))
    for first in range(0, len(rows), size):
        contract.add(rows.iloc[first : first + size])
    return contract.violations()


def test_rows_that_keep_to_the_contract_are_let_pass():
    assert violations(ROWS.iloc[[0]]) == []


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_every_violation_is_told_at_once_with_rows_and_values_whatever_the_batch(size):
    assert violations(ROWS, size) == [
        "'customer' must be unique, but 2 rows break this: row 4 has 'c1', row 6 has 'c1'",
        "'age' must be a number, but 1 row breaks this: row 3 has 'old'",
        "'age' must not be missing, but 1 row breaks this: row 4",
        "'age' must be at least 0, but 1 row breaks this: row 2 has '-1'",
        "'age' must be at most 120, but 1 row breaks this: row 5 has '121'",
        "'plan' must be one of 'basic', 'gold', but 2 rows break this: row 2 has 'silver', row 6 has 'tin'",
        "'since' must be a date (2024-01-31, 2024-01-31 13:05), but 1 row breaks this: row 3 has '31/12/2024'",
        "'since' must be at least 2020-01-01, but 1 row breaks this: row 2 has '1999-01-01'",
    ]


def test_at_most_three_examples_are_shown_and_all_rows_counted():
    rows = pd.concat([ROWS.iloc[[1]]] * 9, ignore_index=True).assign(customer=list("abcdefghi"))
    told = next(line for line in violations(rows) if "'age'" in line)
    assert "9 rows break this: row 1 has '-1', row 2 has '-1', row 3 has '-1'" in told
    assert "row 4" not in told


def test_a_missing_column_is_told_with_the_nearest_name_and_a_new_one_is_a_warning():
    contract = Contract(make_problem(contract=RULES))
    contract.add(ROWS.iloc[[0]].rename(columns={"age": "Age"}))
    assert contract.violations() == ["the column 'age' is missing, did you mean 'Age'?"]
    assert contract.warnings() == ["the contract has no rule for the new column 'Age'"]


def test_an_empty_contract_checks_nothing_and_costs_no_import():
    code = (
        "import sys, pandas; from tests.conftest import make_problem;"
        "from mlworkflow.preparing.contract import Contract;"
        "c = Contract(make_problem()); c.add(pandas.DataFrame({'a': [1]}));"
        "assert (c.violations(), c.warnings(), 'pandera' in sys.modules) == ([], [], False)"
    )
    run(ROOT, sys.executable, "-c", code)


def test_values_are_read_as_prepare_reads_them():
    problem = {
        "data": {"commas": ["age"], "dates": {"since": "%d/%m/%Y"}, "missing": ["unknown"]},
        "prepare": {"spelling": {"plan": {"Au": "gold"}}},
    }
    rows = ROWS.iloc[[0]].assign(age="20,5", since="31/12/2024", plan="AU ")
    assert violations(rows, **problem) == []
    assert violations(rows.assign(age="unknown"), **problem) == [
        "'age' must not be missing, but 1 row breaks this: row 1"
    ]


def test_typed_columns_are_checked_as_well():
    rows = pd.DataFrame(
        {
            "customer": [1, 2],
            "age": [20.0, float("nan")],
            "plan": ["basic", "gold"],
            "since": pd.to_datetime(["2024"] * 2),
        }
    )
    assert violations(rows) == ["'age' must not be missing, but 1 row breaks this: row 2"]


def test_limits_that_are_none_are_all_told():
    rules = {"age": {"kind": "number", "low": "zero"}, "since": {"kind": "time", "high": "soon"}}
    with pytest.raises(
        ConfError, match=r"(?s)contract\.age\.low must be a number.*contract\.since\.high must be a date"
    ):
        Contract(make_problem(contract=rules))


def test_collect_stops_with_every_violation(table, tmp_path):
    table.to_csv(tmp_path / "customers.csv", index=False)
    rules = {"age": {"kind": "number", "high": 30}, "colour": {"kind": "category"}}
    with pytest.raises(ContractError, match=r"(?s)'colour' is missing.*'age' must be at most 30, but 29 rows break"):
        collect(make_problem(source={"path": str(tmp_path / "customers.csv")}, contract=rules))


def test_check_tells_violations_of_a_file_and_lets_wider_rows_pass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    io.write_yaml({"problem": make_problem(contract=RULES).model_dump(by_alias=True)}, paths.PARAMS)
    io.write_table(ROWS, tmp_path / "bad.csv")
    io.write_table(ROWS.iloc[[0]].assign(colour="red"), tmp_path / "good.csv")
    assert check_file(tmp_path / "good.csv").splitlines() == [
        f"1 rows of {tmp_path / 'good.csv'} keep to the contract of churn (4 columns)",
        "warning: the contract has no rule for the new column 'colour'",
    ]
    with pytest.raises(ContractError, match=r"bad\.csv must keep to the contract"):
        check_file(tmp_path / "bad.csv")


def test_a_problem_that_is_none_and_a_file_that_is_not_there_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadableError, match=r"rows\.csv must be readable, but there is no such file"):
        check_file(tmp_path / "rows.csv")
    io.write_table(ROWS, tmp_path / "rows.csv")
    io.write_yaml({"problem": {"name": "churn", "qestion": "?"}}, paths.PARAMS)
    with pytest.raises(ConfError, match="qestion is no key here, did you mean 'question'"):
        check_file(tmp_path / "rows.csv")


def test_the_command_checks_a_file_by_the_contract_of_a_named_problem(workspace):
    rule = "contract: {alcohol: {kind: number, low: 0, high: 100}}\n"
    with (workspace / "conf/problem/wine.yaml").open("a", encoding="utf-8") as file:
        file.write(rule)
    (workspace / "rows.csv").write_text("alcohol\n13\nstrong\n", encoding="utf-8")
    said = mlworkflow(workspace, "check", "rows.csv", "--problem", "wine", code=1)
    assert "'alcohol' must be a number, but 1 row breaks this: row 2 has 'strong'" in said
    assert "Traceback" not in said


# ---- a proposed contract


def many() -> pd.DataFrame:
    count = 400
    return pd.DataFrame(
        {
            "customer": [f"c{number}" for number in range(count)],
            "age": [str(number % 90) for number in range(count)],
            "balance": [str(number - 7) for number in range(count)],
            "plan": ["basic", "gold"] * (count // 2),
            "town": [f"t{number % 90}" for number in range(count)],
            "left": ["yes", "no", "no", "no"] * (count // 4),
        },
        dtype="str",
    )


def test_a_proposed_contract_demands_what_is_sure_and_no_more():
    table = many()
    table.loc[3, "age"] = ""
    rules = {name: rule.model_dump(exclude_defaults=True) for name, rule in rules_for(table, make_problem()).items()}
    assert rules == {
        "customer": {"kind": "category", "missing": False, "unique": True},
        "age": {"kind": "number", "low": 0},
        "balance": {"kind": "number", "missing": False},
        "plan": {"kind": "category", "missing": False, "values": ["basic", "gold"]},
        "town": {"kind": "category", "missing": False},
        "left": {"kind": "category", "missing": False, "values": ["no", "yes"]},
    }


def test_a_table_keeps_to_the_contract_proposed_for_it():
    problem = make_problem(contract={n: r.model_dump() for n, r in rules_for(many(), make_problem()).items()})
    contract = Contract(problem)
    contract.add(many())
    assert (contract.violations(), contract.warnings()) == ([], [])


def test_few_rows_prove_little(table):
    rules = rules_for(table, make_problem())
    assert rules["age"].missing
    assert rules["plan"].values is None
    assert not rules["customer"].unique  # one customer is there twice
