"""The OpenAPI document: FastAPI's, and in it the rows of /predict as the schema of the model has them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from mlworkflow.api.problems import MEDIA_TYPE
from mlworkflow.api.served import Served
from mlworkflow.runtime.fields import Field

KINDS: dict[str, dict[str, Any]] = {
    "number": {"type": ["number", "null"]},
    "category": {"type": ["string", "number", "boolean", "null"]},
    "text": {"type": ["string", "null"]},
    "time": {"type": ["string", "null"]},
}
REFUSALS = {
    400: "It is no JSON",
    401: "The key is missing or not known",
    403: "Asked by another name than this machine's own, without keys",
    404: "There is no such model or prediction",
    408: "The body does not come",
    409: "Nothing is recorded here",
    413: "Too many bytes or rows",
    415: "The content type is another",
    422: "Values do not fit the schema; all are named",
    429: "The key asks too often",
    503: "Too busy: ask again after Retry-After",
}
MOST_WORDS = 20


def described(app: FastAPI, served: Served) -> dict[str, Any]:
    """Return the document for the model that serves now."""
    told = get_openapi(title=app.title, version=served.version, routes=app.routes)
    schemas = told.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= {"Row": row(served), "Predictions": _predictions(served), "Problem": PROBLEM}
    told["paths"]["/predict"] = {"post": _predict()}
    name = served.model.name
    told["paths"][f"/v2/models/{name}/infer"] = {"post": _infer()}
    for methods in told["paths"].values():
        for method in methods.values():
            _add_refusals(method)
    told["components"]["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    told["security"] = [{}, {"key": []}, {"bearer": []}]
    return told


def _add_refusals(method: dict[str, Any]) -> None:
    """Add what a request may be refused for: all of REFUSALS where it has a body, else a few."""
    method["responses"].pop("422", None)
    statuses = [*REFUSALS] if method.get("requestBody") else [401, 403, 404, 429, 503]
    for status in statuses:
        method["responses"][str(status)] = _refusal(REFUSALS[status])


def row(served: Served) -> dict[str, Any]:
    """Return the JSON schema of a row."""
    fields = served.model.fields.all
    own = {one.name for one in fields}
    others: dict[str, Any] = {column.name: {} for column in served.model.schema.columns if column.name not in own}
    return {
        "type": "object",
        "properties": {one.name: {**KINDS[one.kind], "description": _told(one)} for one in fields} | others,
        "required": [one.name for one in fields if one.required],
        "additionalProperties": False,
        "example": {one.name: one.usual for one in fields if one.required},
    }


def _told(one: Field) -> str:
    if one.kind == "number" and one.low is not None:
        return f"{one.low:g} to {one.high:g} in training; null: not known"
    if one.kind == "category" and one.categories:
        more = ", ..." if len(one.categories) > MOST_WORDS else ""
        return f"in training {', '.join(one.categories[:MOST_WORDS])}{more}; null: not known"
    form = "a date, as in 2024-01-31 or 2024-01-31T13:05:00; " if one.kind == "time" else ""
    return f"{form}null: not known"


def _predictions(served: Served) -> dict[str, Any]:
    model = served.model
    said = {"type": "number"} if not model.classes else {"enum": model.classes}
    each: dict[str, Any] = {"id": {"type": "string"}, "prediction": said}
    if model.classes:
        each["probabilities"] = {
            "type": "object",
            "properties": {str(one): {"type": "number"} for one in model.classes},
        }
    each |= {
        "notes": {"type": "array", "items": {"type": "string"}},
        "reasons": {"type": "array", "items": {"type": "object"}},
        "version": {"type": "string", "description": "of a challenger, where it answered"},
    }
    one = {"type": "object", "properties": each, "required": ["id", "prediction"]}
    listed = {"type": "array", "items": one}
    properties = {"version": {"type": "string"}, "predictions": listed}
    return {"type": "object", "properties": properties, "required": list(properties)}


PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"row": {}, "field": {}, "rule": {"type": "string"}, "value": {}},
            },
        },
    },
}


def _predict() -> dict[str, Any]:
    row = {"$ref": "#/components/schemas/Row"}
    reasons = {
        "name": "reasons",
        "in": "query",
        "description": "true, or how many of the largest contributions are told with each row",
        "schema": {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 100}]},
    }
    return {
        "tags": ["predictions"],
        "summary": "Predict one row, or many",
        "parameters": [reasons],
        "requestBody": _body({"anyOf": [row, {"type": "array", "items": row}]}),
        "responses": {"200": _response("Predictions", {"$ref": "#/components/schemas/Predictions"})},
    }


def _infer() -> dict[str, Any]:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
    }
    request = {"type": "object", "required": ["inputs"], "properties": {"inputs": {"type": "array", "items": tensor}}}
    return {
        "tags": ["protocol"],
        "summary": "Predict rows as tensors",
        "requestBody": _body(request),
        "responses": {"200": _response("Tensors", {"type": "object"})},
    }


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _response(told: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": told, "content": {"application/json": {"schema": schema}}}


def _refusal(told: str) -> dict[str, Any]:
    return {"description": told, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
