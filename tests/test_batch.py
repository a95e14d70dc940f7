"""Batch predictions: chunks, stops, folders, queries, reasons; the bytes are the same whatever happened in between."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pandas as pd
import pytest

from mlworkflow.batch.command import Wanted, predict
from mlworkflow.core import io
from mlworkflow.core.errors import ProjectError, UnreadableError
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
    assert (code, "it goes on there" in said) == (0, False)
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
    assert not (tmp_path / "out.csv").exists()


def test_the_rows_of_a_query_are_scored(bundle, tmp_path):  # noqa: F811
    with sqlite3.connect(tmp_path / "crm.db") as database:
        customers(9).to_sql("customers", database, index=False)
    database.close()
    address = f"sqlite:///{tmp_path}/crm.db"
    scored(tmp_path, address, bundle, query="SELECT * FROM customers LIMIT 4")
    assert pd.read_csv(tmp_path / "out.csv")["customer"].tolist() == ["c0", "c1", "c2", "c3"]
    with pytest.raises(UnreadableError, match="an address needs --query"):
        scored(tmp_path, address, bundle)


def test_csv_parquet_and_json_lines_hold_the_same(bundle, tmp_path):  # noqa: F811
    io.write_table(customers(9), tmp_path / "rows.csv")
    for suffix in ("csv", "parquet", "jsonl"):
        scored(tmp_path, tmp_path / "rows.csv", bundle, f"out.{suffix}", chunk=4)
    csv = pd.read_csv(tmp_path / "out.csv")
    pd.testing.assert_frame_equal(csv, pd.read_parquet(tmp_path / "out.parquet"), check_dtype=False)
    pd.testing.assert_frame_equal(csv, pd.read_json(tmp_path / "out.jsonl", lines=True), check_dtype=False, rtol=1e-12)


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


def test_options_that_mean_nothing_are_refused(bundle, tmp_path):  # noqa: F811
    with pytest.raises(ProjectError, match="--chunk must be 1 or more"):
        scored(tmp_path, "rows.csv", bundle, chunk=0)
