"""Fetches files over HTTP and from S3 by DVC.

They are fetched and added, not imported: `dvc exp run` asks the source of every import in the repository, so that a run
of another problem would need the credentials of S3, and notes what it hears as if it were fetched, so that `dvc update`
misses the change (dvc 3.67).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from mlworkflow.core import processes
from mlworkflow.core.errors import ProjectError
from mlworkflow.origins import addresses

Say = Callable[[str], object]


class DownloadError(ProjectError):
    """A file could not be fetched; nothing of it was kept."""

    def __init__(self, address: str, reason: str, next_step: str) -> None:
        super().__init__(f"{address} must be fetched whole, but {reason}. Nothing of it was kept. {next_step}")


def demand_plain(address: str) -> None:
    """Demand that DVC can fetch the address and that it holds no secret, as it is shown and kept in Git.

    Raises:
        SecretError: it has a password or a token.
        DownloadError: a package is missing.
    """
    if addresses.without_secrets(address) != address or addresses.NAMED.search(address):
        raise addresses.SecretError(address, "Fetch the file yourself and give its path.")
    if address.startswith("s3://") and find_spec("dvc_s3") is None:
        raise DownloadError(address, "the package dvc-s3 is not installed", "Type `make extras`.")


def fetch(address: str, path: Path, say: Say) -> None:
    """Fetch a file to `path`.

    Raises:
        DownloadError: it is not there, or the connection was cut.
    """
    try:
        dvc(["get-url", "--force", address, path.as_posix()], say)
    except ProjectError as error:
        told = _web_reason(address) if address.startswith("http") else ""
        raise DownloadError(address, told or str(error), "Mend the address, or run the command again.") from error


def _web_reason(address: str) -> str:
    """Return what a web server says now, where that is why a download failed."""
    import requests

    from mlworkflow.origins.api import cause

    try:
        with requests.get(address, stream=True, timeout=30) as answer:
            return "" if answer.ok else f"the server answers {answer.status_code} {answer.reason}"
    except requests.RequestException as error:
        return f"the connection failed: {cause(error)}"


def dvc(words: list[str], say: Say) -> None:
    """Print a command of DVC and run it, its progress shown on a terminal.

    Raises:
        ProjectError: it failed, with what DVC says.
    """
    say(f"$ dvc {shlex.join(words)}")
    command = [*processes.DVC, *words]
    if sys.stderr.isatty():
        if code := subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
            raise ProjectError(f"`dvc {words[0]}` ended with exit code {code}, see above")
        return
    try:
        processes.run(command, Path(), os.environ)
    except ProjectError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        raise ProjectError(f"DVC says: {'; '.join(told) or lines[-1]}") from error
