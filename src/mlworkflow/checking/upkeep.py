"""What keeps the repository true to itself: the lock, the deps of dvc.yaml, the numbers of the README."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, listed

README = Path("README.md")
PYPROJECT = Path("pyproject.toml")
BASE = ("runtime", "serve", "workflow")  # what every clone installs
EXTRAS = ("dask", "excel", "s3", "sql")
LOCKS = {
    Path("requirements.lock"): BASE,
    Path("requirements-serve.lock"): BASE[:2],
    Path("requirements-extras.lock"): (*BASE, *EXTRAS),
    Path("requirements-dev.lock"): ("dev", *BASE, *EXTRAS),
}
STAMP = "# dependencies of pyproject.toml: sha256 "
BEGIN, END = "<!-- numbers: mlworkflow readme -->", "<!-- end of numbers -->"


class NotCurrentError(ProjectError):
    """Files that are made by a command are not what it would make now."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(f"what is made by a command must be current, but:\n{listed(found)}")


def check() -> str:
    """Say whether params.yaml, the deps of dvc.yaml, the locks and the README's numbers are current.

    Raises:
        NotCurrentError: all that is not, each with the command to type.
    """
    found: list[str] = []
    for told in (_params_mistakes, _wiring_mistakes, _lock_mistakes, _readme_mistakes):
        try:
            found += told()
        except ProjectError as error:
            found.append(str(error))
    if found:
        raise NotCurrentError(found)
    return "params.yaml, dvc.yaml, the lock and the README's numbers are current"


def _params_mistakes() -> list[str]:
    from mlworkflow.config import conf

    conf.compose_command([], True)
    return []


def _wiring_mistakes() -> list[str]:
    from mlworkflow.checking import wiring

    found = wiring.code_mistakes(io.read_yaml(paths.PIPELINE), configs(), Path())
    return [*found, "type `make wire`"] if found else []


def configs() -> list[Mapping[str, Any]]:
    """Return the raw content of every file of conf/ as a composed configuration would hold it, group by group."""
    return [{path.parent.name: io.read_yaml(path)} for path in sorted(paths.CONF.glob("*/*.yaml"))]


def wire() -> str:
    """Write the deps on code into dvc.yaml."""
    from mlworkflow.checking import wiring

    wiring.rewire(Path(), configs())
    return "dvc.yaml names the code that the stages use"


def dependencies_digest() -> str:
    """Return the SHA-256 of what pyproject.toml asks for: dependencies, extras, Python versions."""
    project = tomllib.loads(io.read_bytes(PYPROJECT).decode())["project"]
    asked = {key: project.get(key) for key in ("requires-python", "dependencies", "optional-dependencies")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _lock_mistakes() -> list[str]:
    stamp = STAMP + dependencies_digest()
    texts = {path: io.read_bytes(path).decode() for path in LOCKS}
    stale = [str(path) for path, text in texts.items() if not (text.startswith(stamp + "\n") and _pins(text, path))]
    return [f"{', '.join(stale)}: pyproject.toml asks for other packages now, type `make lock`"] if stale else []


def _pins(text: str, path: Path) -> bool:
    """Return whether the lock pins every package that pyproject.toml asks for by name."""
    project = tomllib.loads(io.read_bytes(PYPROJECT).decode())["project"]
    asked = project["dependencies"] + [
        line for extra in LOCKS[path] for line in project["optional-dependencies"][extra]
    ]
    names = {re.split(r"[^\w.-]", line)[0].lower().replace(".", "-").replace("_", "-") for line in asked}
    return names <= set(re.findall(r"^([\w.-]+)==", text, flags=re.MULTILINE))


def lock() -> str:
    """Resolve the dependencies anew for every system and Python, with hashes and without any index address."""
    flags = "--universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header"
    for path, extras in LOCKS.items():
        chosen = [word for extra in extras for word in ("--extra", extra)] + (
            ["-c", "requirements.lock"] if extras != BASE else []
        )
        command = [sys.executable, "-m", "uv", "pip", "compile", *flags.split(), "--python-version", "3.11", *chosen]
        done = subprocess.run([*command, str(PYPROJECT)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProjectError(
                f"the dependencies must resolve, but uv says:\n{done.stderr.strip()}\nMend pyproject.toml."
            )
        io.write_text(f"{STAMP}{dependencies_digest()}\n{done.stdout}", path)
    return f"{', '.join(str(path) for path in LOCKS)} written; type `make repro`"


def numbers() -> str:
    """Return the README's table of results, made from metrics/ alone."""
    from mlworkflow.summary import number

    told, tested = io.read_json(paths.DECISION), io.read_json(paths.TEST_METRICS)
    validated, ladder = io.read_json(paths.CV_METRICS), io.read_json(paths.BASELINE_METRICS)
    rungs = list(ladder)
    lines = ["| metric | " + " | ".join(rungs) + f" | model: {told['model']} | model, test rows |"]
    lines.append("|---|" + "---:|" * (len(rungs) + 2))
    for name, value in tested.items():
        cells = [number(ladder[rung].get(name)) for rung in rungs] + [number(validated.get(name)), number(value)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Verdict: **{told['verdict']}**{_gain(told)}"])


def _gain(told: Mapping[str, Any]) -> str:
    """Return what the verdict rests on, as it follows it."""
    from mlworkflow.summary import number, rival

    if "why" in told:
        return f": {told['why']}"
    ends = f"95% interval {number(told['gain_low'])} to {number(told['gain_high'])}"
    return f" ({told['primary']} {told['gain']:+.4g} against {rival(told)}, {ends})."


def with_numbers(text: str) -> str:
    """Return the README's text with today's numbers between its two marks."""
    made = f"{BEGIN}\n{numbers()}\n{END}"
    return re.sub(re.escape(BEGIN) + r".*?" + re.escape(END), lambda _: made, text, flags=re.DOTALL)


def readme() -> str:
    """Write the numbers of metrics/ into the README."""
    io.write_text(with_numbers(io.read_bytes(README).decode()), README)
    return f"{README} has the numbers of metrics/"


def _readme_mistakes() -> list[str]:
    text = io.read_bytes(README).decode()
    stale = [f"{README}: its numbers are not those of metrics/, type `mlworkflow readme`"]
    return stale if with_numbers(text) != text else []
