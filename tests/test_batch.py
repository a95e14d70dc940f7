"""Batch predictions: chunks, stops, folders, queries, reasons; the bytes are the same whatever happened in between."""

from __future__ import annotations

import csv
import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time

import pandas as pd
import pytest

from mlworkflow.batch.command import Wanted, predict
from mlworkflow.batch.parts import Parts
from mlworkflow.core import io
from mlworkflow.core.errors import ProjectError, TableError, UnreadableError
from mlworkflow.origins.addresses import SourceError
from tests.conftest import ROOT
from tests.test_bundle import customers
from tests.test_predict import bundle, folder  # noqa: F401

SLOW = """
import sys, time
from pathlib import Path
from mlworkflow.batch import command
score = command.score
def slow(*given):
    time.sleep(0.05)
    return score(*given)
command.score = slow
command.predict(command.Wanted(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), chunk=2))
"""


def scored(tmp_path, rows, bundle, out="out.csv", **more):  # noqa: F811
    said = []
    code = predict(Wanted(str(rows), tmp_path / out, bundle, **more), say=said.append)
    return code, "\n".join(said)


def test_the_size_of_chunks_changes_nothing(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(), tmp_path / "rows.csv")
    for chunk in (7, 1000):
        scored(tmp_path, tmp_path / "rows.csv", bundle, f"{chunk}.csv", chunk=chunk, backend="onnx")
    small, large = (pd.read_csv(tmp_path / f"{chunk}.csv") for chunk in (7, 1000))
    pd.testing.assert_frame_equal(small, large, rtol=1e-12)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(bundle, tmp_path, number):  # noqa: F811
    io.write_table(customers(), tmp_path / "rows.csv")
    scored(tmp_path, tmp_path / "rows.csv", bundle, "whole.csv", chunk=2)
    command = [sys.executable, "-c", SLOW, str(tmp_path / "rows.csv"), str(tmp_path / "out.csv"), str(bundle)]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, stderr=subprocess.DEVNULL
    ) as run:
        parts = tmp_path / ".out.csv.parts"
        while len(list(parts.glob("*-said.csv"))) < 3:
            time.sleep(0.01)
        run.send_signal(number)
    assert not (tmp_path / "out.csv").exists()
    _, said = scored(tmp_path, tmp_path / "rows.csv", bundle, chunk=2)
    assert "chunks of a run that was stopped are finished" in said
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not parts.exists()


def test_a_stopped_run_of_other_rows_is_begun_anew(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(20), tmp_path / "rows.csv")
    parts = tmp_path / ".out.csv.parts"
    parts.mkdir()
    (parts / "state.json").write_text('{"asked": "something else"}')
    (parts / "part-000000-said.csv").write_text("lies\n")
    (parts / "part-000000-rejects.csv").write_text("file,row,column,value,reason,values\n")
    code, said = scored(tmp_path, tmp_path / "rows.csv", bundle)
    assert (code, "it goes on there" in said, "it is begun anew" in said) == (0, False, True)
    assert "lies" not in (tmp_path / "out.csv").read_text()


def test_a_folder_is_scored_file_after_file(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(5), tmp_path / "in/b.csv")
    io.write_table(customers(3, seed=1), tmp_path / "in/a/x.parquet")
    (tmp_path / "in/readme.md").write_text("no table")
    scored(tmp_path, tmp_path / "in", bundle)
    found = pd.read_csv(tmp_path / "out.csv")
    assert found["file"].tolist() == ["a/x.parquet"] * 3 + ["b.csv"] * 5
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableError, match="it holds no table"):
        scored(tmp_path, tmp_path / "empty", bundle)


def test_a_damaged_file_of_a_folder_is_named_and_nothing_is_written(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(5), tmp_path / "in/a.csv")
    (tmp_path / "in/b.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnreadableError, match=r"b\.parquet"):
        scored(tmp_path, tmp_path / "in", bundle)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_files_with_the_key_and_without_are_not_mixed(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(5), tmp_path / "in/a.csv")
    io.write_table(customers(5).drop(columns="customer"), tmp_path / "in/b.csv")
    with pytest.raises(TableError, match=r"up to b\.csv .*\n.*have the key's columns, others have not: customer"):
        scored(tmp_path, tmp_path / "in", bundle)


def test_keys_of_several_types_are_words_in_parquet(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(2).assign(customer=[1, 2]), tmp_path / "in/a.parquet")
    io.write_table(customers(1), tmp_path / "in/b.csv")
    scored(tmp_path, tmp_path / "in", bundle, "out.parquet")
    assert pd.read_parquet(tmp_path / "out.parquet")["customer"].tolist() == ["1", "2", "c0"]


def test_what_a_run_writes_is_no_input(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(5), tmp_path / "in/a.csv")
    (tmp_path / "in/.out.csv.parts").mkdir()
    (tmp_path / "in/.out.csv.parts/part-000000-said.csv").write_text("of a run before\n")
    for _ in range(2):
        scored(tmp_path, tmp_path / "in", bundle, "in/out.csv")
        assert len(pd.read_csv(tmp_path / "in/out.csv")) == 5
    with pytest.raises(UnreadableError, match="the predictions would overwrite it"):
        scored(tmp_path, tmp_path / "in/a.csv", bundle, "in/a.csv")


def test_a_key_may_hold_what_csv_is_made_of(bundle, tmp_path):  # noqa: F811
    names = ["a\rb", 'c,"d"', "e\nf", "g"]
    rows = customers(4).assign(customer=names)
    rows.to_parquet(tmp_path / "rows.parquet")
    rows.assign(age=["x\ry", "1", "2", "3"]).to_parquet(tmp_path / "bad.parquet")
    scored(tmp_path, tmp_path / "rows.parquet", bundle)
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["customer"] for row in csv.DictReader(file)] == names
    assert scored(tmp_path, tmp_path / "bad.parquet", bundle)[0] == 3
    with (tmp_path / "out.csv.rejects.csv").open(newline="") as file:
        assert [row["value"] for row in csv.DictReader(file)] == ["x\ry"]


def test_the_rows_of_a_query_are_scored(bundle, tmp_path):  # noqa: F811
    with sqlite3.connect(tmp_path / "crm.db") as database:
        customers(9).to_sql("customers", database, index=False)
    database.close()
    address = f"sqlite:///{tmp_path}/crm.db"
    scored(tmp_path, address, bundle, query="SELECT * FROM customers LIMIT 4")
    assert pd.read_csv(tmp_path / "out.csv")["customer"].tolist() == ["c0", "c1", "c2", "c3"]
    with pytest.raises(UnreadableError, match="an address needs --query"):
        scored(tmp_path, address, bundle)


def test_the_rows_of_a_query_that_was_stopped_are_not_those_of_another(bundle, tmp_path, monkeypatch):  # noqa: F811
    with sqlite3.connect(tmp_path / "crm.db") as database:
        customers(9).to_sql("customers", database, index=False)
    database.close()
    address, ask = f"sqlite:///{tmp_path}/crm.db", "SELECT * FROM customers WHERE customer = '{}'"
    with monkeypatch.context() as stopping:
        stopping.setattr(Parts, "join", lambda *_: sys.exit())
        with pytest.raises(SystemExit):
            scored(tmp_path, address, bundle, query=ask.format("c1"))
    _, said = scored(tmp_path, address, bundle, query=ask.format("c5"))
    assert "it is begun anew" in said
    assert pd.read_csv(tmp_path / "out.csv")["customer"].tolist() == ["c5"]


def test_csv_parquet_and_json_lines_hold_the_same(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(9), tmp_path / "rows.csv")
    for suffix in ("csv", "parquet", "jsonl"):
        scored(tmp_path, tmp_path / "rows.csv", bundle, f"out.{suffix}", chunk=4)
    parquet, lines = pd.read_parquet(tmp_path / "out.parquet"), (tmp_path / "out.jsonl").read_text().splitlines()
    text = pd.read_csv(tmp_path / "out.csv")
    pd.testing.assert_frame_equal(text, parquet, check_dtype=False)
    assert [json.loads(line) for line in lines] == parquet.to_dict("records")


def test_reasons_come_with_each_row(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(9), tmp_path / "rows.csv")
    scored(tmp_path, tmp_path / "rows.csv", bundle, reasons=2)
    found = pd.read_csv(tmp_path / "out.csv")
    assert list(found)[-2:] == ["reason_1", "reason_2"]
    assert found["reason_1"].str.fullmatch(r"\w+=\S+ \([+-]\S+\)").all()


def test_a_workers_cluster_makes_the_same_bytes(bundle, tmp_path):  # noqa: F811
    pytest.importorskip("distributed")
    io.write_table(customers(), tmp_path / "rows.csv")
    for compute in ("local", "dask"):
        scored(tmp_path, tmp_path / "rows.csv", bundle, f"{compute}.csv", chunk=9, compute=compute)
    assert (tmp_path / "dask.csv").read_bytes() == (tmp_path / "local.csv").read_bytes()


def test_a_worker_tells_a_mistake_in_the_same_words():
    told = TableError("rows.csv", ["the column 'age' is missing"], "Name it.")
    again = pickle.loads(pickle.dumps(told))
    assert (type(again), str(again)) == (TableError, str(told))


def test_options_that_mean_nothing_are_refused(bundle, tmp_path):  # noqa: F811
    with pytest.raises(ProjectError, match="--chunk must be 1 or more"):
        scored(tmp_path, "rows.csv", bundle, chunk=0)
    with pytest.raises(ProjectError, match="--compute must be local, dask or the address"):
        scored(tmp_path, "rows.csv", bundle, compute="cluster")
    with pytest.raises(SourceError, match="so --query has nothing to ask"):
        scored(tmp_path, "rows.csv", bundle, query="SELECT 1")
