"""The API under requests that nobody thought of: from its own OpenAPI document, and rows at random; never a 5xx."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from mlworkflow.api.front import Front
from mlworkflow.api.keys import Keys
from mlworkflow.api.rest import rest
from mlworkflow.api.service import Service
from mlworkflow.api.settings import Settings
from mlworkflow.core import paths
from tests.asked import Api
from tests.test_bundle import customers, make, question

FEW = settings(max_examples=15, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=80)
CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)
NAMES = ["age", "paid", "plan", "since", "customer", "colour", "\x00", "é", "\ud800", "a\ud800ge"]
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
VALUES = JSON | some.sampled_from(["basic", "gold", "?", "2024-01-31", "", " "])
ROWS = some.lists(some.dictionaries(some.sampled_from(NAMES), VALUES, max_size=6), max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    with contextlib.chdir(folder):
        make(question(), customers())
    return folder / paths.BUNDLE


@pytest.fixture(scope="module")
def api(folder):
    return Api(folder)


@pytest.fixture(scope="module")
def described(api, tmp_path_factory):
    service = Service(Settings(Path(), log="batched", log_folder=tmp_path_factory.mktemp("log")), api.model)
    yield schemathesis.openapi.from_asgi(
        "/openapi.json", Front(service, rest(service), Keys(None)), headers={"Host": "localhost"}
    )
    service.log.close()


def test_requests_made_of_the_document_get_what_it_says(described):
    seen = []
    for found in described.get_all_operations():
        operation = found.ok()

        @FEW
        @given(case=operation.as_strategy())
        def asked(case):
            case.validate_response(case.call(headers={"Host": "localhost"}), checks=[*CHECKS])

        asked()
        seen.append(operation.label)
    assert {"POST /predict", "POST /v2/models/churn/infer", "POST /feedback", "GET /model"} <= set(seen)


@MANY
@given(rows=ROWS)
def test_rows_at_random_are_answered_as_the_model_does_or_refused(api, rows):
    answer = api.predict(json.dumps(rows).encode())
    if answer.status == 200:
        expected = api.model.model.predict(rows)
        assert [one["probabilities"] for one in answer.json["predictions"]] == [
            one["probabilities"] for one in expected
        ]
    else:
        assert answer.status in (400, 422), answer.content


TENSOR = some.fixed_dictionaries(
    {
        "name": some.sampled_from(NAMES[:4]) | JSON,
        "shape": some.sampled_from([[1], [1, 1], [2]]) | JSON,
        "datatype": some.sampled_from(["FP64", "BYTES", "INT8", "BOOL"]) | JSON,
        "data": some.lists(VALUES, min_size=1, max_size=2) | JSON,
    },
    optional={"parameters": some.dictionaries(some.sampled_from(["binary_data_size", "other"]), JSON)},
)
ASKED = some.fixed_dictionaries(
    {"inputs": some.lists(TENSOR, max_size=4)},
    optional={
        "outputs": some.lists(some.dictionaries(some.just("name"), JSON)) | JSON,
        "id": JSON | some.just("\ud800"),
    },
)


@MANY
@given(
    asked=ASKED, tail=some.binary(max_size=9), length=some.none() | some.sampled_from(["0", "9", "\xb2", "9" * 5000])
)
def test_nearly_right_tensors_are_refused(api, asked, tail, length):
    written = json.dumps(asked).encode()
    headers = {"Inference-Header-Content-Length": length or str(len(written))}
    assert api.ask("POST", "/v2/models/churn/infer", written + tail, headers).status in (200, 400, 422)


@MANY
@given(body=some.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_bodies_at_random_are_refused(api, body):
    for path in ("/predict", "/v2/models/churn/infer", "/feedback"):
        assert api.ask("POST", path, body).status in (200, 400, 404, 409, 422)
