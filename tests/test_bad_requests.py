"""Bad requests: each gets the right status and a clear document; never a 5xx of ours, never a silent wrong answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from mlworkflow.api import command
from mlworkflow.api.command import ServeError, Wanted, serve
from mlworkflow.api.front import Front
from mlworkflow.api.keys import add
from mlworkflow.api.limits import Limits
from mlworkflow.api.rest import rest
from mlworkflow.api.served import served
from mlworkflow.api.service import Service
from mlworkflow.core import paths
from mlworkflow.core.errors import DamagedBundleError
from mlworkflow.recording.reading import read
from tests.asked import Api
from tests.conftest import ROOT
from tests.test_bundle import customers, make, question

ROW = {"age": 31, "paid": 52.5, "plan": "basic", "since": "2024-02-01"}
MODEL = "/v2/models/churn/infer"
TENSORS = [
    {"name": "age", "shape": [1], "datatype": "FP64", "data": [31]},
    {"name": "paid", "shape": [1], "datatype": "FP64", "data": [52.5]},
    {"name": "plan", "shape": [1], "datatype": "BYTES", "data": ["basic"]},
    {"name": "since", "shape": [1], "datatype": "BYTES", "data": ["2024-02-01"]},
]
INTERNAL = re.compile(rf"Traceback|File \"|{re.escape(str(ROOT))}|/tmp|\.py\b|site-packages|mlworkflow\.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    with contextlib.chdir(folder):
        make(question(), customers())
    return folder / paths.BUNDLE


@pytest.fixture(scope="module")
def api(folder):
    return Api(folder, limits=Limits(body=2_000_000, rows=1000, body_seconds=0.2))


def tensor(place, **changes):
    """Return the tensors with one of them changed; None takes a key away."""
    changed = {**TENSORS[place], **changes}
    kept = {key: value for key, value in changed.items() if value is not None}
    return {"inputs": [*TENSORS[:place], kept, *TENSORS[place + 1 :]]}


ROWS = [  # (body, status, words)
    (b"", 400, "must be JSON"),
    (b"{", 400, "line 1, column 2"),
    (b'{"age": 1,}', 400, "must be JSON"),
    (b"age=1&paid=2", 400, "must be JSON"),
    (b"{\xff}", 400, "not UTF-8"),
    (b'{"age": 1' * 5, 400, "must be JSON"),
    (b"[" * 200_000, 400, "nested too deeply"),
    (b'{"age": ' + b"9" * 5000 + b"}", 400, "too many digits"),
    (b"7", 422, "must be a row"),
    (b'"row"', 422, "must be a row"),
    (b"null", 422, "must be a row"),
    ([1, 2], 422, "must be an object"),
    ([[ROW]], 422, "must be an object"),
    ({}, 422, "must be there"),
    ({"rows": [ROW]}, 422, "must be a field of the model"),
    ({**ROW, "aeg": 1}, 422, "did you mean 'age'"),
    ({key: value for key, value in ROW.items() if key != "age"}, 422, "must be there"),
    ({**ROW, "age": "31"}, 422, "must be a finite number"),
    ({**ROW, "age": True}, 422, "must be a finite number"),
    ({**ROW, "age": [31]}, 422, "must be a finite number"),
    ({**ROW, "age": {"value": 31}}, 422, "must be a finite number"),
    (json.dumps({**ROW, "age": float("nan")}).encode(), 422, "must be a finite number"),
    (json.dumps({**ROW, "age": float("inf")}).encode(), 422, "must be a finite number"),
    (b'{"age": 1e999, "paid": 1, "plan": "a", "since": null}', 422, "must be a finite number"),
    ({**ROW, "age": 10**400}, 422, "must be a finite number"),
    ({**ROW, "plan": ["basic"]}, 422, "must be a word"),
    ({**ROW, "plan": {"name": "basic"}}, 422, "must be a word"),
    (b'{"age": 1, "paid": 1, "plan": "\\ud800", "since": null}', 422, "must be a word"),
    ({**ROW, "since": "yesterday"}, 422, "must be a date"),
    ({**ROW, "since": "2024-13-01"}, 422, "must be a date"),
    ({**ROW, "since": 20240131}, 422, "must be a date"),
    ({**ROW, "since": "0000-01-01"}, 422, "must be a date"),
    (b'{"\\ud800": 1}', 422, "must be a field of the model"),
    (b'{"a\\ud800ge": 1}', 422, "did you mean 'age'"),
    ({**ROW, "x" * 100_000: 1}, 422, "xxx..."),
    ({f"k{number}": 1 for number in range(100_000)}, 422, "and 99954 more"),
    ([ROW] * 1001, 413, "may have 1000 rows"),
    ({**ROW, "plan": "x" * 3_000_000}, 413, "may have 2,000,000 bytes"),
    ([ROW] * 100_000, 413, "bytes"),
]


def demand_safe(answer):
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"


def demand_problem(answer, status, words=""):
    assert answer.status == status, answer.content
    assert answer.headers["content-type"] == "application/problem+json"
    demand_safe(answer)
    assert len(answer.content) < 20_000
    told = answer.json
    assert (told["status"], bool(told["title"]), bool(told["detail"])) == (status, True, True)
    assert words in json.dumps(told, ensure_ascii=False), told
    assert not INTERNAL.search(answer.content.decode())
    return told


@pytest.mark.parametrize(("body", "status", "words"), ROWS)
def test_bad_rows_are_refused(api, body, status, words):
    demand_problem(api.predict(body), status, words)


V2 = [
    ({}, 400, "`inputs`"),
    ({"inputs": {}}, 400, "`inputs`"),
    ({"inputs": []}, 200, ""),
    ({"inputs": [7]}, 400, "There is no input '7'"),
    (tensor(0, name="aeg"), 400, "There is no input 'aeg'"),
    (tensor(0, shape=[2]), 400, "must be [n] or [n, 1]"),
    (tensor(0, shape=None), 400, "must be [n] or [n, 1]"),
    (tensor(0, shape=[1, 1, 1]), 400, "must be [n] or [n, 1]"),
    (tensor(0, data=None), 400, "must have `data`"),
    (tensor(0, data=["31"]), 422, "must be a finite number"),
    (tensor(0, data=[31, 32], shape=[2]), 400, "as many rows"),
    (tensor(0, parameters={"binary_data_size": 8}), 400, "must be the bytes that follow"),
    (tensor(0, parameters={"binary_data_size": "8"}), 400, "must be the bytes that follow"),
    ({"inputs": TENSORS[1:]}, 422, "must be there"),
    ({"inputs": TENSORS, "outputs": [{"name": "nothing"}]}, 400, "There is no output 'nothing'"),
    ({"inputs": TENSORS, "outputs": 3}, 400, "`outputs` must be a list"),
    ({"inputs": TENSORS, "outputs": [{"name": []}]}, 400, "There is no output '[]'"),
    ({"inputs": TENSORS, "outputs": [{"name": "prediction"}] * 2}, 400, "must be there once"),
    ({"inputs": [*TENSORS, {**TENSORS[0], "data": [99]}]}, 400, "The input 'age' must be there once"),
    (tensor(0, name=[]), 400, "There is no input '[]'"),
    (tensor(0, name={"age": 1}), 400, "There is no input"),
    (tensor(0, name="\ud800"), 400, "There is no input"),
    (tensor(0, datatype=None), 400, "The datatype of 'age' must be"),
    (tensor(0, datatype="FP65"), 400, "The datatype of 'age' must be"),
    (tensor(0, datatype=["FP64"]), 400, "The datatype of 'age' must be"),
    (tensor(0, data=[1e999]), 422, "must be a finite number"),
    (tensor(0, data=[[[31]]]), 422, "must be a finite number"),
    ({"inputs": TENSORS, "id": "\ud800"}, 400, "`id` must be a text"),
    ({"inputs": TENSORS, "id": 7}, 400, "`id` must be a text"),
    ({"inputs": [{**one, "shape": [1001], "data": one["data"] * 1001} for one in TENSORS]}, 413, "1000 rows"),
    (b"[" * 200_000, 400, "must be JSON"),
    (b"\xff\xfe", 400, "must be JSON"),
    ({"inputs": TENSORS, "outputs": [3]}, 400, "There is no output"),
]


@pytest.mark.parametrize(("body", "status", "words"), V2)
def test_what_does_not_keep_the_protocol_is_refused(api, body, status, words):
    answer = api.ask("POST", MODEL, body)
    if status == 200:
        assert answer.json["outputs"][0]["shape"] == [0]
    else:
        demand_problem(answer, status, words)


@pytest.mark.parametrize(
    ("head", "tail", "length", "words"),
    [
        (tensor(0, data=None, parameters={"binary_data_size": 7}), b"1234567", None, "no whole number of FP64"),
        (tensor(0, data=None, datatype="FP65", parameters={"binary_data_size": 8}), b"12345678", None, "datatype"),
        (
            tensor(2, data=None, parameters={"binary_data_size": 6}),
            b"\x09\0\0\0ab",
            None,
            "no words with their lengths",
        ),
        (tensor(2, data=None, parameters={"binary_data_size": 5}), b"\x01\0\0\0\xff", None, "in UTF-8"),
        ({"inputs": TENSORS}, b"", "99999999", "must be the length of the JSON part"),
        ({"inputs": TENSORS}, b"", "-1", "must be the length of the JSON part"),
        ({"inputs": TENSORS}, b"", "5", "must be JSON"),
        ({"inputs": TENSORS}, b"", "\xb2", "must be the length of the JSON part"),
        ({"inputs": TENSORS}, b"", "9" * 5000, "must be the length of the JSON part"),
        ({"inputs": TENSORS}, b"12345678", None, "8 bytes follow that are of no tensor"),
    ],
)
def test_bad_binary_tensors_are_refused(api, head, tail, length, words):
    written = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": length or str(len(written))}
    demand_problem(api.ask("POST", MODEL, written + tail, headers), 400, words)


PATHS = [
    ("POST", "/predict", {"content-type": "text/plain"}, 415, "must be application/json"),
    ("POST", "/predict", {"content-type": ""}, 415, "none is named"),
    ("POST", "/predict?reasons=many", {}, 422, "reasons"),
    ("POST", "/predict?reson=3", {}, 422, "'reson' is no parameter of this path, only 'reasons' is"),
    ("POST", "/predict?reasons=101", {}, 422, "reasons"),
    ("POST", "/predict?reasons=-1", {}, 422, "reasons"),
    ("POST", "/predict", {"content-length": "99999999999"}, 413, "bytes"),
    ("GET", "/predict", {}, 405, "another method: POST"),
    ("PUT", MODEL, {}, 405, "another method: POST"),
    ("GET", "/model/", {}, 404, "no such path"),
    ("GET", "/docs", {}, 404, "no such path"),
    ("POST", "/v2/models/churn/x/infer", {}, 404, "no such path"),
    ("POST", "/v2/models/churn/versions/v1/x/infer", {}, 404, "no such path"),
    ("POST", "/v2/models/churn/versions/infer", {}, 404, "no such path"),
    ("POST", "/predict?reasons=%ff", {}, 422, "reasons"),
    ("POST", "/feedback", {"content-type": "text/plain"}, 415, "must be application/json"),
    ("POST", "/feedback", {"content-length": "99999999999"}, 413, "bytes"),
    ("DELETE", "/model", {}, 405, "another method"),
    ("GET", "/admin", {}, 404, "no such path"),
    ("GET", "/../../etc/passwd", {}, 404, "no such path"),
    ("POST", "/v2/models/nobody/infer", {}, 404, "There is no model 'nobody', only churn"),
    ("GET", "/v2/models/nobody", {}, 404, "There is no model 'nobody'"),
    ("POST", "/v2/models/churn/versions/v9/infer", {}, 404, "There is no version 'v9', only v1"),
    ("GET", "/v2/models/churn/versions/v9/ready", {}, 404, "There is no version 'v9'"),
    ("POST", "/feedback", {}, 422, "must fit its schema"),
]


@pytest.mark.parametrize(("method", "path", "headers", "status", "words"), PATHS)
def test_wrong_paths_methods_types_and_parameters_are_refused(api, method, path, headers, status, words):
    demand_problem(api.ask(method, path, ROW, headers), status, words)


def test_a_key_that_is_there_twice_counts_as_it_was_told_last(api):
    twice = b'{"age": 99, "paid": 52.5, "plan": "basic", "since": "2024-02-01", "age": 31}'
    said = api.predict(ROW).json["predictions"][0]["probabilities"]
    assert api.predict(twice).json["predictions"][0]["probabilities"] == said
    assert api.predict(twice.replace(b"31}", b'31, "customer": NaN}')).json["predictions"][0]["probabilities"] == said


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/model", "/example", "/metrics", "/v2", "/v2/health/ready"])
def test_every_answer_is_safe_in_a_browser(api, path):
    demand_safe(api.ask("GET", path))


def test_the_nearest_names_are_looked_for_as_often_as_they_are_told(api, monkeypatch):
    from mlworkflow.runtime import fields

    sought, nearest = [], fields.nearest
    monkeypatch.setattr(fields, "nearest", lambda word, known: sought.append(word) or nearest(word, known))
    told = demand_problem(api.predict([{"aeg": 1, "plam": 2}] * 1000), 422, "did you mean 'age'")
    assert len(told["errors"]) == len(sought) == 50


def test_all_that_is_wrong_is_told_with_row_field_rule_and_value(api):
    told = demand_problem(api.predict([ROW, {**ROW, "age": "x", "paid": "y"}, {**ROW, "plan": []}]), 422)
    assert [(one["row"], one["field"], one["value"]) for one in told["errors"]] == [
        (1, "age", "x"),
        (1, "paid", "y"),
        (2, "plan", "[]"),
    ]


def test_many_mistakes_are_counted_and_long_values_cut(api):
    told = demand_problem(api.predict([{**ROW, "age": "x" * 1_000}] * 1000), 422, "and 950 more")
    assert len(told["errors"]) == 50
    assert all(len(one["value"]) < 100 for one in told["errors"])


def test_what_is_strange_but_possible_is_answered_and_noted(api):
    found = api.predict([{**ROW, "age": 1e300}, {**ROW, "plan": "platinum"}, {**ROW, "paid": -5e6}, ROW]).json[
        "predictions"
    ]
    assert "cannot be" in found[0]["notes"][0]
    assert "was not in the training rows" in found[1]["notes"][0]
    assert "is outside" in found[2]["notes"][0]
    assert "notes" not in found[3]
    assert api.predict([{**ROW, "age": None}]).json["predictions"][0]["probabilities"] == found[0]["probabilities"]


def test_other_columns_of_the_table_may_come_along(api):
    answer = api.predict({**ROW, "customer": "c7", "left": "yes", "worth": 3})
    assert answer.status == 200
    assert answer.json["predictions"][0]["probabilities"] == api.predict(ROW).json["predictions"][0]["probabilities"]


def test_the_example_is_a_row_that_is_answered(api):
    example = api.ask("GET", "/example").json
    assert set(example) == set(ROW)
    assert api.predict(example).status == 200


def test_no_rows_have_no_predictions(api):
    assert api.predict([]).json == {"version": "v1", "predictions": []}


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_allowed(api):
    for path in ("/predict", MODEL, "/feedback"):
        demand_problem(api.ask("POST", path, [b'{"age": (more)']), 408, "within 0.2 seconds")


def test_a_client_that_goes_gets_nothing(api):
    assert api.predict([b'{"age":', b"(gone)"]).status == 0


def test_a_body_in_parts_is_counted_as_it_comes(api):
    demand_problem(api.predict([b"[" + b" " * 1_500_000, b" " * 1_500_000, b"]"]), 413, "bytes")
    demand_problem(api.ask("POST", "/feedback", [b" " * 1_500_000, b" " * 1_500_000]), 413, "bytes")
    half = json.dumps(ROW).encode()
    assert api.predict([half[:20], half[20:]]).status == 200


@pytest.fixture(scope="module")
def locked(folder, tmp_path_factory):
    """The API with a key, and the key; two requests a second."""
    place = tmp_path_factory.mktemp("keys") / "keys.txt"
    key = re.search(r"once: (\S+)", add("lena", place))[1]
    assert key not in place.read_text()
    assert place.stat().st_mode & 0o077 == 0
    return Api(folder, keys=place, limits=Limits(rate=2)), key


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}]
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/predict"), ("GET", "/model"), ("GET", "/metrics"), ("POST", MODEL)]
)
def test_without_the_right_key_nothing_is_told(locked, headers, method, path):
    demand_problem(locked[0].ask(method, path, ROW, headers), 401, "X-API-Key")


def test_a_key_opens_in_either_header_and_health_and_the_page_need_none(locked):
    api, key = locked
    assert api.predict(ROW, headers={"X-API-Key": key}).status == 200
    assert api.predict(ROW, headers={"Authorization": f"Bearer {key}"}).status == 200
    assert [api.ask("GET", path).status for path in ("/", "/v2/health/live", "/v2/health/ready")] == [200] * 3


OWN = ("127.0.0.1:8000", "localhost", "[::1]:8000", "[::1]", "")
OTHERS = ("evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example:80")


@pytest.mark.parametrize(("host", "status"), [*((one, 200) for one in OWN), *((one, 403) for one in OTHERS)])
def test_without_keys_no_other_name_leads_here(api, host, status):
    """A page of elsewhere may have its own name lead to this machine (DNS rebinding)."""
    assert api.predict(ROW, headers={"Host": host}).status == status
    assert api.ask("GET", "/", headers={"Host": host}).status == status


def test_a_key_that_asks_too_often_waits(locked):
    from mlworkflow.api.limits import Bucket

    bucket = Bucket(2.0)
    waits = [bucket.wait("lena") for _ in range(4)]
    assert waits[:2] == [0.0, 0.0]
    assert 0 < waits[2] <= 0.5
    assert bucket.wait("omar") == 0.0


def test_whoever_has_no_key_takes_no_place_of_those_who_have_one(locked):
    """What is refused is read on for a moment, so that its client sees why; meanwhile others are answered."""
    api, key = locked
    service = SimpleNamespace(
        settings=SimpleNamespace(limits=Limits(active=2), workers=1), log=None, champion=api.model
    )
    front = Front(service, rest(service), api.keys)
    told = []

    async def ask(headers, *, stalled):
        async def receive():
            await asyncio.sleep(3600 if stalled else 0)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            told.append((stalled, message.get("status")))

        scope = {"type": "http", "method": "GET", "path": "/example", "headers": headers, "query_string": b""}
        scope |= {"root_path": "", "http_version": "1.1", "scheme": "http", "server": None, "client": None}
        await front(scope, receive, send)

    async def both():
        stalled = [asyncio.create_task(ask([(b"content-length", b"100")], stalled=True)) for _ in range(4)]
        await asyncio.sleep(0.05)
        await ask([(b"x-api-key", key.encode())], stalled=False)
        for one in stalled:
            one.cancel()

    asyncio.run(both())
    assert (False, 200) in told


def test_outcomes_are_checked(folder, tmp_path):
    api = Api(folder, log="batched", log_folder=tmp_path / "log")
    made = api.predict(ROW).json["predictions"][0]["id"]
    assert api.ask("POST", "/feedback", {"id": made, "outcome": "yes"}).status == 202
    demand_problem(api.ask("POST", "/feedback", {"id": made, "outcome": "perhaps"}), 422, "must be one of no, yes")
    demand_problem(api.ask("POST", "/feedback", {"id": "nonsense", "outcome": "yes"}), 404, "no prediction")
    demand_problem(api.ask("POST", "/feedback", {"id": made, "outcome": "yes", "more": 1}), 422, "more")
    demand_problem(api.ask("POST", "/feedback", {"id": made, "outcome": None}), 422, "outcome")
    demand_problem(api.ask("POST", "/feedback", {"id": "x" * 101, "outcome": "yes"}), 422, "id")
    demand_problem(api.ask("POST", "/feedback", {"id": made, "outcome": "yes", "\ud800": 1}), 422, '"?"')
    demand_problem(api.ask("POST", "/feedback", {"id": "\ud800", "outcome": "yes"}), 422, "id")
    demand_problem(api.ask("POST", "/feedback", b"{"), 400, "must be JSON")
    demand_problem(api.ask("POST", "/feedback", b"\xff"), 400, "")
    demand_problem(api.ask("POST", "/feedback", b"[" * 200_000), 400, "")


def test_outcomes_of_what_is_not_recorded_are_refused(api):
    demand_problem(api.ask("POST", "/feedback", {"id": "x", "outcome": "yes"}), 409, "Nothing is recorded")


def test_an_error_of_ours_tells_the_operator_all_and_the_client_nothing(folder, monkeypatch, capsys):
    api = Api(folder)
    monkeypatch.setattr("mlworkflow.api.served.Served.answers", lambda *given: 1 / 0)
    told = demand_problem(api.predict(ROW), 500, "incident")
    incident = re.search(r"incident (\w+)", told["detail"])[1]
    assert f"incident {incident}" in capsys.readouterr().err


def test_rows_are_answered_as_the_model_says(api):
    rng = np.random.default_rng(0)
    ages, paid = rng.integers(18, 70, 50).tolist(), rng.normal(50, 9, 50).tolist()
    rows = [{**ROW, "age": age, "paid": much} for age, much in zip(ages, paid, strict=True)]
    found = api.predict(rows, "?reasons=2").json["predictions"]
    expected = api.model.model.predict(rows)
    assert [one["probabilities"] for one in found] == [one["probabilities"] for one in expected]
    assert [one["prediction"] for one in found] == [one["prediction"] for one in expected]
    assert {len(one["reasons"]) for one in found} == {2}
    assert len({one["id"] for one in found}) == 50


def test_a_bundle_that_is_damaged_or_of_another_format_is_not_served(folder, tmp_path):
    for name, content, words in (
        ("schema.json", b"{}", "schema.json has the SHA-256"),
        ("manifest.json", b'{"format": 1}', "manifest.json must be of format 2"),
        ("more.txt", b"x", "more.txt is not in the manifest"),
    ):
        copy = shutil.copytree(folder, tmp_path / name)
        (copy / name).write_bytes(content)
        with pytest.raises(DamagedBundleError, match=re.escape(words)):
            serve(Wanted(bundle=copy))


def test_a_damaged_bundle_does_not_take_the_place_of_what_serves(folder, tmp_path, api):
    copy = shutil.copytree(folder, tmp_path / "bundle")
    (copy / "model.onnx").write_bytes(b"")
    service = Service(api.settings, api.model)
    with pytest.raises(DamagedBundleError):
        service.take("v2", copy)
    assert service.champion is api.model


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A bundle of the same question in which `plan` is a number."""
    folder = tmp_path_factory.mktemp("other")
    with contextlib.chdir(folder):
        make(question(), customers().assign(plan=[str(number % 7 + 0.5) for number in range(60)]))
    return folder / paths.BUNDLE


def test_a_challenger_that_reads_fields_another_way_is_refused(folder, other):
    with pytest.raises(ServeError, match="'plan' is a number to the challenger, but a category to the champion"):
        serve(Wanted(bundle=folder, challenger=str(other), share=0.5))


def test_a_challenger_that_is_what_serves_is_refused(folder):
    with pytest.raises(ServeError, match="must be another version than what serves, but both are bundle-"):
        serve(Wanted(bundle=folder, challenger=str(folder), share=0.5))


def test_what_is_told_at_the_start_can_be_typed_and_names_the_challenger(tmp_path):
    wanted = Wanted(host="0.0.0.0", challenger="v2", share=0.1)
    assert command._address("0.0.0.0", 8000) == "http://127.0.0.1:8000"
    assert command._address("::", 8000) == "http://[::1]:8000"
    assert command._address("lan", 8000) == "http://lan:8000"
    assert any("every address of this machine" in line for line in command._told(wanted, "http://x", True))
    assert "v2, answers 10% of the rows" in command._second(wanted, ("v2", tmp_path))[0]
    assert "in shadow" in command._second(Wanted(shadow=True), ("v2", tmp_path))[0]
    assert command._second(Wanted(), None) == []


@pytest.mark.parametrize("how", [{"share": 1.0}, {"shadow": True}])
def test_a_new_champion_that_reads_fields_another_way_than_the_challenger_answers_alone(folder, other, tmp_path, how):
    api = Api(folder, log="batched", log_folder=tmp_path / "log", **how)
    api.challenger = served(other, "v2", 100)
    found = api.predict([ROW] * 3).json
    assert [one["probabilities"] for one in found["predictions"]] == [
        one["probabilities"] for one in api.model.model.predict([ROW] * 3)
    ]
    assert {one.record.version for one in read(tmp_path / "log")} == {"v1"}
