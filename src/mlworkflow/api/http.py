"""Bytes in and out of an ASGI application: a body within its limits, an answer with its headers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlworkflow.api.limits import Limits
from mlworkflow.api.problems import MEDIA_TYPE, RefusedError, document

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = "application/json"
WHOLE = "mlworkflow.whole"  # in a scope: its body was read to the end
LINGER = 1.0  # seconds in which what a refused request still sends is read
MOST_LEFT = 50_000_000  # bytes of it
SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class GoneError(Exception):
    """The client has gone before its request was whole."""


def header(scope: Scope, name: bytes) -> str | None:
    """Return a header of a request; the last, where it is there twice."""
    headers = scope.get("mlworkflow.headers")
    if headers is None:
        headers = scope["mlworkflow.headers"] = dict(scope["headers"])
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def number(told: str | None) -> int | None:
    """Return a whole number of up to 15 digits; None where it is none."""
    return int(told) if told and told.isascii() and told.isdecimal() and len(told) <= 15 else None


async def body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """Return the body of a request.

    Raises:
        RefusedError: 413 it is too long, 408 it does not come.
        GoneError: the client has gone.
    """
    length = number(header(scope, b"content-length"))
    too_long = RefusedError(413, f"A body may have {limits.body:,} bytes, but this one has more.", close=True)
    if length is not None and length > limits.body:
        raise too_long
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body:
                    raise too_long
                if not message.get("more_body"):
                    scope[WHOLE] = True
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        told = f"A body must be there within {limits.body_seconds:g} seconds, but this one was not."
        raise RefusedError(408, told, close=True) from None


async def answer(
    send: Send,
    content: bytes,
    media_type: str = JSON,
    status: int = 200,
    more: dict[str, str] | None = None,
    *,
    last: bool = True,
) -> None:
    """Send an answer; without `last` the request is not yet over."""
    own = [(name.encode(), value.encode("latin-1")) for name, value in (more or {}).items()]
    headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(content)), *SAFE, *own]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": not last})


async def refuse(scope: Scope, receive: Receive, send: Send, refused: RefusedError) -> None:
    """Send a problem document, and read what the client still sends for a while.

    A connection that is closed over unread bytes is reset, and the client may never see why it was refused.
    """
    await answer(send, document(refused), MEDIA_TYPE, refused.status, refused.headers, last=False)
    if not (scope.get(WHOLE) or refused.status == 408 or header(scope, b"expect")):
        await _drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    left = MOST_LEFT
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


def again(content: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and then what `receive` does."""
    waiting: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def given() -> Message:
        return waiting.pop() if waiting else await receive()

    return given


def demand_json(scope: Scope) -> None:
    """Demand a body of JSON. Raises RefusedError, 415."""
    told = header(scope, b"content-type")
    if told == JSON:
        return
    if told is None or told.split(";")[0].strip().lower() != JSON:
        found = "none is named" if told is None else f"it is {told[:60]}"
        raise RefusedError(415, f"The content type must be application/json, but {found}.", close=True)
