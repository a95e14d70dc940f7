"""Runs Git, DVC and other commands; whatever was started ends with the block that asked for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlworkflow.core.errors import ProjectError

DVC = (sys.executable, "-P", "-m", "dvc")  # -P: no module of the clone's root in place of a library


def without(*prefixes: str) -> dict[str, str]:
    """Return this process's environment but for the variables that begin so."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Return what Git says about the repository of `root`, whatever hook this runs in."""
    env = without("GIT_")
    return subprocess.run(
        ["git", *words], cwd=root, env=env, capture_output=True, text=True, encoding="utf-8", check=False
    )


def run(command: Sequence[str], folder: Path, env: Mapping[str, str], umask: int = -1) -> str:
    """Return what a command prints.

    Raises:
        ProjectError: it failed.
    """
    with started(command, folder, env, umask) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        code = process.wait()
    if code:
        raise ProjectError(f"`{shown(command)}` ended with exit code {code}:\n{text.strip()}")
    return text


def shown(command: Sequence[str]) -> str:
    """Return the command as one would type it."""
    return " ".join(command).replace(" ".join(DVC), "dvc")


@contextlib.contextmanager
def started(
    command: Sequence[str], folder: Path, env: Mapping[str, str], umask: int
) -> Iterator[subprocess.Popen[str]]:
    """Yield a started process; it and its children end with the block, however that ends."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(env),
        umask=umask,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _stop(process)
        if process.stdout is not None:
            process.stdout.close()


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process and its children: first asked, after five seconds made."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let a request to end (SIGTERM) end like Ctrl-C: children are stopped and temporary folders removed."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
