"""`mlworkflow new`: a table becomes a problem, or nothing is written; what is said can be relied on."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mlworkflow.core.errors import ProjectError
from mlworkflow.core.problem import Origin, Problem
from mlworkflow.new.asked import Asked
from mlworkflow.new.make import make
from mlworkflow.origins.snapshots import Snapshot
from tests.conftest import copy_project, mlworkflow, run

SNAPSHOT = Snapshot(
    "data/source/shop.csv",
    {"_target_": "mlworkflow.sources.file", "path": "data/source/shop.csv"},
    Origin(address="shop.csv"),
)


def orders(rows: int = 200) -> pd.DataFrame:
    """Orders as words, with a key, a column that gives the target away, and a constant."""
    rng = np.random.default_rng(1)
    paid = rng.normal(50, 10, rows).round(2)
    table = pd.DataFrame({"order_id": [f"o{number}" for number in range(rows)], "paid": paid})
    table["country"] = rng.choice(["NL", "BE", "nl"], rows, p=[0.6, 0.3, 0.1])
    table["shop"] = "web"
    table["returned"] = np.where(paid + rng.normal(0, 5, rows) > 60, "yes", "no")
    table["refund"] = np.where(table["returned"] == "yes", paid, 0.0)
    return table.astype("str")


def made(table: pd.DataFrame, **asked):
    return make(table, SNAPSHOT, Asked("shop", **asked))


# ---- the problem and what is told ------------------------------------------------------------------------------------


def test_the_file_says_the_problem_that_was_tried():
    found = made(orders(), target="returned")
    written = yaml.safe_load(found.text)
    assert Problem.model_validate({key: value for key, value in written.items() if key != "defaults"}) == found.problem
    assert found.problem.data.key == ["order_id"]
    assert found.problem.data.positive == "yes"


def test_the_file_explains_itself():
    text = made(orders(), target="returned").text
    assert text.startswith("# returned of shop.csv: 200 rows, 6 columns.")
    assert "# the primary one decides" in text
    assert "#     'yes': {'yes': 0, 'no': -100}" in text


def test_each_column_has_a_line_in_the_contract():
    found = made(orders(), target="returned")
    assert set(found.problem.contract) == set(orders())
    assert found.problem.contract["order_id"].unique
    assert found.problem.contract["paid"].kind == "number"


def test_what_gives_the_target_away_is_named_and_constants_are():
    told = " ".join(made(orders(), target="returned").told.split())
    assert "'refund' alone nearly decides 'returned'" in told
    assert "shop" in told
    assert "'refund'" not in " ".join(made(orders(), target="returned", drop=["refund"]).told.split())


def test_what_is_told_fits_a_terminal():
    assert max(map(len, made(orders(), target="returned").told.splitlines())) <= 80


def test_a_table_without_rows_is_refused():
    with pytest.raises(ProjectError, match="it has no rows"):
        made(orders().head(0), target="returned")


def test_a_name_longer_than_a_key_of_yaml_is_refused_with_its_place():
    with pytest.raises(ProjectError, match="the name of column 2 has 1,100 letters"):
        made(orders().rename(columns={"paid": "x" * 1100}), target="returned")


NAMES = [
    "a b",
    "a/b",
    'a"b',
    "a'b",
    "ä",
    "日本",
    "a: b",
    "#a",
    "- a",
    "{a}",
    "[a]",
    "a,b",
    "true",
    "1",
    "~",
    "a\\b",
    "%",
    "a\nb",
    "a\r\n\tb",
    "a\u2028b",
]


def test_odd_names_of_columns_work():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.normal(size=60).round(3).astype(str) for name in NAMES})
    table["y: 'x'"] = ["yes", "no"] * 30
    found = made(table, target="y: 'x'")
    assert set(found.problem.contract) == set(table)
    assert list(yaml.safe_load(found.text)["contract"]) == list(table)
    lines = found.told.split("\n")
    assert r"  a\nb      number -> number: a number as it is" in lines
    assert found.told.splitlines() == lines


def test_a_large_table_is_looked_at_in_steps_that_are_told(monkeypatch):
    said: list[str] = []
    make(orders(), SNAPSHOT, Asked("shop", target="returned"), said.append)
    assert said == []
    monkeypatch.setattr("mlworkflow.new.make.MANY_VALUES", 1200)
    make(orders(), SNAPSHOT, Asked("shop", target="returned"), said.append)
    assert said[0] == "Looking at 6 columns of 200 rows ..."
    assert len(said) == 3


VALUES = st.one_of(
    st.sampled_from(
        ["", "NA", "?", "1", "0", "yes", "no", "2024-01-01", "1,5", "1.5", "inf", "nan", "-3e9", "31.12.2023"]
    ),
    st.text(max_size=8),
    st.floats(allow_nan=True).map(str),
    st.integers(-5, 5).map(str),
)


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
@given(st.data())
def test_any_table_gives_a_problem_or_a_reason(data):
    names = data.draw(st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=5, unique=True))
    rows = data.draw(st.integers(1, 60))
    columns = {name: data.draw(st.lists(VALUES, min_size=1, max_size=6)) for name in names}
    table = pd.DataFrame({name: [words[n % len(words)] for n in range(rows)] for name, words in columns.items()})
    with suppress(ProjectError):
        found = made(table, target=names[0])
        assert Problem.model_validate({k: v for k, v in yaml.safe_load(found.text).items() if k != "defaults"})


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A fresh clone with a table; each test of the command leaves the clone as it found it or goes on from there."""
    root = copy_project(tmp_path_factory.mktemp("new") / "clone")
    orders().to_csv(root / "orders.csv", index=False)
    return root


def new(root: Path, *words: str, code: int | None = 0) -> str:
    return mlworkflow(root, "new", "shop", "--data", "orders.csv", "--target", "returned", *words, code=code)


def changes(root: Path) -> str:
    return run(root, "git", "status", "--porcelain", "--untracked-files=all")


def test_a_dry_run_and_a_wrong_name_write_nothing(shop):
    before = changes(shop)
    assert "Nothing was written" in new(shop, "--dry-run")
    assert "did you mean 'refund'" in new(shop, "--drop", "refunds", code=1)
    assert "needs a name of its own" in mlworkflow(shop, "new", "My Shop", "--data", "orders.csv", code=1)
    assert changes(shop) == before


def test_a_name_of_a_column_with_a_line_break_makes_a_problem_that_composes(shop):
    orders().rename(columns={"returned": "re\nturned", "paid": "pa\nid"}).to_csv(shop / "broken.csv", index=False)
    mlworkflow(shop, "new", "broken", "--data", "broken.csv", "--target", "re\nturned")
    mlworkflow(shop, "compose", "problem=broken")
    composed = yaml.safe_load((shop / "params.yaml").read_text())["problem"]
    assert composed["data"]["target"] == "re\nturned"
    assert "pa\nid" in composed["contract"]


def test_a_killed_replacement_is_undone_by_the_next_command(shop):
    (shop / "mill.py").write_text(
        "import os, pandas\ndef good():\n    return pandas.read_csv('orders.csv')\n"
        "def fatal():\n    os.kill(os.getpid(), 9)\n"
    )
    words = ("mlworkflow", "new", "mill", "--target", "returned", "--data")
    orders().to_csv(shop / "orders.csv", index=False)
    run(shop, *words, "mill:good")
    kept = {path: path.read_bytes() for path in (shop / "data/source").glob("mill*")}
    run(shop, *words, "mill:fatal", "--force", code=-9)
    assert not (shop / "data/source/mill.parquet").exists()
    said = run(shop, *words, "mill:good", code=1)
    assert "was killed before it ended; as before it are again" in said
    assert "is taken by conf/problem/mill.yaml, data/source/mill.parquet" in said
    assert {path: path.read_bytes() for path in (shop / "data/source").glob("mill*")} == kept
    assert not list((shop / "data/source").glob(".mill*"))


def test_what_hydra_cannot_compose_is_refused_and_nothing_is_written(shop):
    orders().rename(columns={"returned": "${returned}"}).to_csv(shop / "odd.csv", index=False)
    before = changes(shop)
    said = mlworkflow(shop, "new", "odd", "--data", "odd.csv", "--target", "${returned}", code=1)
    assert "returned" in said
    assert changes(shop) == before


@pytest.fixture(scope="module")
def said(shop) -> str:
    """What is told when the problem is added."""
    return new(shop, "--drop", "refund")


def test_one_command_makes_a_versioned_problem_and_a_second_refuses(shop, said):
    assert "$ dvc add data/source/shop.csv" in said
    assert "Next:\n  edit question, asked_by and rights in conf/problem/shop.yaml\n  git add " in said
    assert "dvc exp run -S problem=shop" in said
    assert {line[3:] for line in changes(shop).splitlines()} >= {
        "conf/problem/shop.yaml",
        "data/source/shop.csv.dvc",
        "data/source/.gitignore",
    }
    mlworkflow(shop, "compose", "problem=shop")
    assert "is taken by conf/problem/shop.yaml" in new(shop, code=1)


@pytest.mark.usefixtures("said")
def test_force_says_what_it_replaces_and_a_failure_brings_it_back(shop):
    kept = {path: path.read_bytes() for path in (shop / "conf/problem/shop.yaml", shop / "data/source/shop.csv")}
    (shop / "orders.csv").write_text("returned\nyes\n")
    assert "nothing to tell apart" in new(shop, "--force", code=1)
    assert {path: path.read_bytes() for path in kept} == kept
    orders(300).to_csv(shop / "orders.csv", index=False)
    said = new(shop, "--force")
    assert "Replaces conf/problem/shop.yaml." in said
    assert "Replaces data/source/shop.csv." in said
    assert len(pd.read_csv(shop / "data/source/shop.csv")) == 300
