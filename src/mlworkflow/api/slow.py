"""uvicorn's HTTP protocol, and in it an end for clients that do not finish the head of a request."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlworkflow.api.settings import Settings

MOST_HEAD = 65_536  # bytes
_settings = cache(Settings.from_environment)


class PatientProtocol(HttpToolsProtocol):  # type: ignore[misc, unused-ignore]
    """Closes a connection whose head is not whole in time, or too long."""

    _timer: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._seconds = _settings().limits.head_seconds
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that grows too long ends the connection."""
        if self._timer is not None:
            self._head += len(data)
            if self._head > MOST_HEAD and b"\r\n\r\n" not in data:
                self._give_up()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to wait for the head of a further request."""
        super().on_message_begin()
        self._wait()

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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
