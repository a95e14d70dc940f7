"""Fetches files over HTTP and from S3 by DVC, so that `dvc update` notices a change."""

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
    """Demand that DVC can fetch the address and that it holds no secret, as DVC writes it into Git.

    Raises:
        SecretError: it has a password or a token.
        DownloadError: a package is missing.
    """
    if addresses.without_secrets(address) != address or addresses.NAMED.search(address):
        raise addresses.SecretError(
            address,
            "DVC writes the address of a download down. Fetch the file yourself and give its path, or let DVC know the "
            "secret by `dvc remote modify --local`.",
        )
    if address.startswith("s3://") and find_spec("dvc_s3") is None:
        raise DownloadError(address, "the package dvc-s3 is not installed", "Type `make extras`.")


def fetch(address: str, path: Path, say: Say, *, version: bool) -> None:
    """Fetch a file to `path`: imported, so that `dvc update` works, or plain where no version is kept.

    Raises:
        DownloadError: it is not there, or the connection was cut.
    """
    words = ["import-url", "--force"] if version else ["get-url", "--force"]
    _attempt([*words, address, path.as_posix()], address, say)


def update(address: str, path: Path, say: Say) -> None:
    """Fetch an imported file anew if it changed; on failure the old one is back.

    Raises:
        DownloadError: it is not there, or the connection was cut.
    """
    mark = Path(f"{path}.dvc")
    before = mark.read_bytes()
    try:
        _attempt(["update", mark.as_posix()], address, say)
    except BaseException:
        mark.write_bytes(before)
        dvc(["checkout", "--force", mark.as_posix()], say)
        raise


def _attempt(words: list[str], address: str, say: Say) -> None:
    try:
        dvc(words, say)
    except ProjectError as error:
        told = _web_reason(address) if address.startswith("http") else ""
        told = told or str(error)
        raise DownloadError(address, told, "Mend the address, or run the command again.") from error


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
