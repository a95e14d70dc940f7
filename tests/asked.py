"""The API in this process, without a server: what it answers to a request."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlworkflow.api.front import Front
from mlworkflow.api.keys import Keys
from mlworkflow.api.limits import Limits
from mlworkflow.api.rest import rest
from mlworkflow.api.served import served
from mlworkflow.api.service import Service
from mlworkflow.api.settings import Settings


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.content)


class Api:
    """The API of a bundle; each request in an event loop of its own."""

    def __init__(self, bundle: Path, keys: Path | None = None, limits: Limits | None = None, **more: Any) -> None:
        limits = limits or Limits()
        self.settings = Settings(Path(), keys=keys, limits=limits, **{"log": "off", **more})
        self.model = served(bundle, "v1", limits.rows)
        self.keys = Keys(keys)
        self.challenger = None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | list[bytes] | object = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Return the answer; `body`: bytes, parts of it as they come, or what is sent as JSON."""
        parts = body if isinstance(body, list) and body and isinstance(body[0], bytes) else None
        parts = parts or [body if isinstance(body, bytes) else json.dumps(body).encode()]
        told = {"content-type": "application/json", **(headers or {})}
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
            "path": path,
            "raw_path": path.encode(),
            "method": method,
            "query_string": query.encode(),
            "headers": [(key.lower().encode(), value.encode("latin-1")) for key, value in told.items() if value],
        }
        waiting = list(parts)
        answer = Answer()

        async def receive() -> dict[str, Any]:
            if not waiting:
                await asyncio.sleep(3600)
            part = waiting.pop(0)
            if part == b"(gone)":
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": part, "more_body": bool(waiting) or b"(more)" in part}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {key.decode(): value.decode() for key, value in message["headers"]}
            else:
                answer.content += message.get("body", b"")

        async def run() -> None:
            service = Service(self.settings, self.model, self.challenger)
            try:
                await Front(service, rest(service), self.keys)(scope, receive, send)
            finally:
                await service.close()

        asyncio.run(run())
        return answer

    def predict(self, body: object, query: str = "", **more: Any) -> Answer:
        """POST /predict."""
        return self.ask("POST", f"/predict{query}", body, **more)
