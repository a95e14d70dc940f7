"""An address says what it names; what is secret in it is neither kept nor shown."""

from __future__ import annotations

import pytest

from mlworkflow.origins.addresses import censored, form_of, without_secrets


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
    ("address", "kept"),
    [
        ("postgresql://me:w0rd@host:5/db?sslmode=require", "postgresql://me@host:5/db?sslmode=require"),
        ("postgresql://me:w/0@r:d@host/db", "postgresql://me@host/db"),
        ("postgresql://me@host/db?password=w0rd", "postgresql://me@host/db"),
        ("postgresql://me:${WORD}@host/db", "postgresql://me:${WORD}@host/db"),
        ("https://me:w0rd@host/a.csv?x=1&token=w0rd&y=2", "https://host/a.csv?x=1&y=2"),
        ("https://t0ken@host/a.csv", "https://host/a.csv"),
        ("https://host/a.csv?X-Amz-Signature=w0rd", "https://host/a.csv"),
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
