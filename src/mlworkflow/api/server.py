"""The parent process: it binds the address, starts and watches the workers, and follows the stage of a release."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mlworkflow.api.problems import report
from mlworkflow.api.settings import Settings
from mlworkflow.core import io
from mlworkflow.core.errors import ProjectError

EVERY = 1.0  # seconds between two looks at the stage
PATIENCE = 60.0  # seconds in which a worker must take requests
GRACE = 30  # seconds in which a worker finishes what it began


class AddressError(ProjectError):
    """The server cannot listen where it is told to."""

    def __init__(self, host: str, port: int, cause: object) -> None:
        super().__init__(
            f"the address {host}:{port} must be free to listen on, but: {cause}. Name another with --host and --port."
        )


def point(pointer: Path, version: str, folder: Path) -> None:
    """Say which bundle serves; the workers follow."""
    io.write_text(json.dumps({"version": version, "folder": str(folder.resolve())}), pointer)


def run(
    settings: Settings, host: str, port: int, follow: Callable[[], None] | None, ready: Callable[[int], None]
) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code.

    Args:
        settings: of the workers.
        host: where to listen.
        port: 0 takes a free one.
        follow: called each second; may call `point`.
        ready: called with the port when a worker takes requests.

    Raises:
        AddressError: the port is taken, or the host is none of this machine.
    """
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(dir=settings.pointer.parent)
    settings.to_environment()
    config = uvicorn.Config(
        "mlworkflow.api.worker:app", factory=True, workers=settings.workers, host=host, port=port,
        http="mlworkflow.api.slow:PatientProtocol", ws="none", lifespan="on", log_level="error", access_log=False,
        server_header=False, timeout_graceful_shutdown=GRACE, timeout_keep_alive=30, backlog=1024,
    )  # fmt: skip
    listening = _bound(host, port)
    stopped, failed = threading.Event(), threading.Event()
    threading.Thread(target=_announce, args=(listening, ready, stopped, failed), daemon=True).start()
    if follow is not None:
        threading.Thread(target=_following, args=(follow, stopped), daemon=True).start()
    try:
        Multiprocess(config, [listening]).run()
    finally:
        stopped.set()
        listening.close()
    return int(failed.is_set())


def _announce(
    listening: socket.socket, ready: Callable[[int], None], stopped: threading.Event, failed: threading.Event
) -> None:
    """Call `ready` when a worker listens; where none does in time, say so and end."""
    host, port, *_ = listening.getsockname()
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    end = time.monotonic() + PATIENCE
    while not stopped.wait(0.05):
        with contextlib.suppress(OSError), socket.create_connection((target, port), timeout=1):
            ready(port)
            return
        if time.monotonic() > end:
            failed.set()
            report(f"no worker could start within {PATIENCE:g} seconds; see above.")
            os.kill(os.getpid(), signal.SIGTERM)
            return


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.socket(family=family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.set_inheritable(True)
        return made
    except (OSError, OverflowError) as error:
        raise AddressError(host, port, getattr(error, "strerror", None) or error) from error


def _following(follow: Callable[[], None], stopped: threading.Event) -> None:
    """Look at the stage each second; what goes wrong is told once, and the workers serve on."""
    last = ""
    while not stopped.wait(EVERY):
        try:
            follow()
            last = ""
        except ProjectError as error:
            if str(error) != last:
                last = str(error)
                report(f"the stage could not be followed: {last}")
