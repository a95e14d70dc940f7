"""What an address names - a file, a download, a database, an API, a function - and what in it is secret."""

from __future__ import annotations

import os
import re
from importlib.metadata import entry_points
from typing import Literal

from mlworkflow.core.errors import ProjectError

Form = Literal["file", "download", "database", "api", "function"]
SECRET = re.compile(
    r"pass(word|wd|phrase)?|pwd|secret|.*(token|signature|credential|secret|api_?key|access_?key)|sig|key|auth", re.I
)
DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle")  # that SQLAlchemy knows
SOURCES = (
    "a file, an http(s):// or s3:// address, a database with its query (sqlite:///shop.db, postgresql://me@host/shop), "
    "api+http(s)://host/... or module:function"
)
NAMED = re.compile(r"\$\{(\w+)\}")  # ${NAME}: what stands in the environment under that name


class SecretError(ProjectError):
    """An address that would be kept holds a secret."""

    def __init__(self, address: str, next_step: str) -> None:
        super().__init__(
            f"an address is kept in Git, so it must hold no secret, but {without_secrets(address)} has one. {next_step}"
        )


class SourceError(ProjectError):
    """An address names nothing that a table can be taken from."""

    def __init__(self, address: str, reason: str, next_step: str) -> None:
        told = repr(without_secrets(address)) if address.strip() else "it"
        super().__init__(f"a source must be {SOURCES}, but {told} {reason}. {next_step}")


def form_of(address: str) -> Form:
    """Return what an address names.

    Raises:
        SourceError: nothing, or something that no table can be taken from.
    """
    if not address.strip():
        raise SourceError(address, "is empty", "Name one of these.")
    scheme = _scheme(address)
    if scheme in ("http", "https", "s3"):
        return "download"
    if scheme in ("api+http", "api+https"):
        return "api"
    if scheme and not _is_database(scheme):
        step = "Give the path alone." if scheme == "file" else "Fetch the table yourself and give the path of its file."
        raise SourceError(address, f"begins with {scheme}://", step)
    if scheme:
        return "database"
    return "function" if re.fullmatch(r"[A-Za-z_][\w.]+:\w+", address) else "file"


def _scheme(address: str) -> str:
    return address.partition("://")[0].lower() if "://" in address else ""


def _is_database(scheme: str) -> bool:
    """Return whether SQLAlchemy knows the database, by itself or from a package that is installed."""
    name = scheme.partition("+")[0]
    return name in DATABASES or any(
        name == found.name.partition(".")[0] for found in entry_points(group="sqlalchemy.dialects")
    )


def without_secrets(address: str) -> str:
    """Return the address without its password and the secrets among its parameters; `${NAME}` is none, and stays.

    On the web a user's name may be a token, so it goes too.
    """
    if _scheme(address) not in ("", "http", "https", "s3", "api+http", "api+https"):
        bare = re.sub(r"://([^:/@?#]*):([^?#]*)@", _without_password, address, count=1)
    else:
        bare = re.sub(r"(https?|s3)://[^/?#]*@", r"\1://", address, count=1)
    start, mark, query = bare.partition("?")
    parts = [part for part in query.split("&") if part and not _is_secret(*part.partition("=")[::2])]
    return start + (mark + "&".join(parts) if parts else "")


def _without_password(found: re.Match[str]) -> str:
    return found[0] if NAMED.fullmatch(found[2]) else f"://{found[1]}@"


def _is_secret(name: str, value: str) -> bool:
    return bool(SECRET.fullmatch(name)) and not NAMED.fullmatch(value)


def filled(address: str) -> str:
    """Return the address with each `${NAME}` replaced by what the environment holds.

    Raises:
        ProjectError: the environment holds nothing of that name.
    """
    if absent := sorted({name for name in NAMED.findall(address) if name not in os.environ}):
        raise ProjectError(
            f"the environment must hold what {without_secrets(address)} names, but it lacks {', '.join(absent)}. "
            f"Type `export {absent[0]}=...`, then run again."
        )
    return NAMED.sub(lambda found: os.environ[found[1]], address)


def secrets_of(address: str) -> list[str]:
    """Return the words of an address that no message may show: its password, and what stands for each `${NAME}`."""
    password = re.search(r"://[^:/@?#]*:([^?#]*)@", address)
    hidden = [part.partition("=")[2] for part in address.partition("?")[2].split("&")]
    named = [os.environ.get(name, "") for name in NAMED.findall(address)]
    return sorted({password[1] if password else "", *hidden, *named} - {""}, key=len, reverse=True)


def censored(text: str, address: str) -> str:
    """Return a message about an address with stars in place of its secrets."""
    for word in secrets_of(address):
        text = text.replace(word, "***")
    return text
