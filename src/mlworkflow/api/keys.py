"""API keys: random, shown once, kept as SHA-256; a random key of 256 bits needs no slow hash."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import time
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.core.errors import ProjectError, listed

VARIABLE = "MLWORKFLOW_KEYS"  # lines of a keys file, parted by commas
LINE = re.compile(r"([\w.-]+)\s+([0-9a-f]{64})")
EVERY = 1.0  # seconds between two looks at the file


class KeysError(ProjectError):
    """A file of keys cannot be read."""

    def __init__(self, place: str, found: list[str]) -> None:
        super().__init__(
            f"each line of {place} must be a name and the SHA-256 of a key, but:\n{listed(found)}\n"
            "Make keys with `mlworkflow key NAME`."
        )


class Keys:
    """The names and hashes of keys, from a file that is read anew when it changes, or from the environment."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._seen, self._looked = path, 0, 0.0
        self._known = self._read()

    def __bool__(self) -> bool:
        """Whether keys are asked for."""
        return self._path is not None or bool(self._known)

    def name_of(self, key: str) -> str | None:
        """Return whose key it is, None for nobody's; the time it takes tells nothing of the keys."""
        self._refresh()
        digest, found = hash_of(key), None
        for name, known in self._known:
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def _refresh(self) -> None:
        if self._path is None or time.monotonic() - self._looked < EVERY:
            return
        self._looked = time.monotonic()
        try:
            if self._path.stat().st_mtime_ns != self._seen:
                self._known = self._read()
        except (OSError, ProjectError):
            return  # a file that is being written: the keys of before hold

    def _read(self) -> list[tuple[str, str]]:
        if self._path is None:
            return parsed(os.environ.get(VARIABLE, "").replace(",", "\n"), f"the variable {VARIABLE}")
        seen = self._path.stat().st_mtime_ns if self._path.exists() else 0
        known = parsed(io.read_bytes(self._path).decode("utf-8", "replace"), str(self._path))
        self._seen = seen
        return known


def parsed(text: str, place: str) -> list[tuple[str, str]]:
    """Return (name, SHA-256) of each line; blank lines and those that begin with # say nothing.

    Raises:
        KeysError: lines are of another form; all are named by their number, none is shown.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    told = [(number, LINE.fullmatch(line)) for number, line in lines if line and not line.startswith("#")]
    if wrong := [f"line {number} is of another form" for number, match in told if match is None]:
        raise KeysError(place, wrong)
    return [(match[1], match[2]) for _, match in told if match]


def hash_of(key: str) -> str:
    """Return the SHA-256 of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def add(name: str, path: Path) -> str:
    """Add a new key for `name` to the file, which only its owner may read; return what to tell, the key among it.

    Raises:
        KeysError: the name is none, or has a key already.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise KeysError(str(path), [f"{name!r} is no name: letters, digits, dots and dashes"])
    text = io.read_bytes(path).decode() if path.exists() else ""
    if name in dict(parsed(text, str(path))):
        raise KeysError(str(path), [f"{name!r} has a key already: remove its line first"])
    key = secrets.token_urlsafe(32)
    io.write_text(f"{text}{name} {hash_of(key)}\n", path)
    path.chmod(0o600)
    return f"The key of {name}, shown this once: {key}\nIts hash is in {path}: mlworkflow serve --keys {path}"
