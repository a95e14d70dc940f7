"""Findings: each fires on its planted fault, clean tables are quiet, the worst comes first."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from mlworkflow.exploring import explore, findings
from mlworkflow.exploring.findings import Finding
from mlworkflow.rows.schema import Column, Schema

ROWS = 600


def schema_of(table: pd.DataFrame, task: str, target: str | None, **roles: str) -> Schema:
    """The schema of a table that is already typed; the classes of the target are its words in order."""
    columns = []
    for name in table.columns:
        values = table[name]
        is_time, is_number = pd.api.types.is_datetime64_any_dtype(values), pd.api.types.is_numeric_dtype(values)
        role = "target" if name == target else roles.get(name, "input")
        columns.append(Column(name, "time" if is_time else "number" if is_number else "category", role))  # type: ignore[arg-type]
    classes = sorted(table[target].unique()) if task in ("binary", "multiclass") else []
    return Schema(task, target, classes, columns, ["", "?"])


def coded(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The table with the target of a classification as codes."""
    if not schema.classes:
        return table
    return table.assign(**{str(schema.target): pd.Index(schema.classes).get_indexer(pd.Index(table[schema.target]))})


def found(table: pd.DataFrame, task: str = "binary", target: str | None = "left", **roles: str) -> list[Finding]:
    """What explore finds in a table, taken both as raw table and as training rows."""
    schema = schema_of(table, task, target, **roles)
    return explore.explore(table, coded(table, schema), schema)


def people(task: str = "binary") -> pd.DataFrame:
    """A clean table: two columns that tell something of the target, one that tells nothing, categories."""
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=ROWS)
    table = pd.DataFrame(
        {
            "age": 40 + 8 * hidden + draw.normal(0, 8, ROWS),
            "income": np.exp(3 + hidden / 2 + draw.normal(0, 1, ROWS)),
            "noise": draw.normal(size=ROWS),
            "city": draw.choice(["Ulm", "Trier", "Köln"], ROWS),
        }
    )
    if task == "binary":
        return table.assign(left=np.where(hidden + draw.normal(size=ROWS) > 0.5, "yes", "no"))
    if task == "multiclass":
        return table.assign(left=np.digitize(hidden, [-0.4, 0.4]).astype(str))
    return table.assign(left=100 + 20 * hidden + draw.normal(0, 10, ROWS))


def bundled(name: str) -> pd.DataFrame:
    """One of scikit-learn's tables; its classes as words."""
    from sklearn import datasets

    table = getattr(datasets, f"load_{name}")(as_frame=True).frame
    return table if name == "diabetes" else table.assign(target="class " + table["target"].astype(int).astype(str))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_clean_table_is_quiet(task: str) -> None:
    assert found(people(task), task) == []


def test_clean_real_tables_are_quiet() -> None:
    assert found(bundled("breast_cancer"), "binary", "target") == []
    assert found(bundled("diabetes"), "regression", "target") == []


def test_in_real_tables_only_what_is_true_is_said() -> None:
    wine = found(bundled("wine"), "multiclass", "target")
    assert [finding.what for finding in wine] == [
        "1 class with fewer than 50 training rows: 'class 2' (48). Intervals will be wide."
    ]
    digits = found(bundled("digits"), "multiclass", "target")
    assert [finding.what.split(":")[0] for finding in digits] == ["3 columns hold a single value and can tell nothing"]
    iris = found(bundled("iris").drop(columns="target"), "clustering", None)
    assert [finding.what for finding in iris] == [
        "1 row of the raw table (0.7%) repeats an earlier row in every column."
    ]


class Fault(NamedTuple):
    """A table with a planted fault and the finding expected: severity and column, part of its words."""

    table: pd.DataFrame
    where: str
    words: str
    task: str = "binary"
    times: str = ""


@cache
def faults() -> dict[str, Fault]:
    """Return name -> fault."""
    draw = np.random.default_rng(1)
    clean, several, value = people(), people("multiclass"), people("regression")
    yes, order = (clean["left"] == "yes").to_numpy(), np.arange(ROWS)
    noise, some = draw.normal(0, 0.3, ROWS), draw.random(ROWS) < 0.3
    times = pd.date_range("2024-01-01", periods=ROWS, freq="h")

    def gaps(where: Any, table: pd.DataFrame = clean) -> pd.DataFrame:
        return table.assign(noise=table["noise"].mask(where))

    def x(values: Any, table: pd.DataFrame = clean) -> pd.DataFrame:
        return table.assign(x=values)

    code, sold = several["left"].astype(int), value["left"]
    groups = "g" + (sold // 2).astype(int).astype(str)
    rare = clean.assign(left=np.where(order < 20, "yes", "no"))
    words = np.where(some, "many", draw.integers(0, 9, ROWS).astype(str))
    repeated, alike = (
        "60 rows of the raw table (9.1%) repeat",
        clean.assign(age=clean["age"].round(-1), income=1, noise=2),
    )
    late = value.assign(t=times, left=sold + order / 10)
    placeholder = clean.assign(age=clean["age"].mask(order < 9, -999))
    return {
        "a leaking number": Fault(x(yes * 4 + noise), "high x", "nearly decides 'left' (AUC"),
        "a leaking category": Fault(x(np.where(yes, "ended", clean["city"])), "high x", "nearly decides"),
        "a leak of classes": Fault(x(code * 2 % 3 * 9 + noise, several), "high x", "nearest two classes", "multiclass"),
        "a rule of ranges": Fault(
            x(np.where(yes, noise, np.sign(noise) * 3 + noise)), "high x", "a rule of its ranges: AUC"
        ),
        "a sum": Fault(x(sold - 3 * value["age"], value), "high x", "3 × 'age' + 'x' is exactly 'left'", "regression"),
        "the other part": Fault(x(sold - value["age"], value), "high age", "a part of the target", "regression"),
        "missing later": Fault(
            gaps(some & (order > 300)).assign(t=times), "low noise", "of the later: something changed", times="t"
        ),
        "two units": Fault(x(np.exp(noise) * np.where(some, 1000, 1)), "medium x", "two units: 28% of its values"),
        "a target of noise": Fault(
            clean.assign(left=draw.permutation(clean["left"])), "high left", "Nothing tells 'left': of 4 columns"
        ),
        "fewer of a class later": Fault(
            clean.assign(left=np.where(draw.random(ROWS) < order / ROWS, clean["left"], "no"), t=times),
            "medium left",
            "of the earliest",
            times="t",
        ),
        "a leak of a value": Fault(x(np.exp(sold / 50), value), "high x", "rank correlation", "regression"),
        "a leaking group": Fault(x(groups, value), "high x", "variance explained", "regression"),
        "contradictions": Fault(alike, "high None", "the same inputs as another but a different target"),
        "repeated rows": Fault(pd.concat([clean, clean.head(60)]), "medium None", repeated),
        "a constant": Fault(x(7), "low x", "1 column holds a single value and can tell nothing: 'x'"),
        "twins": Fault(x(-3 * clean["noise"]), "low x", "nearly the same as 'noise'"),
        "twin categories": Fault(x("in " + clean["city"]), "low x", "nearly the same as 'city'"),
        "missing values": Fault(gaps(some), "low noise", "missing in 28% of"),
        "mostly missing values": Fault(gaps(~some), "medium noise", "missing in 72% of"),
        "few missing values": Fault(gaps(order < 6), "low noise", "1 column lacks up to 1.0%"),
        "missing that tells": Fault(gaps(yes & some), "medium noise", "of class 'yes' but in 0% of 'no'"),
        "missing that decides": Fault(gaps(~yes), "high noise", "Is it filled in afterwards?"),
        "missing that shifts": Fault(gaps(sold > 110, value), "medium noise", "on average", "regression"),
        "imbalance": Fault(rare, "medium left", "The class 'yes' makes up 3.3% of the training rows (20 of 600)"),
        "few rows of a class": Fault(rare, "low left", "1 class with fewer than 50 training rows: 'yes' (20)"),
        "drift": Fault(x(noise + order / 300).assign(t=times), "medium x", "moved between", times="t"),
        "drift of words": Fault(x(np.where(order > 300, "b", "a")).assign(t=times), "medium x", "moved", times="t"),
        "drift of the target": Fault(late, "medium left", "moved between", "regression", "t"),
        "mixed kinds": Fault(x(words), "low x", "words (such as 'many')"),
        "an outlier": Fault(
            clean.assign(age=clean["age"].mask(order == 7, 9999)), "low age", "furthest 9\u202f999 (median 4"
        ),
        "a placeholder": Fault(placeholder, "medium age", "a word for missing?"),
    }


@pytest.mark.parametrize("name", faults())
def test_a_planted_fault_is_found(name: str) -> None:
    fault = faults()[name]
    told = found(fault.table, fault.task, **({fault.times: "time"} if fault.times else {}))
    assert [one for one in told if f"{one.severity} {one.column}" == fault.where and fault.words in one.what], told


def test_seasons_and_slow_drift_are_no_change_of_units() -> None:
    season = 12 + 8 * np.sin(np.arange(ROWS) / 90) + people()["noise"]
    ramp = np.exp(np.arange(ROWS) / 200) + 0.1 * people()["noise"] ** 2
    table = people().assign(season=season, ramp=ramp, t=pd.date_range("2024-01-01", periods=ROWS, freq="D"))
    assert {one.kind for one in found(table, t="time")} <= {"drift"}


def test_a_table_sorted_by_its_classes_has_no_change_of_units() -> None:
    for name in ("iris", "wine"):
        told = found(bundled(name), "multiclass", "target")
        assert "unit_change" not in {one.kind for one in told}
    assert "unit_change" not in {one.kind for one in found(bundled("iris").drop(columns="target"), "clustering", None)}


def test_where_all_numbers_change_at_once_rows_of_two_sources_follow_each_other() -> None:
    late, table = np.arange(ROWS) >= ROWS / 2, people("regression")
    one = table.assign(age=table["age"] * np.where(late, 2.54, 1))
    assert [(one.kind, one.column) for one in found(one, "regression")] == [("unit_change", "age")]
    both = one.assign(income=one["income"] * np.where(late, 5, 1), noise=one["noise"] + 3 * late)
    assert "unit_change" not in {one.kind for one in found(both, "regression")}


def test_a_column_of_its_own_row_is_not_from_the_future_where_the_target_moves_slowly() -> None:
    walk = np.random.default_rng(3).normal(size=ROWS).cumsum()
    table = people("regression").assign(left=walk, t=pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    near = walk + np.random.default_rng(4).normal(0, 1, ROWS)
    assert "future" not in {one.kind for one in found(table.assign(x=near), "regression", t="time")}
    told = found(table.assign(x=np.append(walk[1:], 0)), "regression", t="time")
    assert ("future", "x") in {(one.kind, one.column) for one in told}


def test_a_value_of_the_row_before_is_no_feature_from_the_future() -> None:
    value = people("regression").assign(t=pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    assert "future" not in {one.kind for one in found(value.assign(x=value["left"].shift(1)), "regression", t="time")}
    told = found(value.assign(x=value["left"].shift(-1)), "regression", t="time")
    assert ("future", "x") in {(one.kind, one.column) for one in told}


def test_a_feature_from_the_future_is_seen_within_the_rows_of_a_group() -> None:
    value = people("regression").assign(shop=np.arange(ROWS) % 3, t=pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    ahead = value.assign(x=value.groupby("shop")["left"].shift(-1))
    told = found(ahead, "regression", t="time", shop="group")
    assert ("future", "x") in {(one.kind, one.column) for one in told}


def test_a_history_of_several_rows_a_key_is_no_collision_but_two_rows_of_one_time_are() -> None:
    table = people().assign(
        who=np.arange(ROWS) % 50, t=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS), "h")
    )
    assert "key_collision" not in {one.kind for one in found(table, who="key", t="time")}
    table.loc[50, "t"] = table.loc[0, "t"]
    told = [one.what for one in found(table, who="key", t="time") if one.kind == "key_collision"]
    assert told[0].startswith("1 value of the key 'who', 't' stands for several different rows (2 in all)")


def test_the_values_of_a_key_are_in_no_finding() -> None:
    table = people().assign(who=[f"{number}" if number % 3 else f"person {number}" for number in range(ROWS)])
    table.loc[1, "who"] = table.loc[0, "who"]
    told = found(table, who="key")
    assert [one.kind for one in told] == ["key_collision"]
    assert "person" not in told[0].what


def test_commas_between_thousands_are_no_decimal_commas() -> None:
    words = people()["income"].round(1).astype("str")
    words[:30] = "1,234"
    assert "mixed_decimals" not in {one.kind for one in found(people().assign(x=words))}
    words[:30] = "1,5"
    assert "mixed_decimals" in {one.kind for one in found(people().assign(x=words))}


def test_each_finding_is_stored_with_its_name() -> None:
    told = found(people().assign(x=7))
    assert [one.to_dict()["kind"] for one in told] == ["constant"]


def test_time_without_drift_and_words_for_missing_are_quiet() -> None:
    table = people().assign(t=pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    assert found(table, t="time") == []
    raw = people().assign(x=np.where(np.arange(ROWS) % 3, "?", "12"))
    assert not [one for one in found(raw) if "mixes numbers" in one.what]


def test_a_key_that_differs_does_not_hide_a_repeated_row() -> None:
    table = pd.concat([people(), people().head(3)], ignore_index=True)
    told = found(table.assign(customer=np.arange(len(table))), customer="key")
    assert [one.what for one in told] == [
        "3 rows of the raw table (0.5%) repeat an earlier row in every column but 'customer'."
    ]


def test_the_worst_comes_first_and_many_of_a_kind_are_told_together() -> None:
    table = people()
    for place in range(20):
        table[f"gap_{place}"] = np.where(
            np.random.default_rng(place).random(ROWS) < 0.2, np.nan, table["noise"] ** (place + 2)
        )
    table["leak"] = (table["left"] == "yes") * 9.0 + table["noise"]
    told = found(table)
    assert told[0].column == "leak"
    assert [one.severity for one in told] == sorted((one.severity for one in told), key=findings.SEVERITIES.index)
    gaps = [one for one in told if "is missing in" in one.what]
    assert len(gaps) == findings.MOST_ALIKE
    assert any("14 further columns likewise" in one.what for one in told)


def test_missing_values_tell_nothing_of_a_single_class() -> None:
    table = people().assign(left="yes", noise=lambda rows: rows["noise"].mask(rows["noise"] > 1))
    assert "'noise' is missing in 17% of the training rows." in [one.what for one in found(table)]


@pytest.mark.parametrize("by_time", [False, True])
def test_validation_by_time_is_advised_only_where_it_is_not_done(by_time: bool) -> None:
    late = np.arange(ROWS) > ROWS / 2
    table = people().assign(t=pd.date_range("2024-01-01", periods=ROWS, freq="h"), x=np.where(late, 5.0, 0.0))
    table["left"] = np.where(late & (np.arange(ROWS) % 4 > 0), "yes", table["left"])
    schema = schema_of(table, "binary", "left", t="time")
    told = {one.kind: one.what for one in explore.explore(table, coded(table, schema), schema, by_time=by_time)}
    assert {"drift", "label_shift"} <= set(told)
    assert [("alidate by time" in told[kind]) for kind in ("drift", "label_shift")] == [not by_time] * 2
