"""A bounded load on a server of this machine: one request again and again, on some connections that stay open."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came of it: seconds of each request, and statuses other than 200."""

    seconds: list[float] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    took: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.took

    def quantile(self, share: float) -> float:
        """Milliseconds that a share of the requests stays under."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, load: Load, until: float, done: asyncio.Future[None]) -> None:
        self._request, self._load, self._until, self._done = request, load, until, done
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._got += data
        head = self._got.find(b"\r\n\r\n")
        if head < 0:
            return
        place = self._got.lower().find(b"content-length: ")
        length = int(self._got[place + 16 : self._got.find(b"\r\n", place)])
        if len(self._got) < head + 4 + length:
            return
        now = time.perf_counter()
        self._load.seconds.append(now - self._began)
        if (status := int(self._got[9:12])) != 200:
            self._load.others.append(status)
        self._got = b""
        if now < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


def request(port: int, path: str, body: bytes) -> bytes:
    """Return a POST of JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def load(port: int, asked: bytes, connections: int, seconds: float) -> Load:
    """Ask for `seconds` on as many connections; return what came of it."""

    async def run() -> Load:
        loop, told = asyncio.get_running_loop(), Load()
        began = time.perf_counter()
        dones = [loop.create_future() for _ in range(connections)]
        for done in dones:
            await loop.create_connection(
                lambda done=done: _Connection(asked, told, began + seconds, done), "127.0.0.1", port
            )
        await asyncio.gather(*dones)
        told.took = time.perf_counter() - began
        return told

    import uvloop

    return uvloop.run(run())
