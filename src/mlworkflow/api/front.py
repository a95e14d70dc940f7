"""The outermost application: who may ask, how much, and the two paths on which rows are predicted, without a framework.

All else goes to FastAPI (rest.py). A framework's own way through routing, models of rows and their validation costs
several times what a prediction does.
"""

from __future__ import annotations

import re
import secrets
import time
import traceback
from typing import Any
from urllib.parse import parse_qs

import msgspec

from mlworkflow.api import meters, protocol
from mlworkflow.api.http import (
    GoneError,
    Message,
    Receive,
    Scope,
    Send,
    again,
    answer,
    body,
    demand_json,
    header,
    refuse,
)
from mlworkflow.api.keys import Keys
from mlworkflow.api.limits import Bucket
from mlworkflow.api.problems import RefusedError, report
from mlworkflow.api.served import Served
from mlworkflow.api.service import Service

PREDICT, FEEDBACK, MODELS = "/predict", "/feedback", "/v2/models/"
OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
OPEN = ("/", "/v2/health/live", "/v2/health/ready")  # without a key
MOST_REASONS = 100
NO_PATH = "There is no such path. GET /openapi.json lists those there are."


class Front:
    """The ASGI application of one worker."""

    def __init__(self, service: Service, rest: Any, keys: Keys) -> None:
        self.service, self._rest, self._keys = service, rest, keys
        limits = service.settings.limits
        self._limits = limits
        self._bucket = Bucket(limits.rate / service.settings.workers)
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out a request; whatever happens, the client gets an answer that tells nothing of the inside."""
        if scope["type"] != "http":
            return
        started, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._active += 1
        try:
            try:
                await self._carried_out(scope, receive, noted, started)
            finally:
                self._active -= 1  # what is refused takes no place while the rest of it is read
        except GoneError:
            status = 499  # nginx's number for a client that has gone
        except RefusedError as refused:
            self._count_refused(refused)
            await refuse(scope, receive, noted, refused)
        except Exception:
            await self._failed(scope, receive, noted, bool(status))
        finally:
            counter, seconds = meters.counted(_named(scope["path"]), status)
            counter.inc()
            seconds.observe(time.perf_counter() - started)

    async def _carried_out(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        path = scope["path"]
        self._admit(scope, path)
        infers = path.endswith("/infer") and path.startswith(MODELS)
        if scope["method"] != "POST" and (path == PREDICT or infers):
            raise RefusedError(405, "This path takes another method: POST.", headers={"allow": "POST"})
        if path == PREDICT:
            await self._predict(scope, receive, send, started)
        elif infers:
            await self._infer(scope, receive, send, started)
        else:
            if path == FEEDBACK and scope["method"] == "POST":
                demand_json(scope)
                receive = again(await body(scope, receive, self._limits), receive)
            await self._rest(scope, receive, send)

    def _admit(self, scope: Scope, path: str) -> None:
        """Raise RefusedError where too many are active, the key is none, or its holder asks too often."""
        if self._active > self._limits.active:
            raise RefusedError(503, f"{self._limits.active} requests are active. Ask again.", retry_after=1, close=True)
        if not self._keys:
            demand_own_name(scope)
            return
        if path in OPEN:
            return
        told = header(scope, b"x-api-key")
        bearer = header(scope, b"authorization")
        if told is None and bearer is not None and bearer[:7].lower() == "bearer ":
            told = bearer[7:].strip()
        name = self._keys.name_of(told) if told else None
        if name is None:
            found = "there is none" if told is None else "this one is not known"
            detail = f"A key must be in the header X-API-Key or Authorization: Bearer, but {found}."
            raise RefusedError(401, detail, close=True, headers={"www-authenticate": "Bearer"})
        if wait := self._bucket.wait(name):
            detail = f"A key may ask {self._limits.rate:g} times a second. Ask again later."
            raise RefusedError(429, detail, retry_after=max(1, round(wait)), close=True)

    async def _predict(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        demand_json(scope)
        most = _reasons(scope["query_string"]) if scope["query_string"] else 0
        content = await body(scope, receive, self._limits)
        champion = self.service.champion
        asked = champion.shape.decode(content)
        version, answers = await self.service.predict(asked, most, started, champion)
        await answer(send, msgspec.json.encode({"version": version, "predictions": answers}))

    async def _infer(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        content = await body(scope, receive, self._limits)
        champion = self.service.champion
        demand_model(champion, scope["path"].removesuffix("/infer"))
        request = protocol.Inference(champion, content, header(scope, protocol.HEADER), self._limits.rows)
        version, answers = await self.service.predict(request.asked, 0, started, champion)
        written, length = request.answer(version, answers)
        if length is None:
            await answer(send, written)
        else:
            more = {protocol.HEADER.decode(): str(length)}
            await answer(send, written, "application/octet-stream", more=more)

    def _count_refused(self, refused: RefusedError) -> None:
        if self.service.log is not None and refused.status in (413, 422):
            self.service.log.count("rejected")

    async def _failed(self, scope: Scope, receive: Receive, send: Send, begun: bool) -> None:
        """Tell the operator all, and the client a number to name."""
        incident = secrets.token_hex(4)
        report(f"incident {incident}\n{traceback.format_exc()}")
        if self.service.log is not None:
            self.service.log.count("failed")
        if not begun:
            told = RefusedError(500, f"Something went wrong here. Name the incident {incident}.")
            await refuse(scope, receive, send, told)


def demand_own_name(scope: Scope) -> None:
    """Demand that a server without keys is asked by this machine's own name. Raises RefusedError, 403.

    A page of elsewhere can have its own name lead to this machine, and a browser then asks for it (DNS rebinding).
    """
    told = header(scope, b"host")
    if told is not None and re.sub(r":\d+$", "", told) not in OWN_NAMES:
        found = f"Without keys only {', '.join(OWN_NAMES)} may be asked for, not {told[:60]}."
        raise RefusedError(403, found, close=True)


def demand_model(champion: Served, path: str) -> None:
    """Demand that /v2/models/NAME[/versions/VERSION] names what serves. Raises RefusedError, 404."""
    name, *rest = path.removeprefix(MODELS).split("/")
    if name != champion.model.name:
        raise RefusedError(404, f"There is no model {name[:60]!r}, only {champion.model.name}.", close=True)
    if rest and (rest[0] != "versions" or len(rest) != 2):
        raise RefusedError(404, NO_PATH, close=True)
    if rest and rest[1:2] != [champion.version]:
        found = (rest[1:2] or [""])[0][:60]
        raise RefusedError(404, f"There is no version {found!r}, only {champion.version}.", close=True)


def _reasons(query: bytes) -> int:
    """Return how many reasons a query asks for: `reasons=true` is five. Raises RefusedError, 422."""
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if other := next((name for name in asked if name != "reasons"), None):
        error = {"row": None, "field": other[:60], "rule": "is no parameter here, only reasons is", "value": None}
        raise RefusedError(422, f"{other[:60]!r} is no parameter of this path, only 'reasons' is.", [error], close=True)
    told = asked.get("reasons", ["0"])[-1].lower()
    if told in ("true", "false", "0", ""):
        return 5 if told in ("true", "") else 0
    if not (told.isdecimal() and told.isascii() and len(told) < 4 and int(told) <= MOST_REASONS):
        error = {
            "row": None,
            "field": "reasons",
            "rule": f"must be true, false or up to {MOST_REASONS}",
            "value": told[:60],
        }
        raise RefusedError(422, f"reasons must be true, false or a number up to {MOST_REASONS}.", [error], close=True)
    return int(told)


def _named(path: str) -> str:
    """Return a path as it is counted: a client cannot make up new ones."""
    if path.startswith(MODELS):
        return MODELS + ("infer" if path.endswith("/infer") else "metadata")
    known = (PREDICT, *OPEN, "/v2", "/model", "/example", FEEDBACK, "/metrics", "/openapi.json")
    return path if path in known else "other"
