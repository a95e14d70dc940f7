"""Tables larger than memory: batches change no result, and a file is there whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mlworkflow.core import paths
from mlworkflow.core.errors import TableError, UnreadableError
from mlworkflow.preparing.prepare import prepare, stream
from mlworkflow.rows import batches
from mlworkflow.rows.batches import read_batches, writing
from mlworkflow.stages import collect, featurize
from mlworkflow.stages import prepare as prepare_stage
from tests.conftest import make_problem


class Sections:
    """What a stage reads of params.yaml."""

    def __init__(self, problem):
        self.problem = problem


def rows(count: int = 500) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "customer": [f"c{number}" for number in draw.integers(0, count, count)],
            "age": draw.integers(18, 90, count).astype(str),
            "worth": np.where(draw.random(count) < 0.1, np.nan, draw.normal(size=count)),
            "plan": draw.choice(["gold", "Gold ", "tin", "NA"], count),
            "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(draw.integers(0, 900, count), unit="D"),
            "left": draw.choice(["yes", "no", ""], count),
        }
    )
    return pd.concat([table, table[:20]], ignore_index=True)


PROBLEMS = {
    "hash": {},
    "content": {"data": {"key": []}, "prepare": {"outliers": {"worth": "clip"}}},
    "last": {"prepare": {"same_key": "last", "spelling": {"plan": {"gold": "gold"}}}},
    "time": {"data": {"time": "since"}, "split": {"scheme": "time"}},
}


@pytest.mark.parametrize("size", [97, 100_000])
@pytest.mark.parametrize("changes", PROBLEMS.values(), ids=PROBLEMS)
def test_the_stages_make_of_batches_what_is_made_of_the_whole(changes, size, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(read_batches, "__defaults__", (size,))
    ratio = {"_target_": "mlworkflow.features.Ratio", "over": "age", "under": "worth"}
    problem = make_problem(**changes, features=[ratio])
    with writing(paths.RAW) as writer:
        writer.add(rows())
    prepare_stage.main(Sections(problem))
    whole = prepare(rows(), problem)
    for side, path in ((whole.train, paths.TRAIN_ROWS), (whole.test, paths.TEST_ROWS)):
        pd.testing.assert_frame_equal(pd.read_parquet(path), side)
    assert json.loads(paths.SCHEMA.read_text())["rows"] == len(whole.train)
    pd.testing.assert_frame_equal(pd.read_csv(paths.LEDGER, keep_default_na=False), whole.ledger)
    featurize.main(Sections(problem))
    wide, schema = featurize.featurize(whole.train, whole.schema, featurize.build([ratio], whole.schema))
    pd.testing.assert_frame_equal(pd.read_parquet(paths.TRAIN), wide)
    assert json.loads(paths.FEATURES.read_text()) == json.loads(json.dumps(schema.to_dict()))


def test_a_word_that_is_unreadable_is_told_with_its_row_in_the_whole_table(table):
    table.loc[31, "age"] = "old"
    parts = [table[first : first + 7].reset_index(drop=True) for first in range(0, 41, 7)]
    with pytest.raises(TableError, match="'age', row 32: 'old' is no number"):
        stream(lambda: parts, make_problem(data={"kinds": {"age": "number"}}), lambda *sides: None)


def test_a_split_by_time_is_written_in_order_of_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with writing(paths.RAW) as writer:
        writer.add(rows())
    prepare_stage.main(Sections(make_problem(**PROBLEMS["time"])))
    train, test = pd.read_parquet(paths.TRAIN_ROWS), pd.read_parquet(paths.TEST_ROWS)
    assert train["since"].is_monotonic_increasing
    assert train["since"].max() < test["since"].min()


def halves(path: str) -> object:
    """A source that yields its table in two batches."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    yield table[:25]
    yield table[25:]


def test_a_source_may_yield_batches(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table.to_csv("customers.csv", index=False)
    problem = make_problem(
        source={"_target_": "tests.test_batches.halves"},
        origin={"address": "https://example.org/customers", "taken": "2024-01-31T00:00:00Z"},
        contract={"customer": {"kind": "category"}},
    )
    collect.main(Sections(problem))
    pd.testing.assert_frame_equal(pd.read_parquet(paths.RAW), table)
    provenance = json.loads(paths.PROVENANCE.read_text())
    assert (provenance["rows"], provenance["columns"]) == (41, 4)
    assert provenance["origin"] == {"address": "https://example.org/customers", "taken": "2024-01-31T00:00:00Z"}


def test_rows_that_break_the_contract_leave_no_file(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table.to_csv("customers.csv", index=False)
    problem = make_problem(
        source={"_target_": "tests.test_batches.halves"},
        contract={"customer": {"kind": "category", "unique": True}, "age": {"kind": "number", "missing": False}},
    )
    with pytest.raises(collect.ContractError, match=r"(?s)row 41 has 'c0'.*'age' must not be missing.*row 6"):
        collect.main(Sections(problem))
    assert list(paths.RAW.parent.iterdir()) == []


def test_a_type_that_was_too_narrow_is_widened(tmp_path):
    path = tmp_path / "table.parquet"
    with writing(path) as writer:
        writer.add(pd.DataFrame({"a": [1, 2], "b": [None, None], "c": [1, "x"]}))
        writer.add(pd.DataFrame({"a": [0.5, np.nan], "b": ["x", None], "c": ["y", "z"]}))
        writer.add(pd.DataFrame({"a": [3, 4], "b": [None, "y"], "c": ["y", None]}))
    found = pd.read_parquet(path)
    assert found["a"].tolist()[:3] == [1, 2, 0.5]
    assert found["b"].isna().tolist() == [True, True, False, True, True, False]
    assert found["c"].tolist()[:4] == ["1", "x", "y", "z"]
    assert [file.name for file in tmp_path.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize(
    ("second", "words"),
    [({"a": ["x"]}, "'a' has int64 in some rows and"), ({"b": [1]}, r"not every batch has the columns \['a', 'b'\]")],
)
def test_batches_that_do_not_fit_together_are_told_and_leave_the_old_file(tmp_path, second, words):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"before")
    with pytest.raises(TableError, match=words), writing(path) as writer:
        writer.add(pd.DataFrame({"a": [1]}))
        writer.add(pd.DataFrame(second))
    assert path.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir()] == ["table.parquet"]


def test_a_column_of_lists_or_further_columns_is_told(tmp_path):
    with pytest.raises(TableError, match=r"'a' holds lists or further columns, such as \{'b': 1\}"):
        batches.arrow_table(pd.DataFrame({"a": [{"b": 1}, None]}))


def test_a_file_that_is_no_parquet_is_told(tmp_path):
    (tmp_path / "table.parquet").write_bytes(b"words")
    with pytest.raises(UnreadableError, match=r"table\.parquet must be readable"):
        list(read_batches(tmp_path / "table.parquet"))


def test_a_header_without_rows_is_one_empty_batch(tmp_path):
    with writing(tmp_path / "table.parquet") as writer:
        writer.add(rows()[:0])
    (batch,) = read_batches(tmp_path / "table.parquet")
    assert list(batch) == list(rows())
