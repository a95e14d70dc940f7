"""Checks of what killed processes left behind: DVC's locks, a sweep that never ended."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlworkflow.doctoring.symptom import Found, Symptom, some
from mlworkflow.sweeping.plan import PREFIX
from mlworkflow.sweeping.queue import NOTES, Queue
from mlworkflow.sweeping.run import LOCK
from mlworkflow.sweeping.workspace import NOTE

RWLOCK = Path(".dvc/tmp/rwlock")


def locks(root: Path) -> Found:
    """No lock of DVC is held by a process that is gone."""
    if not (root / RWLOCK).is_file():
        return
    try:
        said = json.loads((root / RWLOCK).read_text(encoding="utf-8"))
        holders = {(int(one["pid"]), str(one["cmd"])) for one in _holders(said)}
    except (ValueError, KeyError, TypeError, AttributeError):
        yield Symptom(f"{RWLOCK} is damaged, and every command of DVC stops at it", f"Type `rm {RWLOCK}`.")
        return
    if dead := [f"{cmd} (process {pid})" for pid, cmd in sorted(holders) if not _is_dvc(pid)]:
        yield Symptom(f"{some(dead)} was killed and holds files still", f"Type `rm {RWLOCK}`.")
    if running := [f"{cmd} (process {pid})" for pid, cmd in sorted(holders) if _is_dvc(pid)]:
        yield Symptom(f"{some(running)} runs now", "Wait for its end.", hint=True)


def _holders(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield who holds a file for writing or reading."""
    yield from (said.get("write") or {}).values()
    for readers in (said.get("read") or {}).values():
        yield from readers


def _is_dvc(pid: int) -> bool:
    """Return whether the process runs and may be DVC: an id may have been given anew."""
    import psutil  # DVC brings it

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        with suppress(psutil.AccessDenied):
            words = " ".join(process.cmdline())
            return process.status() != psutil.STATUS_ZOMBIE and ("dvc" in words or "mlworkflow" in words)
        return True
    return False


def sweep(root: Path) -> Found:
    """No sweep was cut short."""
    if _held(root / LOCK):
        yield Symptom("one runs now", "Wait for its end.", hint=True)
        return
    if (root / NOTE).is_file():
        yield Symptom(
            "one was killed while it queued, and your changes may be put aside",
            "Type `mlworkflow sweep` with its name: it puts them back first.",
        )
    if any((root / NOTES / "celery/broker").glob("*/*")):
        yield from _abandoned(Queue(root, print))


def _abandoned(queue: Queue) -> Found:
    """Tasks of a sweep wait or are said to run, but no worker does them."""
    left = [name for name, told in queue.tasks().items() if told in ("Queued", "Running") and name.startswith(PREFIX)]
    if left and queue.workers() == 0:
        names = " or ".join(sorted({f"`mlworkflow sweep {name.split('-')[1]}`" for name in left}))
        yield Symptom(f"{some(left)}: no worker does them", f"Type {names}, or `dvc queue remove --queued`.")


def _held(path: Path) -> bool:
    """Return whether a process holds the lock of a file."""
    if not path.is_file():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
