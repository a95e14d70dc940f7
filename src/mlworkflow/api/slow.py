"""uvicorn's HTTP protocol, and in it an end for what is no request: a problem document, as everywhere else."""

from __future__ import annotations

import asyncio
from functools import cache
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlworkflow.api.http import LINGER, SAFE
from mlworkflow.api.problems import MEDIA_TYPE, RefusedError, document
from mlworkflow.api.settings import Settings

MOST_HEAD = 65_536  # bytes
_settings = cache(Settings.from_environment)


class PatientProtocol(HttpToolsProtocol):  # type: ignore[misc, unused-ignore]
    """Ends a connection whose head is not whole in time, too long, or no HTTP."""

    _timer: asyncio.TimerHandle | None = None
    _head = 0
    _begun = False  # a head has begun
    _deaf = False  # refused: what still comes is not read

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._seconds = _settings().limits.head_seconds
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that grows too long ends the connection."""
        if self._deaf:
            return
        if self._timer is not None:
            self._head += len(data)
            if self._head > MOST_HEAD and data.find(b"\r\n\r\n", 0, MOST_HEAD) < 0:
                self._refuse(431, f"The head of a request may have {MOST_HEAD:,} bytes, but this one has more.")
                return
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Say that what came is no request of HTTP."""
        self._refuse(400, "A request must be HTTP/1.1, but this one is not.")

    def on_message_begin(self) -> None:
        """Begin to wait for the head of a further request."""
        super().on_message_begin()
        self._wait()
        self._begun = True

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._timer is None:
            self._head = 0
            self._timer = self.loop.call_later(self._seconds, self._give_up)

    def _stop_waiting(self) -> None:
        self._begun = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        """End a connection on which no whole head came; one on which nothing came is told nothing."""
        if self._begun:
            self._refuse(408, f"The head of a request must be there within {self._seconds:g} seconds.")
        else:
            self._timer = None
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer, and close a little later: over unread bytes the connection would be reset, and the answer lost."""
        self._stop_waiting()
        self._deaf = True
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_written(RefusedError(status, detail)))
        if cycle is not None:  # its body is none: it ends as if the client had gone
            cycle.disconnected = True
            cycle.message_event.set()
        self.loop.call_later(LINGER, self.transport.close)


def _written(refused: RefusedError) -> bytes:
    content = document(refused)
    own = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(content)), (b"connection", b"close")]
    lines = [b"HTTP/1.1 %d %s" % (refused.status, HTTPStatus(refused.status).phrase.encode())]
    return b"\r\n".join([*lines, *(name + b": " + value for name, value in own + SAFE), b"", content])
