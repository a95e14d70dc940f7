"""A source becomes a snapshot that DVC versions, with its origin and without secrets; or nothing is there at all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from mlworkflow.core.errors import ProjectError
from mlworkflow.core.problem import Api
from mlworkflow.files.tables import read_rows
from mlworkflow.origins import api, downloads, snapshots
from mlworkflow.origins.snapshots import refresh, retake, take
from tests import servers
from tests.conftest import make_problem


@pytest.fixture(scope="module")
def server():
    with servers.web() as web:
        yield web


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run([*downloads.processes.DVC, "init", "-q"], cwd=root, check=True, capture_output=True)
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    return root


@pytest.fixture
def root(repository, monkeypatch, server) -> Path:
    monkeypatch.chdir(repository)
    server.faults.clear()
    return repository


@pytest.fixture
def unversioned(root, monkeypatch) -> list[list[str]]:
    """DVC is not called, as each call takes a second; what it would be told is noted."""
    told: list[list[str]] = []
    monkeypatch.setattr(downloads, "dvc", lambda words, say: told.append(words))
    return told


def source_files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "data/source").glob("*")}


def test_a_file_is_copied_and_versioned_and_taken_anew_when_it_changed(root):
    Path("in put").mkdir()
    Path("in put/crm.CSV").write_text("a;b\n1;2\n")
    said: list[str] = []
    snapshot = take("crm.CSV", "crm", here=Path("in put"), say=said.append)
    assert said == ["$ dvc add data/source/crm.csv"]
    assert snapshot.path == "data/source/crm.csv"
    assert snapshot.source["delimiter"] == ";"
    assert snapshot.origin.address == "in put/crm.CSV"
    assert snapshot.origin.taken.endswith("Z")
    before = Path("data/source/crm.csv.dvc").read_text()
    Path("conf/problem").mkdir(parents=True)
    conf = Path("conf/problem/crm.yaml")
    conf.write_text('name: crm\norigin: {address: in put/crm.CSV, taken: "2020-01-01T00:00:00Z"}\n')
    problem = make_problem(name="crm", snapshot=snapshot.path, source=snapshot.source, origin=snapshot.origin)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlworkflow.config.conf.compose", lambda _: {"problem": problem.model_dump(by_alias=True)})
        assert "nothing new" in refresh("crm", said.append)
        assert "2020" in conf.read_text()
        Path("in put/crm.CSV").write_text("a,b\n1,2\n")
        assert "delimiter ',' instead of ';'" in refresh("crm", said.append)
    assert Path("data/source/crm.csv.dvc").read_text() != before
    assert "2020" not in conf.read_text()
    assert conf.read_text().endswith('Z"}\n')


def test_a_file_that_lies_there_already_stays(root, unversioned):
    Path("data/source").mkdir(parents=True, exist_ok=True)
    Path("data/source/mine.tsv").write_text("a\tb\n1\t2\n")
    snapshot = take("data/source/mine.tsv", "other")
    assert snapshot.path == "data/source/mine.tsv"
    assert unversioned == [["add", "data/source/mine.tsv"]]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.parquet", "a.jsonl", "a.csv.zst"])
def test_the_suffix_says_what_a_snapshot_is(name):
    assert snapshots._suffix(name) == name[1:]


def test_a_download_is_fetched_and_fetched_anew(root, server):
    server.files["/shop.csv"] = b"a,b\n1,2\n"
    said: list[str] = []
    snapshot = take(f"{server.address}/shop.csv", "shop", say=said.append)
    assert said == [
        f"$ dvc get-url --force {server.address}/shop.csv data/source/shop.csv",
        "$ dvc add data/source/shop.csv",
    ]
    problem = make_problem(snapshot=snapshot.path, source=snapshot.source, origin=snapshot.origin)
    server.files["/shop.csv"] = b"a,b\n3,4\n5,6\n"
    retake(problem, said.append)
    assert read_rows(Path(snapshot.path))["a"].tolist() == ["3", "5"]
    before = source_files(root)
    server.files.clear()
    with pytest.raises(ProjectError, match="404 Not Found"):
        retake(problem, said.append)
    assert source_files(root) == before


def test_no_run_of_another_problem_asks_the_source_of_a_download(root, server):
    server.files["/shop.csv"] = b"a,b\n1,2\n"
    downloads.dvc(["import-url", "--force", f"{server.address}/shop.csv", "data/source/shop.csv"], lambda _: None)
    assert "deps" in Path("data/source/shop.csv.dvc").read_text()  # which `dvc exp run` asks, whatever it runs
    take(f"{server.address}/shop.csv", "shop", say=lambda _: None)
    assert "deps" not in Path("data/source/shop.csv.dvc").read_text()


@pytest.mark.parametrize(
    ("path", "words"), [("/status/500/a.csv", "500 Internal"), ("/cut.csv", "not completed|Not enough")]
)
def test_a_download_that_fails_leaves_nothing_and_can_be_tried_again(root, server, path, words):
    server.files[path] = b"a,b\n" + b"1,2\n" * 10_000
    before = source_files(root)
    with pytest.raises(ProjectError, match=words):
        take(f"{server.address}{path}", "cut", say=lambda _: None)
    assert source_files(root) == before


def test_a_file_on_s3_is_fetched(root, monkeypatch):
    import boto3

    with servers.s3() as endpoint:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        store = boto3.client("s3")
        store.create_bucket(Bucket="shop")
        store.put_object(Bucket="shop", Key="in/rows.csv.gz", Body=__import__("gzip").compress(b"a,b\n1,2\n"))
        snapshot = take("s3://shop/in/rows.csv.gz", "rows", say=lambda _: None)
        store.close()
    assert snapshot.path == "data/source/rows.csv.gz"
    assert read_rows(Path(snapshot.path))["b"].tolist() == ["2"]
    assert "testing" not in Path("data/source/rows.csv.gz.dvc").read_text()


def test_a_database_an_api_and_a_function_are_taken_and_taken_anew(root, server, unversioned, monkeypatch):
    with sqlite3.connect("shop.db") as base:
        base.execute("create table orders (id integer)")
        base.execute("insert into orders values (7)")
    base.close()
    Path("shop_tables.py").write_text("import pandas as pd\ndef orders():\n    return pd.DataFrame({'id': [7, 8]})\n")
    monkeypatch.setenv("TOKEN", "s3cret")
    taken = [
        take("sqlite:///shop.db", "base", query="select * from orders"),
        take(f"api+{server.address}/api/links", "web", options=Api(records="data", token="TOKEN")),
        take("shop_tables:orders", "made"),
    ]
    assert [snapshot.path for snapshot in taken] == [
        f"data/source/{name}" for name in ("base.parquet", "web.jsonl.gz", "made.parquet")
    ]
    assert unversioned == [["add", snapshot.path] for snapshot in taken]
    assert [len(read_rows(Path(snapshot.path))) for snapshot in taken] == [1, 7, 2]
    for snapshot in taken:
        assert "s3cret" not in snapshot.origin.model_dump_json()
        content = Path(snapshot.path).read_bytes()
        problem = make_problem(snapshot=snapshot.path, source=snapshot.source, origin=snapshot.origin)
        assert retake(problem).path == snapshot.path
        assert Path(snapshot.path).read_bytes() == content


def test_a_password_is_not_kept(root, unversioned, monkeypatch):
    monkeypatch.setattr(
        "mlworkflow.origins.databases.take", lambda address, query, out: pd.DataFrame({"a": [1]}).to_parquet(out)
    )
    said: list[str] = []
    snapshot = take("postgresql://me:s3cret@host/db", "base", query="select 1", say=said.append)
    assert snapshot.origin.address == "postgresql://me@host/db"
    assert "password in the address is not kept" in said[0]
    assert "s3cret" not in "".join(said)


FAILING = {
    "no file": ("in put/crn.CSV", {}, "did you mean 'crm.CSV'"),
    "no address": ("", {}, "a source must be a file.* but it is empty"),
    "an address of another kind": ("ftp://me:s3cret@host/a.csv", {}, "begins with ftp://"),
    "a folder": ("in put", {}, "in put must be readable, but it is a folder"),
    "no table": ("crm.docx", {}, "its suffix is none of"),
    "no query": ("sqlite:///shop.db", {}, "a database needs a query"),
    "a query for a file": ("crm.csv", {"query": "select 1"}, "a query is for a database"),
    "options for a file": ("crm.csv", {"options": Api()}, "options of an API are for an API"),
    "a failing query": ("sqlite:///shop.db", {"query": "select x from y"}, "no such table|no such file"),
    "a token in a download": ("https://host/a.csv?token=s3cret", {}, "must hold no secret"),
    "a variable in a download": ("https://host/a.csv?token=${T}", {}, "must hold no secret"),
    "a token in an api": ("api+https://host/a?api_key=s3cret", {}, "must hold no secret"),
    "no module": ("nowhere.tables:orders", {}, "there is no module 'nowhere'"),
    "no function": ("broken:ordrs", {}, "no function 'ordrs', did you mean 'orders'"),
    "a failing function": ("broken:orders", {}, r"raises ValueError: out of stock \(broken\.py, line 3\)"),
    "a function without a table": ("broken:number", {}, "it returns int"),
    "mixed columns": ("broken:mixed", {}, "no single type"),
    "a module that fails": ("worse:orders", {}, "importing worse raises ModuleNotFoundError"),
    "an empty file": ("empty.csv", {}, "the file is empty"),
    "a header alone": ("header.csv", {}, "a header and no rows"),
}


@pytest.mark.parametrize("fault", FAILING)
def test_what_cannot_be_taken_leaves_everything_as_it_was(root, unversioned, fault):
    address, options, words = FAILING[fault]
    Path("in put").mkdir(exist_ok=True)
    Path("in put/crm.CSV").write_text("a;b\n1;2\n")
    Path("empty.csv").write_text("")
    Path("header.csv").write_text("a,b\n")
    Path("broken.py").write_text(
        "import pandas as pd\ndef orders():\n    raise ValueError('out of stock')\n"
        "def number():\n    return 1\ndef mixed():\n    return pd.DataFrame({'a': [1, 'x']})\n"
    )
    Path("worse.py").write_text("import absent_package\n")
    Path("data/source").mkdir(parents=True, exist_ok=True)
    for suffix in (".csv", ".parquet", ".csv.dvc"):
        Path(f"data/source/old{suffix}").write_text("as it was")
    before = source_files(root)
    with pytest.raises(ProjectError, match=words) as told:
        take(address, "old", say=lambda _: None, **options)
    assert "s3cret" not in str(told.value)
    assert source_files(root) == before
    assert unversioned == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"a,b\n", "a header and no rows"),
        (b"a,b\n1,2,3\n", "row 1 has 3 values"),
        (b"a,b,a\n1,2,3\n", "'a' is there twice"),
        (b"\0\1", "it is binary"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_of_its_source(root, unversioned, monkeypatch, tmp_path, content, words):
    (root / "shop").mkdir(exist_ok=True)
    Path("shop/orders.csv").write_bytes(content)
    monkeypatch.setattr(downloads, "fetch", lambda address, path, say: path.write_bytes(content))
    for address in ("../shop/orders.csv", "https://host/orders.csv"):
        for trial in (None, tmp_path):
            with pytest.raises(ProjectError, match=words) as told:
                take(address, "told", say=lambda _: None, here=Path("conf"), trial=trial)
            assert str(told.value).startswith(f"{address} ")
            assert not any(inner in str(told.value) for inner in ("data/source", str(tmp_path)))
    assert unversioned == []


def test_a_failure_of_dvc_brings_back_what_was_there(root, monkeypatch):
    Path("new.csv").write_text("a,b\n1,2\n")
    Path("data/source").mkdir(parents=True, exist_ok=True)
    Path("data/source/old.csv").write_text("a\n0\n")
    before = source_files(root)
    monkeypatch.setattr(downloads.processes, "DVC", ("false",))
    with pytest.raises(ProjectError, match="DVC says"):
        take("new.csv", "old", say=lambda _: None)
    assert source_files(root) == before


def test_a_full_disk_leaves_what_was_there(root, unversioned, monkeypatch):
    Path("new.csv").write_text("a,b\n1,2\n")
    Path("data/source").mkdir(parents=True, exist_ok=True)
    Path("data/source/old.csv").write_text("a\n0\n")
    before = source_files(root)

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(snapshots.shutil, "copyfileobj", full)
    with pytest.raises(ProjectError, match="No space left on device"):
        take("new.csv", "old", say=lambda _: None)
    assert source_files(root) == before


def test_a_trial_leaves_nothing_in_the_repository(root, unversioned, tmp_path):
    Path("whole.py").write_text("import pandas as pd\ndef table():\n    return pd.DataFrame({'a': [1]})\n")
    before = source_files(root) if Path("data/source").is_dir() else {}
    Path("new.csv").write_text("a,b\n1,2\n")
    assert take("new.csv", "look", trial=tmp_path).path == "new.csv"
    take("whole:table", "look", trial=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["look.parquet"]
    assert unversioned == []
    assert source_files(root) == before


def test_who_looks_before_it_is_kept_can_undo_it(root, unversioned):
    Path("new.csv").write_text("a,b\n1,2\n")
    before = source_files(root) if Path("data/source").is_dir() else {}

    def refuse(snapshot: snapshots.Snapshot) -> None:
        assert read_rows(Path(snapshot.path))["a"].tolist() == ["1"]
        raise ProjectError("no target")

    with pytest.raises(ProjectError, match="no target"):
        take("new.csv", "seen", look=refuse)
    assert source_files(root) == before
    assert unversioned == []


@pytest.mark.parametrize(
    ("module", "address", "query"),
    [
        ("origins.databases", "sqlite:///shop.db", "select 1"),
        ("origins.downloads", "s3://shop/a.csv", None),
        ("files.tables", "a.xlsx", None),
    ],
)
def test_a_missing_extra_is_named(root, unversioned, monkeypatch, module, address, query):
    Path("a.xlsx").write_bytes(b"PK")
    monkeypatch.setattr(f"mlworkflow.{module}.find_spec", lambda _: None)
    with pytest.raises(ProjectError, match=r"is not installed.* Type `make extras`"):
        take(address, "extra", query=query)


def test_a_folder_without_dvc_and_a_problem_without_origin_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("a\n1\n")
    with pytest.raises(ProjectError, match="Type `dvc init`"):
        take("a.csv", "a")
    with pytest.raises(ProjectError, match=r"the problem churn has none"):
        retake(make_problem())


def test_the_waits_of_an_api_are_short_enough_to_sit_through():
    assert sum(api._wait(attempt, None) for attempt in range(1, api.TRIES)) < 10
