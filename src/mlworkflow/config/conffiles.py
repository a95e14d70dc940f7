"""The files of conf/ as they stand, before Hydra: which there are, what each says, which others it chooses."""

from __future__ import annotations

import re
import runpy
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from mlworkflow.core import io, paths
from mlworkflow.core.errors import UnreadableError, nearest
from mlworkflow.core.params import Params
from mlworkflow.core.problem import Strict

PLUGIN = Path("plugins/hydra_plugins/fingerprint.py")
CONFIG = paths.CONF / "config.yaml"
GROUPS: dict[str, type[Strict]] = {
    name: field.annotation
    for name, field in Params.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Strict)
}
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_run = lru_cache(runpy.run_path)
_DATE, _NUMBER, _MERGE = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float", "tag:yaml.org,2002:merge"


class _Loader(LOADER):  # type: ignore[misc]
    """Like OmegaConf's, it reads 1e-3 as a number and a date as text, and takes no key twice."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
        for first, resolvers in LOADER.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != _MERGE:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(_NUMBER, re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789"))


def plugin() -> dict[str, Any]:
    """Return the functions of the Hydra plugin that makes the fingerprint; DVC loads the same file."""
    if not PLUGIN.is_file():
        raise UnreadableError(PLUGIN, "there is no such file", f"Type `git restore {PLUGIN}`.")
    return _run(str(PLUGIN.resolve()))


def fingerprints() -> dict[str, str]:
    """Return {name in conf/: digest} of the files that Hydra may read."""
    found: dict[str, str] = plugin()["files"](paths.CONF)
    return found


def files() -> list[Path]:
    """Return the files that Hydra may read."""
    return [paths.CONF / name for name in fingerprints()]


def names(group: str) -> list[str]:
    """Return the choices of a group."""
    return sorted(path.stem for path in (paths.CONF / group).glob("*.yaml"))


def file_of(group: str, name: object) -> Path:
    """Return the file of a choice."""
    return paths.CONF / group / f"{name}.yaml"


def absent(group: str, name: str) -> str:
    """Return that a choice has no file, with those that have; nothing where it has one."""
    there = names(group)
    told = f"{file_of(group, name).as_posix()} is not there{nearest(name, there)} (there are: {', '.join(there)})"
    return "" if name in there else told


def read(path: Path) -> tuple[Any, str]:
    """Return (what a file says, nothing), or (None, where and why it is no YAML)."""
    try:
        return yaml.load(io.read_bytes(path), Loader=_Loader), ""
    except (yaml.YAMLError, UnicodeDecodeError, UnreadableError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        told = getattr(error, "problem", None) or " ".join(str(error).split())
        return None, f"{path.as_posix()}{line}: it is no YAML here: {told}"


def content(path: Path) -> dict[str, Any]:
    """Return the keys of a file, none where it is missing or holds no keys."""
    raw, _ = read(path)
    return raw if isinstance(raw, dict) else {}


def choices(path: Path) -> dict[str, str]:
    """Return {group: name} of a file's defaults list, overrides of other groups included."""
    pairs = {re.sub(r"^(override |optional )*/?|@.*$", "", group): name for group, name in _entries(content(path))}
    return {group: name for group, name in pairs.items() if group and isinstance(name, str) and "${" not in name}


def inherits(raw: dict[str, Any]) -> bool:
    """Return whether a file takes keys from another one: its defaults list does more than override choices."""
    return any(not group.startswith("override ") and name != "_self_" for group, name in _entries(raw))


def _entries(raw: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return (group, name) of each entry of a defaults list; a name alone has an empty group."""
    listed = raw.get("defaults")
    entries = listed if isinstance(listed, list) else []
    pairs = [entry.items() if isinstance(entry, dict) else [("", entry)] for entry in entries]
    return [(str(group), name) for pair in pairs for group, name in pair]
