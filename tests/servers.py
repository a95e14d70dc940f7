"""Real servers on this machine for the tests of sources: HTTP with its failures, PostgreSQL, S3."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

RECORDS = [{"id": number, "at": {"town": "Ulm"}, "ok": number % 2 == 0} for number in range(7)]


class Web(ThreadingHTTPServer):
    """Serves what a test lays into `files`, an API under /api, and fails where it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[tuple[int, str] | str] = []  # of the next answers: (status, Retry-After), or "cut"
        self.asked: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET(False)

    def do_GET(self, body: bool = True) -> None:
        path, query = urlsplit(self.path)[2:4]
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        content = self.server.files.get(path) if not path.startswith("/api") else api(self, path, parse_qs(query))
        fault = self.server.faults.pop(0) if self.server.faults and body else None
        status = 200 if content is not None else 404
        status = int(path.split("/")[2]) if path.startswith("/status/") else status
        status = fault[0] if isinstance(fault, tuple) else status
        content = content or b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hash(content)}"')
        if isinstance(fault, tuple) and fault[1]:
            self.send_header("Retry-After", fault[1])
        self.end_headers()
        if body and (fault == "cut" or path.startswith("/cut")):
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif body:
            self.wfile.write(content)


def api(handler: Handler, path: str, query: dict[str, list[str]]) -> bytes | None:
    """Answer as the usual APIs do: links in the body, numbered pages, offsets, a list alone."""
    start = int(query.get("offset", query.get("from", ["0"]))[0])
    if "page" in query:
        start = 3 * (int(query["page"][0]) - 1)
    page = RECORDS[start : start + 3]
    more = f"/api/links?from={start + 3}" if start + 3 < len(RECORDS) else None
    bodies = {
        "/api/links": {"data": page, "next": more},
        "/api/deep": {
            "result": {"items": page},
            "other": [],
            "paging": {"after": more and more.replace("links", "deep")},
        },
        "/api/pages": {"data": page},
        "/api/list": RECORDS,
        "/api/none": {"data": []},
        "/api/loop": {"data": page, "next": "/api/loop"},
        "/api/away": {"data": page, "next": "http://127.0.0.2:1/api"},
        "/api/values": {"data": [1, 2]},
        "/api/two": {"data": page, "errors": []},
    }
    if path == "/api/words":
        return b"<html>"
    return json.dumps(bodies[path]).encode() if path in bodies else None


@contextlib.contextmanager
def web() -> Iterator[Web]:
    server = Web()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def postgres_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, None where it is not installed."""
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Yield the address, with its password, of a PostgreSQL of its own; root runs it as another user."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        yield from _postgres(Path(folder))  # pytest's own folders are closed to other users


def _postgres(folder: Path) -> Iterator[str]:
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: no initdb was found")
    who: dict[str, object] = {"cwd": folder, "env": {"LC_ALL": "C"}}
    if os.geteuid() == 0:
        user = next((name for name in ("postgres", "nobody") if _user(name)), None)
        if user is None:
            pytest.skip("PostgreSQL refuses root, and there is no user postgres or nobody")
        who |= {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    port, data = free_port(), folder / "data"
    (folder / "word").write_text("s3cret-word\n")
    (folder / "word").chmod(0o644)

    def call(*words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True, check=False, **who)
        assert done.returncode == 0, done.stdout + done.stderr

    options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories= -c fsync=off"
    call(
        str(binaries / "initdb"),
        "-D",
        str(data),
        "-U",
        "reader",
        "-A",
        "scram-sha-256",
        "-N",
        "-E",
        "UTF8",
        "--pwfile",
        "word",
    )
    call(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://reader:s3cret-word@127.0.0.1:{port}/postgres"
    finally:
        call(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")


def _user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@contextlib.contextmanager
def s3() -> Iterator[str]:
    """Yield the endpoint of an S3-compatible server."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else each request is a line
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
