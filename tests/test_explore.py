"""Explore: the tables stay as they are, and the page shows every column."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlworkflow.core import io, paths
from mlworkflow.core.problem import Data, Split
from mlworkflow.exploring import explore, findings
from mlworkflow.exploring.looks import columns
from mlworkflow.preparing.prepare import prepare
from tests.test_findings import ROWS, coded, found, people, schema_of

HOSTILE = '<b>a & "b"</b>'


def test_the_tables_stay_as_they_were() -> None:
    table = people().assign(x=lambda rows: rows["noise"].where(rows["noise"] > -1))
    schema = schema_of(table, "binary", "left")
    train = coded(table, schema)
    before = table.copy(), train.copy()
    explore.explore(table, train, schema)
    columns(train, schema)
    pd.testing.assert_frame_equal(table, before[0])
    pd.testing.assert_frame_equal(train, before[1])


def test_empty_and_tiny_tables_are_no_failure() -> None:
    for rows in (0, 1, 3):
        table = people().head(rows)
        schema = schema_of(people(), "binary", "left")
        assert len(columns(coded(table, schema), schema)) == 5
        explore.explore(table, coded(table, schema), schema)
    nothing = people().assign(age=np.nan, city=pd.Series([None] * ROWS, dtype="str"))
    assert found(nothing)


def test_large_tables_are_sampled_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "MOST_ROWS", 100)
    table = people()
    schema = schema_of(table, "binary", "left")
    data = findings.Data(table, coded(table, schema), schema)
    assert len(data.sample) == 100
    html = explore.page("people", {"raw": ROWS, "train": ROWS}, [], columns(data.train, schema), schema)
    assert "100 evenly spaced training rows" in html
    assert "Nothing suspicious was found" in html


def test_of_more_rows_blocks_of_neighbours_are_read_column_by_column(tmp_path: Path) -> None:
    table = pd.DataFrame({"a.b": np.arange(5000), "words": np.arange(5000).astype(str), "gap": [None, 1.5] * 2500})
    io.write_table(table, tmp_path / "table.parquet")
    columns = io.Columns(tmp_path / "table.parquet")
    assert len(columns) == 5000
    pd.testing.assert_series_equal(columns["words"], io.read_table(tmp_path / "table.parquet")["words"])
    some = columns.sample(900, block=100)
    assert list(some) == list(table)
    assert len(some) == 900
    assert some["a.b"].iloc[[0, -1]].tolist() == [0, 4999]
    assert (np.diff(some["a.b"]) == 1).sum() == 9 * 99
    pd.testing.assert_frame_equal(columns.sample(5000), io.read_table(tmp_path / "table.parquet"))


def test_free_text_is_shown_by_its_lengths_and_words_and_keeps_the_checks_quiet() -> None:
    notes = ["The parcel came late", "Thanks, parcel arrived", "", "parcel lost in the rain again"] * (ROWS // 4)
    table = people().assign(note=[f"{note} {place}" for place, note in enumerate(notes)])
    schema = schema_of(table, "binary", "left")
    schema = replace(schema, columns=[replace(c, kind="text") if c.name == "note" else c for c in schema.columns])
    assert explore.explore(table, coded(table, schema), schema) == []
    look = next(look for look in columns(coded(table, schema), schema) if look.name == "note")
    assert look.strength is None
    assert look.holds == "1 · 4.5 · 7 words; most rows: parcel 75%, again 25%, arrived 25%"
    assert look.picture.startswith("<svg")


def test_the_page_shows_every_column_with_hostile_names_as_they_are() -> None:
    table = (
        people()
        .rename(columns={"age": HOSTILE})
        .assign(when=pd.date_range("2024-01-01", periods=ROWS, freq="h"), gone=np.nan)
    )
    table["city"] = table["city"].replace("Ulm", "<i>Ulm</i>")
    schema = schema_of(table, "binary", "left", when="time")
    train = coded(table, schema)
    html = explore.page(
        "people",
        {"raw": ROWS, "train": ROWS},
        explore.explore(table, train, schema),
        columns(train, schema),
        schema,
    )
    page = Page(html)
    assert "<i>" not in html
    assert "<b>a" not in html
    assert HOSTILE in page.text
    assert "<i>Ulm</i>" in page.text
    assert "2024-01-01 · 2024-01-13 · 2024-01-25" in page.text
    assert page.tags.count("tr") == 1 + len(table.columns)
    assert page.tags.count("svg") == len(table.columns) - 1
    assert "script" not in page.tags
    assert "http" not in html


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, html: str) -> None:
        """Read the page."""
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Note a tag."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text += data


def test_the_stage_writes_the_same_bytes_whatever_locale_clock_and_hash_seed(tmp_path: Path) -> None:
    table = people().assign(gap=lambda rows: rows["noise"].mask(rows["noise"] > 1))
    schema = schema_of(table, "binary", "left")
    io.write_table(table, tmp_path / paths.RAW)
    io.write_table(coded(table, schema), tmp_path / paths.TRAIN_ROWS)
    io.write_json(schema.to_dict(), tmp_path / paths.SCHEMA)
    code = (
        "from types import SimpleNamespace as S; from mlworkflow.stages.explore import main;"
        "from mlworkflow.core.problem import Data, Split;"
        "main(S(problem=S(name='people', data=Data(key=['age']), split=Split())))"
    )
    env = {
        **os.environ,
        "LC_ALL": "tr_TR.UTF-8",
        "TZ": "Asia/Tokyo",
        "PYTHONHASHSEED": "7",
        "HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    train = coded(table, schema)
    side = explore.test_side(table, schema, Data(key=["age"]), Split())
    assert side is not None
    assert 0 < side.sum() < ROWS
    told, looks = explore.explore(table, train, schema, side), columns(train, schema)
    here = explore.page("people", {"raw": ROWS, "train": ROWS}, told, looks, schema)
    assert (tmp_path / paths.EXPLORE_PAGE).read_bytes() == here.encode()
    assert io.read_json(tmp_path / paths.DATA_FINDINGS)["findings"][0]["column"] == "gap"


def test_the_values_of_a_key_are_not_shown(table, problem):
    prepared = prepare(table, problem)
    looks = {look.name: look for look in columns(prepared.train, prepared.schema)}
    assert looks["customer"].picture == ""
    assert "c1" not in looks["customer"].holds
    key = next(column for column in prepared.schema.columns if column.name == "customer")
    assert key.categories == []


def test_a_text_is_shown_by_its_number_of_words_and_raises_no_alarm() -> None:
    rng = np.random.default_rng(0)
    notes = [" ".join(["word"] * count) + f" {place}" for place, count in enumerate(rng.integers(1, 20, ROWS))]
    table = people().assign(note=pd.Series(notes, dtype="str"), since=pd.date_range("2020-01-01", periods=ROWS))
    schema = schema_of(table, "binary", "left")
    kinds = {"note": {"kind": "text"}, "since": {"kind": "time", "role": "time"}}
    schema = replace(schema, columns=[replace(one, **kinds.get(one.name, {})) for one in schema.columns])
    train = coded(table, schema)
    assert [one.what for one in explore.explore(table, train, schema) if one.column == "note"] == []
    (look,) = [one for one in columns(train, schema) if one.name == "note"]
    assert " words" in look.holds
    assert look.picture
