"""A query's rows become a Parquet file with their types; what a database refuses is told without its password."""

from __future__ import annotations

import sqlite3

import pandas as pd
import pytest

from mlworkflow.core.errors import ProjectError
from mlworkflow.files.tables import read_rows
from mlworkflow.origins import databases
from mlworkflow.origins.databases import take
from tests import servers


@pytest.fixture
def shop(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect("shop.db") as base:
        base.execute("create table orders (id integer, price real, note text, mixed, late integer)")
        base.executemany(
            "insert into orders values (?, ?, ?, ?, ?)",
            [(n, n / 2, f"50% : {n}", "x" if n == 4 else n, None if n < 4 else n) for n in range(6)],
        )
    base.close()
    return "sqlite:///shop.db"


@pytest.fixture(scope="session")
def postgres():
    with servers.postgres() as address:
        yield address


def test_a_query_is_taken_with_its_types_whatever_the_size_of_the_pieces(shop, tmp_path, monkeypatch):
    found = {}
    for rows in (2, 1000):
        monkeypatch.setattr(databases, "ROWS", rows)
        take(shop, "select *, '%' as sign from orders where note like '50% : %' order by id", tmp_path / "out.parquet")
        found[rows] = read_rows(tmp_path / "out.parquet")
    assert [str(kind) for kind in found[2].dtypes] == ["int64", "float64", "str", "str", "float64", "str"]
    pd.testing.assert_frame_equal(found[2], found[1000])
    assert found[2]["mixed"].tolist() == ["0", "1", "2", "3", "x", "5"]
    assert not list(tmp_path.glob(".pieces*"))


@pytest.mark.parametrize(
    ("address", "query", "words"),
    [
        ("sqlite:///shop.db", "select * from order_s", "no such table: order_s"),
        ("sqlite:///shop.db", "select * from orders where id > 9", "it gives no rows"),
        ("sqlite:///shop.db", "select id, id from orders", "'id' is there twice"),
        ("sqlite:///shop.db", "delete from orders", "it gives no table"),
        ("sqlite:///shp.db", "select 1", r"no such file, did you mean 'shop\.db'"),
        ("ftp://here/x", "select 1", "Give an SQLAlchemy address"),
        ("postgresql://me:s3cret@127.0.0.1:1/db", "select 1", "refused"),
        ("postgresql://me:s3cret@127.0.0.1:port/db", "select 1", "invalid literal .*Give an SQLAlchemy address"),
        ("postgresql://me:w0@s3cret@127.0.0.1:1/db", "select 1", "holds an @.* Write %40"),
        ("postgresql://me:${ABSENT}@127.0.0.1:1/db", "select 1", "lacks ABSENT"),
    ],
)
def test_what_a_database_refuses_is_told(shop, tmp_path, address, query, words):
    with pytest.raises(ProjectError, match=words) as told:
        take(address, query, tmp_path / "out.parquet")
    assert "s3cret" not in str(told.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop.db"]
    assert sqlite3.connect("shop.db").execute("select count(*) from orders").fetchone() == (6,)


QUERY = """select n as id, n::numeric / 4 as price, date '2024-01-31' as day, now() as at, n % 2 = 0 as even,
    json_build_object('a', n) as extra, null as nothing, case when n > 2 then n end as late, 'a:b' as word
    from generate_series(1, 5) n order by n"""


def test_postgresql_is_taken_with_its_types(postgres, tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "ROWS", 2)
    take(postgres, QUERY, tmp_path / "out.parquet")
    found = read_rows(tmp_path / "out.parquet")
    assert found["price"].tolist() == [0.25, 0.5, 0.75, 1.0, 1.25]
    assert found["even"].tolist() == [False, True] * 2 + [False]
    assert found["late"].tolist()[2:] == [3, 4, 5]
    assert found["extra"][0] == '{"a": 1}'
    assert str(found["day"].dtype).startswith("datetime64")
    assert found["nothing"].isna().all()


def test_the_password_comes_from_the_environment_and_is_never_shown(postgres, tmp_path, monkeypatch):
    bare = postgres.replace(":s3cret-word", "")
    with pytest.raises(ProjectError, match="PGPASSWORD"):
        take(bare, "select 1 as a", tmp_path / "out.parquet")
    with pytest.raises(ProjectError, match="password authentication failed") as told:
        take(postgres.replace("s3cret", "wr0ng"), "select 1 as a", tmp_path / "out.parquet")
    assert "wr0ng" not in str(told.value)
    monkeypatch.setenv("WORD", "s3cret-word")
    take(bare.replace("reader@", "reader:${WORD}@"), "select 1 as a", tmp_path / "out.parquet")
    monkeypatch.setenv("PGPASSWORD", "s3cret-word")
    take(bare, "select 2 as a", tmp_path / "out.parquet")
    assert read_rows(tmp_path / "out.parquet")["a"].tolist() == [2]


def test_a_query_that_fails_in_the_middle_is_told(postgres, tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "ROWS", 2)
    with pytest.raises(ProjectError, match="division by zero"):
        take(postgres, "select 1 / (5 - n) as a from generate_series(1, 9) n", tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())
