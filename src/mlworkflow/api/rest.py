"""Everything but predictions, by FastAPI: the model, outcomes, health, metrics, the page, and the OpenAPI document."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from mlworkflow.api import meters, protocol
from mlworkflow.api.document import described
from mlworkflow.api.front import demand_model
from mlworkflow.api.http import SAFE
from mlworkflow.api.page import page
from mlworkflow.api.problems import MEDIA_TYPE, RefusedError, document
from mlworkflow.api.service import Service
from mlworkflow.recording.errors import LogFullError, LogUnwritableError


class Outcome(BaseModel):
    """What became of a prediction: a class as the model calls it, or the value."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=100)]
    outcome: str | float | bool


def rest(service: Service) -> FastAPI:
    """Return the application; `service` is asked at each request for what serves then."""
    app = FastAPI(title=f"mlworkflow: {service.champion.model.name}", docs_url=None, redoc_url=None)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(Exception, _failed)  # Front tells the operator
    _add_model(app, service)
    _add_protocol(app, service)
    app.openapi = lambda: described(app, service.champion)  # type: ignore[method-assign]
    return app


def _add_model(app: FastAPI, service: Service) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def index() -> Response:
        content, policy = page(service.champion)
        return _safe(HTMLResponse(content, headers={"content-security-policy": policy}))

    @app.get("/model", tags=["model"], summary="What serves: version, fields, hashes, model card")
    async def model() -> Response:
        return _json(_model(service))

    @app.get("/example", tags=["predictions"], summary="A row to begin with: the usual values of training")
    async def example() -> Response:
        return _json({one.name: one.usual for one in service.champion.model.inputs})

    @app.post("/feedback", status_code=202, tags=["predictions"], summary="The outcome of an earlier prediction")
    async def feedback(outcome: Annotated[Outcome, Body()]) -> Response:
        if service.log is None:
            raise RefusedError(409, "Nothing is recorded here, so no outcome can be taken (serve --log off).")
        _demand_outcome(service, outcome.outcome)
        try:
            taken = await asyncio.to_thread(service.log.feedback, outcome.id, outcome.outcome)
        except (LogFullError, LogUnwritableError):
            raise RefusedError(503, "The outcome could not be recorded. Ask again.", retry_after=5) from None
        if taken == "unknown":
            raise RefusedError(404, f"There is no prediction with the id {outcome.id[:60]!r}.")
        return _json({"id": outcome.id, "taken": True}, 202)

    @app.get("/metrics", tags=["health"], summary="Counts and times for Prometheus")
    async def metrics() -> Response:
        service.meter()
        return _safe(Response(meters.text(), media_type=meters.MEDIA_TYPE))


def _add_protocol(app: FastAPI, service: Service) -> None:
    @app.get("/v2/health/live", tags=["health"], summary="The process runs")
    async def live() -> Response:
        return _json({"live": True})

    @app.get("/v2/health/ready", tags=["health"], summary="A model is loaded and can be asked")
    async def ready() -> Response:
        if not service.ready:
            raise RefusedError(503, "Predictions cannot be recorded now.", retry_after=5)
        return _json({"ready": True})

    @app.get("/v2", tags=["protocol"], summary="The server")
    async def server() -> Response:
        return _json({"name": "mlworkflow", "version": "2", "extensions": ["binary_tensor_data"]})

    @app.get("/v2/models/{name}", tags=["protocol"], summary="The tensors of the model")
    @app.get("/v2/models/{name}/versions/{version}", tags=["protocol"], summary="The tensors of a version")
    async def metadata(request: Request) -> Response:
        demand_model(service.champion, request.url.path)
        return _json(protocol.metadata(service.champion))

    @app.get("/v2/models/{name}/ready", tags=["health"], summary="The model can be asked")
    @app.get("/v2/models/{name}/versions/{version}/ready", tags=["health"], summary="The version can be asked")
    async def model_ready(request: Request) -> Response:
        demand_model(service.champion, request.url.path.removesuffix("/ready"))
        return _json({"ready": True})


def _model(service: Service) -> dict[str, Any]:
    served = service.champion
    model = served.model
    other = service.challenger
    return {
        "name": model.name,
        "version": served.version,
        "task": model.task,
        "classes": model.classes,
        "backend": model.backend,
        "fields": [vars(one) for one in model.fields.all],
        "challenger": None if other is None else {"version": other.version, "share": service.settings.share},
        "manifest": model.manifest,
        "card": model.card,
    }


def _demand_outcome(service: Service, outcome: Any) -> None:
    """Demand a class of the model, or a number. Raises RefusedError, 422."""
    model = service.champion.model
    rule = None
    if model.classes and outcome not in model.classes and str(outcome) not in map(str, model.classes):
        rule = f"must be one of {', '.join(map(str, model.classes[:20]))}"
    elif not model.classes and (isinstance(outcome, str | bool) or outcome - outcome != 0):
        rule = "must be a finite number"
    if rule:
        value = str(outcome)[:60]
        raise RefusedError(
            422, f"The outcome {rule}.", [{"row": None, "field": "outcome", "rule": rule, "value": value}]
        )


def _json(value: Any, status: int = 200) -> Response:
    import msgspec

    return _safe(Response(msgspec.json.encode(value), status, media_type="application/json"))


def _safe(response: Response) -> Response:
    response.raw_headers.extend(SAFE)
    return response


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _safe(Response(document(error), error.status, headers=error.headers, media_type=MEDIA_TYPE))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {
        404: "There is no such path. GET /openapi.json lists those there are.",
        405: "This path takes another method.",
    }
    refused = RefusedError(error.status_code, told.get(error.status_code, "The request cannot be carried out."))
    refused.headers.update(error.headers or {})
    return await _refused(request, refused)


async def _failed(request: Request, error: Exception) -> Response:
    return await _refused(request, RefusedError(500, "Something went wrong here."))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return await _refused(request, RefusedError(400, "The body must be JSON, but it is not."))
    errors = [
        {"row": None, "field": ".".join(map(str, one["loc"][1:])) or None, "rule": one["msg"], "value": _shown(one)}
        for one in found[:20]
    ]
    return await _refused(request, RefusedError(422, "The request must fit its schema, but does not.", errors))


def _shown(one: Any) -> str | None:
    told = one.get("input")
    return None if told is None or isinstance(told, dict | list) else str(told)[:60].encode("utf-8", "replace").decode()
