"""params.yaml, merged key by key; what it says is conf/'s to decide, so it asks to be composed anew.

The two sides' fingerprints of conf/ give way to a note, as no side saw the merged conf/: the workflow stops at it
(rule 1) and names the command.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from mlworkflow.merging.lockfile import LOADER
from mlworkflow.merging.threeway import ABSENT, Side, UnmergeableError, order, pick

FINGERPRINT = "fingerprint"
NOTE = "none, as this is merged from two compositions: type `mlworkflow compose`"


def merge(base: str, ours: str, theirs: str) -> tuple[str, list[str]]:
    """Return (the merged params.yaml, the keys that both sides changed, each with both values; ours are kept).

    Raises:
        UnmergeableError: a side is no YAML with keys.
    """
    old = _read(base, "the ancestor") if base.strip() else {}
    clashes: list[str] = []
    merged = _merged(old, _read(ours, "ours"), _read(theirs, "theirs"), "", clashes)
    if FINGERPRINT in merged:
        merged[FINGERPRINT] = NOTE
    return yaml.safe_dump(merged, sort_keys=False, allow_unicode=True), clashes


def _merged(base: Any, ours: Mapping[Any, Any], theirs: Mapping[Any, Any], prefix: str, clashes: list[str]) -> Any:
    """Return the keys of both sides; what both changed is ours, and noted."""
    merged, before = {}, base if isinstance(base, Mapping) else {}
    for key in order(ours, theirs):
        old, our, their = (side.get(key, ABSENT) for side in (before, ours, theirs))
        side = pick(old, our, their)
        if side is Side.NEITHER and isinstance(our, Mapping) and isinstance(their, Mapping):
            merged[key] = _merged(old, our, their, f"{prefix}{key}.", clashes)
            continue
        if side is Side.NEITHER and f"{prefix}{key}" != FINGERPRINT and not prefix.startswith(f"{FINGERPRINT}."):
            clashes.append(f"{prefix}{key} (ours {_short(our)}, theirs {_short(their)})")
        taken = their if side is Side.THEIRS else our
        if taken is not ABSENT:
            merged[key] = taken
    return merged


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _read(text: str, side: str) -> dict[Any, Any]:
    try:
        value = yaml.load(text, Loader=LOADER)
    except yaml.YAMLError as error:
        raise UnmergeableError(f"params.yaml of {side} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict):
        raise UnmergeableError(f"params.yaml of {side} holds no keys")
    return value
