"""What slices.py promises: every row in one slice of each column, the worst slice first, small ones marked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.judging import slices as module
from mlworkflow.judging.slices import COLUMNS, slices
from mlworkflow.measures.metrics import Scored, score


def scored(n: int = 400) -> Scored:
    """A regression whose errors are five times as large in every fourth row."""
    generator = np.random.default_rng(0)
    truth = generator.normal(size=n)
    return Scored(truth, truth + generator.normal(size=n) * np.where(np.arange(n) % 4 == 0, 5, 1))


def inputs(n: int = 400) -> pd.DataFrame:
    plan = np.array(["gold", "basic", "basic", "pro"])[np.arange(n) % 4]
    return pd.DataFrame({"plan": plan, "age": np.arange(n) / 10})


def test_the_slice_with_the_planted_weakness_is_first() -> None:
    table = slices(inputs(), scored(), "rmse", important=["age", "plan"], seed=0)
    assert list(table.columns) == COLUMNS
    worst = table.iloc[0]
    assert (worst["column"], worst["slice"], worst["rows"], worst["share"]) == ("plan", "plan = gold", 100, 0.25)
    assert worst["value"] == pytest.approx(score(["rmse"], scored().take(np.arange(0, 400, 4)))["rmse"])
    assert worst["gap"] == pytest.approx(worst["value"] - score(["rmse"], scored())["rmse"])
    assert worst["low"] < worst["value"] < worst["high"]
    assert table["gap"].is_monotonic_decreasing


def test_a_gap_above_zero_is_worse_also_where_greater_is_better() -> None:
    truth = np.arange(200) % 2
    weak = Scored(truth, np.where(np.arange(200) < 100, truth, 0))
    table = slices(pd.DataFrame({"half": np.arange(200) // 100}), weak, "accuracy", important=[], seed=0)
    assert table["slice"].tolist() == ["half = 1", "half = 0"]
    assert table["gap"].tolist() == pytest.approx([0.25, -0.25])


def test_the_quarters_of_a_column_hold_every_row_once() -> None:
    table = slices(inputs(), scored(), "mae", important=["age"], seed=0)
    expected = {"age ≤ 9.9", "age in (9.9, 19.9]", "age in (19.9, 29.9]", "age > 29.9"}
    assert set(table["slice"]) == expected
    assert table["rows"].tolist() == [100] * 4


def test_missing_values_are_a_slice_of_their_own() -> None:
    rows = inputs().assign(age=lambda t: t["age"].where(t["age"] > 5), plan=lambda t: t["plan"].replace("pro", None))
    table = slices(rows, scored(), "mae", important=["age", "plan"], seed=0).set_index("slice")
    assert table.loc["age is missing", "rows"] == 51
    assert table.loc["plan is missing", "rows"] == 100
    assert table.groupby("column")["rows"].sum().tolist() == [400, 400]


def test_rare_categories_are_taken_together() -> None:
    words = pd.DataFrame({"town": [f"t{min(i, 40 - i):02}" for i in range(40)] * 10})
    table = slices(words, scored(), "mae", important=["town"], seed=0)
    assert len(table) == 11
    assert table.set_index("slice")["rows"]["town = other"] == 400 - 20 * 10
    assert table["rows"].sum() == 400


def test_small_slices_are_marked_and_last() -> None:
    rows = pd.DataFrame({"plan": ["rare"] * 10 + ["usual"] * 390})
    table = slices(rows, scored(), "rmse", important=["plan"], seed=0)
    assert table["too_small"].tolist() == [False, True]
    assert table.iloc[-1]["slice"] == "plan = rare"
    assert not slices(rows, scored(), "rmse", important=["plan"], fewest=10, seed=0)["too_small"].any()


def test_a_slice_without_a_value_is_too_small_whatever_its_rows() -> None:
    truth = (np.arange(200) < 50).astype(int)
    p = np.random.default_rng(0).random(200)
    told = Scored(truth, truth, np.column_stack([1 - p, p]))
    table = slices(pd.DataFrame({"late": np.arange(200) >= 100}), told, "roc_auc", important=[], seed=0)
    assert table["slice"].tolist() == ["late = False", "late = True"]
    assert table["too_small"].tolist() == [False, True]
    assert np.isnan(table.iloc[1]["value"])


def test_only_the_important_columns_are_cut_and_at_most_twenty() -> None:
    many = pd.DataFrame({f"c{i:02}": np.arange(400) % 2 for i in range(30)})
    assert set(slices(many, scored(), "mae", important=["c29", "gone"], seed=0)["column"]) == {"c29"}
    assert slices(many, scored(), "mae", important=[], seed=0)["column"].nunique() == 20


def test_labels_are_short_and_tell_slices_apart() -> None:
    name = "the mean radius of the largest nucleus seen in the picture"
    rows = pd.DataFrame({name: 1000 + np.arange(400) / 4000, "note": ["x" * 60 + str(i % 3) for i in range(400)]})
    table = slices(rows, scored(), "mae", important=[], seed=0)
    assert table["slice"].str.len().max() <= 40
    assert table["slice"].is_unique
    assert len(table) == 7


AWKWARD = {
    "constant": np.ones(400),
    "mostly one number": np.r_[np.zeros(380), np.arange(1, 21)],
    "mostly the largest number": np.r_[np.arange(-20, 0), np.zeros(380)],
    "infinite": np.r_[np.full(150, -np.inf), np.arange(100), np.full(150, np.inf)],
    "all missing": np.full(400, np.nan),
    "times": pd.date_range("2024-01-01", periods=400, freq="h"),
    "categorical": pd.Categorical(["a", "b"] * 200, categories=["a", "b", "never"]),
    "nullable": pd.array([None, *range(399)], dtype="Int64"),
    "true or false": np.arange(400) % 2 == 0,
    "mixed": pd.Series([1, "1", None, 2.5] * 100, dtype=object),
}


@pytest.mark.parametrize("kind", AWKWARD)
def test_awkward_columns_still_give_every_row_one_slice(kind: str) -> None:
    table = slices(pd.DataFrame({"x": AWKWARD[kind]}), scored(), "mae", important=[], seed=0)
    assert table["rows"].sum() == 400
    assert table["rows"].min() > 0


def test_clusters_and_no_rows_give_an_empty_table() -> None:
    space = Scored(np.random.default_rng(0).normal(size=(400, 2)), np.arange(400) % 2)
    for each, rows in ((space, inputs()), (scored().take(np.arange(0)), inputs(0))):
        table = slices(rows, each, "silhouette" if each is space else "mae", important=["age"], seed=0)
        assert table.empty
        assert list(table.columns) == COLUMNS


def test_of_a_large_slice_some_rows_give_the_same_width(monkeypatch: pytest.MonkeyPatch) -> None:
    def width() -> float:
        table = slices(pd.DataFrame({"x": np.ones(4000)}), scored(4000), "mae", important=[], seed=0)
        return float((table["high"] - table["low"]).iloc[0])

    monkeypatch.setattr(module, "SAMPLE", 4000)
    whole = width()
    monkeypatch.setattr(module, "SAMPLE", 1001)
    assert width() == pytest.approx(whole, rel=0.2)


def test_the_inputs_are_left_as_they_were() -> None:
    rows = inputs()
    slices(rows, scored(), "mae", important=["age"], seed=0)
    pd.testing.assert_frame_equal(rows, inputs())


def test_texts_are_cut_by_their_number_of_words() -> None:
    notes = pd.DataFrame({"note": [" ".join(["word"] * (1 + place % 40)) + f" {place}" for place in range(400)]})
    table = slices(notes, scored(), "rmse", important=["note"], texts=["note"], seed=0)
    cuts = {"words of note ≤ 11", "words of note in (11, 21]", "words of note in (21, 31]", "words of note > 31"}
    assert set(table["slice"]) == cuts
    assert table["rows"].sum() == 400
