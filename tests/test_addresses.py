"""An address says what it names; what is secret in it is neither kept nor shown."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from mlworkflow.origins import addresses
from mlworkflow.origins.addresses import SourceError, censored, form_of, without_secrets


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("crm.csv", "file"),
        ("../data/crm 2024.csv", "file"),
        ("https://host/a.csv", "download"),
        ("s3://bucket/a.csv", "download"),
        ("sqlite:///shop.db", "database"),
        ("postgresql+psycopg://user@host/db", "database"),
        ("api+https://host/orders", "api"),
        ("shop.tables:orders", "function"),
    ],
)
def test_an_address_says_what_it_names(address, form):
    assert form_of(address) == form


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "but it is empty"),
        ("  ", "but it is empty"),
        ("ftp://me:w0rd@host/a.csv", "'ftp://me@host/a.csv' begins with ftp://. Fetch the table yourself"),
        ("gs://bucket/a.csv", "'gs://bucket/a.csv' begins with gs://"),
        ("file:///data/a.csv", "begins with file://. Give the path alone."),
    ],
)
def test_an_address_of_no_known_kind_is_refused_with_the_kinds_there_are(address, told):
    with pytest.raises(SourceError) as error:
        form_of(address)
    assert told in str(error.value)
    assert "http(s):// or s3:// address, a database" in str(error.value)
    assert "w0rd" not in str(error.value)


def test_a_database_that_a_package_adds_to_sqlalchemy_is_one(monkeypatch):
    added = {"sqlalchemy.dialects": [EntryPoint("duckdb.native", "nowhere", "sqlalchemy.dialects")]}
    monkeypatch.setattr(addresses, "entry_points", lambda group: added[group])
    assert form_of("duckdb:///shop.db") == "database"
    with pytest.raises(SourceError):
        form_of("duck:///shop.db")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("postgresql://me:w0rd@host:5/db?sslmode=require", "postgresql://me@host:5/db?sslmode=require"),
        ("postgresql://me:w/0@r:d@host/db", "postgresql://me@host/db"),
        ("postgresql://me@host/db?password=w0rd", "postgresql://me@host/db"),
        ("postgresql://me:${WORD}@host/db", "postgresql://me:${WORD}@host/db"),
        ("https://me:w0rd@host/a.csv?x=1&token=w0rd&y=2", "https://host/a.csv?x=1&y=2"),
        ("https://t0ken@host/a.csv", "https://host/a.csv"),
        ("https://host/a.csv?X-Amz-Signature=w0rd", "https://host/a.csv"),
        ("ftp://me:w0rd@host/a.csv", "ftp://me@host/a.csv"),
        ("api+https://host/a?api_key=w0rd", "api+https://host/a"),
        ("api+https://host/a?api_key=${KEY}&size=3", "api+https://host/a?api_key=${KEY}&size=3"),
        ("https://host:80/a.csv?mail=a:b@c", "https://host:80/a.csv?mail=a:b@c"),
        ("data/me:w@x.csv", "data/me:w@x.csv"),
    ],
)
def test_what_is_kept_of_an_address_is_no_secret(address, kept):
    assert without_secrets(address) == kept


def test_no_message_shows_a_secret(monkeypatch):
    monkeypatch.setenv("WORD", "from-the-environment")
    said = "no w0rd, no from-the-environment"
    assert censored(said, "postgresql://me:w0rd@host/db") == "no ***, no from-the-environment"
    assert censored(said, "postgresql://me:${WORD}@host/db") == "no w0rd, no ***"
