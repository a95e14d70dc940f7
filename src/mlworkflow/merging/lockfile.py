"""dvc.lock, merged stage by stage: a stage that both sides changed differently is left out, and `dvc repro` makes it.

A stage is taken as its lines stand, so that the file reads as DVC wrote it. DVC compares each recorded stage with the
files of the workspace before it believes it: a stage taken from one side that does not fit the merged files runs again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from mlworkflow.merging.threeway import ABSENT, Side, UnmergeableError, order, pick, same

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STAGES = "stages"


@dataclass
class Lock:
    """A dvc.lock: what each key and each stage says, and its lines."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    stages: dict[str, Any] = field(default_factory=dict)
    stage_lines: dict[str, str] = field(default_factory=dict)


def merge(base: str, ours: str, theirs: str) -> tuple[str, list[str]]:
    """Return (the merged dvc.lock, the stages left out of it).

    Raises:
        UnmergeableError: a side is not as DVC writes it, or another key than the stages cannot be taken from a side.
    """
    old, our, their = (read(text, side) for text, side in ((base, "the ancestor"), (ours, "ours"), (theirs, "theirs")))
    kept, left = _taken(old.values, our.values, their.values)
    if left:
        raise UnmergeableError(
            f"both sides changed {', '.join(left)} of dvc.lock, and `dvc repro` cannot make it again"
        )
    stages, dropped = _taken(old.stages, our.stages, their.stages)
    head = f"{STAGES}:\n" if stages else ""
    lines = {Side.OURS: our.stage_lines, Side.THEIRS: their.stage_lines}
    keys = {Side.OURS: our.lines, Side.THEIRS: their.lines}
    merged = [*(keys[side][name] for name, side in kept.items()), head]
    text = "".join([*merged, *(lines[side][name] for name, side in stages.items())])
    sides = {Side.OURS: our.stages, Side.THEIRS: their.stages}
    if not same(read(text, "the merge").stages, {name: sides[side][name] for name, side in stages.items()}):
        raise UnmergeableError("the stages of dvc.lock do not stand each for itself")  # an alias to another stage
    return text, dropped


def _taken(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[dict[str, Side], list[str]]:
    """Return ({name: the side that it is taken from}, the names of what cannot be taken from a side)."""
    taken: dict[str, Side] = {}
    left: list[str] = []
    for name in order(ours, theirs):
        side = pick(*(values.get(name, ABSENT) for values in (base, ours, theirs)))
        if side is Side.NEITHER:
            left.append(name)
        elif name in (ours if side is Side.OURS else theirs):
            taken[name] = side
    return taken, left


def read(text: str, side: str) -> Lock:
    """Return the stages of a dvc.lock with their lines; an empty text has none.

    Raises:
        UnmergeableError: no YAML (conflict markers), a key twice, or not written line by line.
    """
    loader = LOADER(text)
    try:
        node = loader.get_single_node()
        value = {} if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise UnmergeableError(f"dvc.lock of {side} is no YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()
    if node is None:
        return Lock()
    lines = text.splitlines(keepends=True)
    parts = _parts(node, lines, len(lines), side)
    stages = value.pop(STAGES, None) or {}
    found = [held for key, held in node.value if key.value == STAGES]
    end = next(start + parts[STAGES].count("\n") for key, start in _starts(node) if key == STAGES) if found else 0
    stage_lines = _parts(found[0], lines, end, side) if stages else {}
    if len(parts) != len(value) + len(found) or len(stage_lines) != len(stages):
        raise UnmergeableError(f"dvc.lock of {side} names a key twice")
    parts.pop(STAGES, None)
    return Lock(value, parts, stages, stage_lines)


def _starts(node: Any) -> list[tuple[str, int]]:
    """Return (key, its line) of each key of a mapping, in order."""
    return [(key.value, key.start_mark.line) for key, _ in node.value]


def _parts(node: Any, lines: list[str], end: int, side: str) -> dict[str, str]:
    """Return {key: its lines} of a mapping that ends before the line `end`."""
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        raise UnmergeableError(f"dvc.lock of {side} is not written as DVC does, a line a key")
    starts = _starts(node)
    ends = [start for _, start in starts[1:]] + [end]
    parts = {}
    for (key, start), stop in zip(starts, ends, strict=True):
        if key in parts:
            raise UnmergeableError(f"dvc.lock of {side} names {key} twice")
        text = "".join(lines[start:stop])
        parts[key] = text if text.endswith("\n") else f"{text}\n"
    return parts
