"""One worker process: the model is loaded before requests are taken, releases are followed, the end is in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mlworkflow.api import meters
from mlworkflow.api.front import Front
from mlworkflow.api.http import Receive, Scope, Send
from mlworkflow.api.keys import Keys
from mlworkflow.api.problems import report
from mlworkflow.api.rest import rest
from mlworkflow.api.served import served
from mlworkflow.api.service import Service
from mlworkflow.api.settings import Settings
from mlworkflow.core.errors import ProjectError, first_line

EVERY = 0.25  # seconds between two looks at the pointer and the parent


class Worker:
    """The ASGI application that uvicorn runs: the lifespan here, all requests by Front."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._service: Service | None = None
        self._front: Front | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out a request, or begin and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._front is not None:
            await self._front(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        async for message in _messages(receive):
            if message["type"] == "lifespan.startup":
                try:
                    self._begin()
                except ProjectError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._end()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _begin(self) -> None:
        settings = self._settings
        rows = settings.limits.rows
        version, folder = pointed(settings.pointer)
        other = settings.challenger
        challenger = served(other[1], other[0], rows) if other else None
        self._service = Service(settings, served(folder, version, rows), challenger)
        self._front = Front(self._service, rest(self._service), Keys(settings.keys))
        self._watch = asyncio.get_running_loop().create_task(self._follow(self._service, (version, folder)))

    async def _follow(self, service: Service, known: tuple[str, Path]) -> None:
        """Take up what the pointer says whenever it says another thing; end when the parent is gone."""
        while True:
            await asyncio.sleep(EVERY)
            service.meter()
            if self._settings.parent and os.getppid() != self._settings.parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            try:
                found = pointed(self._settings.pointer)
            except (OSError, ValueError, KeyError):
                continue
            if found != known:
                known = found
                await self._take(service, *found)

    async def _take(self, service: Service, version: str, folder: Path) -> None:
        try:
            await asyncio.to_thread(service.take, version, folder)
        except Exception as error:  # whatever is wrong with the new one, the old one serves on
            meters.FAILURES.inc()
            told = str(error) if isinstance(error, ProjectError) else first_line(error)
            kept = service.champion.version
            report(f"{version} was not taken up, {kept} serves on: {told}")

    async def _end(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._service is not None:
            await self._service.close()


async def _messages(receive: Receive) -> AsyncIterator[Any]:
    while True:
        yield await receive()


def pointed(path: Path) -> tuple[str, Path]:
    """Return (version, folder) of the bundle that serves."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return told["version"], Path(told["folder"])


def app() -> Worker:
    """Return the application of this process; uvicorn calls it."""
    return Worker(Settings.from_environment())
