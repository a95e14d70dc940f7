"""An API is read page by page, again where it stumbles, and kept as lines that need it no more."""

from __future__ import annotations

import socket

import pytest

from mlworkflow.core.errors import ProjectError
from mlworkflow.core.problem import Api
from mlworkflow.files.tables import read_rows
from mlworkflow.origins import api
from tests import servers


@pytest.fixture(scope="module")
def server():
    with servers.web() as web:
        yield web


@pytest.fixture
def take(server, tmp_path, monkeypatch):
    monkeypatch.setattr(api, "FIRST_WAIT", 0.01)
    server.asked.clear()
    server.faults.clear()
    said: list[str] = []

    def taken(path: str, **options):
        api.take(f"api+{server.address}{path}", Api(**options), tmp_path / "out.jsonl.gz", said.append)
        return read_rows(tmp_path / "out.jsonl.gz")

    taken.said = said
    return taken


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/api/links", {}),
        ("/api/deep", {"records": "result.items", "next": "paging.after"}),
        ("/api/pages?size=3", {"page": "page"}),
        ("/api/pages", {"offset": "offset"}),
        ("/api/list", {}),
    ],
)
def test_every_page_is_read_once(server, take, path, options):
    found = take(path, **options)
    assert found["id"].tolist() == [str(number) for number in range(7)]
    assert list(found) == ["id", "at.town", "ok"]
    assert len(server.asked) == len(set(server.asked))


def test_the_same_records_give_the_same_bytes(take, tmp_path):
    take("/api/links")
    first = (tmp_path / "out.jsonl.gz").read_bytes()
    assert first[4:8] == bytes(4)  # no time
    take("/api/list")
    assert (tmp_path / "out.jsonl.gz").read_bytes() == first


def test_what_passes_is_tried_again(server, take):
    server.faults[:] = [(429, "0"), "cut", (503, "")]
    assert len(take("/api/links")) == 7
    assert [line.split(";")[1].strip()[:10] for line in take.said] == ["try 2 of 5", "try 3 of 5", "try 4 of 5"]
    assert "429 Too Many Requests" in take.said[0]
    assert "connection failed" in take.said[1]


@pytest.mark.parametrize(("asked", "seconds"), [("7", 7), ("9999", 60), ("soon", 0.5), (None, 0.5)])
def test_the_wait_is_what_the_server_asks_for_but_never_long(asked, seconds):
    assert api._wait(1, asked) == seconds
    assert api._wait(3, None) == 2


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("/api/nowhere", {}, "404 Not Found"),
        ("/api/none", {}, "there are none"),
        ("/api/loop", {}, "was read before"),
        ("/api/list", {"page": "pag"}, "the one before again: it does not know 'pag'"),
        ("/api/away", {}, "on another server: 127.0.0.2"),
        ("/api/values", {}, "record 1 is no object"),
        ("/api/two", {}, "holds 'data', 'errors'.*Say under which name"),
        ("/api/pages", {"records": "dat"}, "under 'dat', did you mean 'data'"),
        ("/api/words", {}, "no JSON"),
        ("/api/links", {"token": "ABSENT"}, "environment lacks ABSENT"),
    ],
)
def test_what_is_no_list_of_records_is_told(take, path, options, words):
    with pytest.raises(ProjectError, match=words):
        take(path, **options)


def test_a_server_that_goes_on_failing_is_given_up(server, take):
    server.faults[:] = [(500, "")] * 5
    with pytest.raises(ProjectError, match="500 Internal Server Error, 5 times"):
        take("/api/list")
    assert len(server.asked) == 5


def test_a_refused_connection_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "FIRST_WAIT", 0.001)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"api+http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(ProjectError, match="Connection refused"):
            api.take(address, Api(), tmp_path / "out.jsonl.gz", lambda _: None)


def test_the_token_is_sent_and_never_shown(server, take, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")
    take("/api/links", token="TOKEN")
    assert {sent for _, sent in server.asked} == {"Bearer s3cret"}
    server.faults[:] = [(403, "")]
    with pytest.raises(ProjectError, match="token that is allowed") as told:
        take("/api/links?k=${TOKEN}")
    assert "s3cret" not in str(told.value)
    assert server.asked[-1][0] == "/api/links?k=s3cret"
