"""Checks of what is installed: Python, and the packages that requirements.lock pins."""

from __future__ import annotations

import platform
import re
import tomllib
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.doctoring.symptom import Found, Symptom, some

LOCK = Path("requirements.lock")
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)\s*(?:;\s*([^\\\n]*))?", re.MULTILINE)


def python(root: Path) -> Found:
    """Python is one of those that pyproject.toml allows."""
    from packaging.specifiers import SpecifierSet

    wanted = tomllib.loads(io.read_bytes(root / "pyproject.toml").decode())["project"]["requires-python"]
    if platform.python_version() not in SpecifierSet(wanted, prereleases=True):
        yield Symptom(
            f"this is Python {platform.python_version()}, but pyproject.toml wants {wanted}",
            "Type `rm -rf .venv && make repro PYTHON=python3.12`.",
        )


def packages(root: Path) -> Found:
    """Each package of requirements.lock is installed, in its version."""
    from importlib.metadata import distributions

    from packaging.markers import Marker

    there = {_name(one.metadata["Name"]): one.version for one in distributions() if one.metadata["Name"]}
    found = []
    for name, version, marker in PIN.findall((root / LOCK).read_text(encoding="utf-8")):
        if marker and not Marker(marker.strip()).evaluate():
            continue
        has = there.get(_name(name))
        if has != version:
            found.append(f"{name} {version} is not installed" if has is None else f"{name} is {has}, not {version}")
    if found:
        yield Symptom(some(found), f"Type `python -m pip install --require-hashes --no-deps -r {LOCK}`.")


def pins(text: str) -> dict[str, str]:
    """Return {package: version} of a lock; one with several versions for several systems has them all."""
    found: dict[str, list[str]] = {}
    for name, version, _ in PIN.findall(text):
        found.setdefault(_name(name), []).append(version)
    return {name: "/".join(versions) for name, versions in found.items()}


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
