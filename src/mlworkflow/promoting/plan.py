"""How conf/ must be edited so that it composes to the params.yaml of an experiment, and nothing else of it changes.

It works on the conf/ of the working folder, which the command makes a copy: only what has been composed anew and found
equal is written into the repository.

Where a choice or a value goes:

- **A choice** is told from the name of its section. Where the problem's own file chooses for the group, its line there
  is edited; else that of conf/config.yaml. Where another problem then no longer composes (ridge does no classes), the
  line goes into the problem's file as an override.
- **A value** goes into the file that its group has chosen. conf/config.yaml is no place for it: its own keys come
  before the groups (`_self_` is the first of its defaults), so a group's file overrules them, and were they last, they
  would hold for every model and every problem that is chosen later, which is more harm than in the one file.
- **An interpolation** is overwritten last, and only where its value is another one still: seed=7 moves every `${seed}`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlworkflow.config import conf
from mlworkflow.config.conffiles import CONFIG, GROUPS, choices, file_of, files, names, plugin
from mlworkflow.core import io
from mlworkflow.core.errors import ConfError, ProjectError, listed
from mlworkflow.promoting.edits import Keys, UnwritableKeyError, choose, drop, flow, put

MOST, LONGEST = 20, 60  # keys that an error names, letters of a value


class _Gone:
    """Stands for the value of a key that is not there."""


GONE = _Gone()


class PlanError(ProjectError):
    """conf/ cannot be made to compose to the experiment's params.yaml."""

    def __init__(self, found: Sequence[str]) -> None:
        more = [f"and {len(found) - MOST} more"] if len(found) > MOST else []
        super().__init__(
            "conf/ must compose to the experiment's params.yaml, but this cannot be written:\n"
            f"{listed([*found[:MOST], *more])}\n"
            "Nothing was changed. Make these changes in conf/ by hand, then type `dvc exp run`."
        )


@dataclass(frozen=True)
class Change:
    """A key whose value must be another one.

    Attributes:
        keys: from the root of params.yaml.
        before: what conf/ composes to, GONE for nothing.
        after: what the experiment has, GONE for nothing.
    """

    keys: tuple[Any, ...]
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.keys))}: {_shown(self.before)} -> {_shown(self.after)}"


@dataclass(frozen=True)
class Plan:
    """The files of conf/ with their new text, and what is said of them.

    Attributes:
        texts: {file: its text}.
        lines: one an edit.
        others: {problem: the sections of its composition that change too}.
    """

    texts: dict[Path, str]
    lines: list[str]
    others: dict[str, list[str]]


def plan(wanted: Mapping[str, Any]) -> Plan:
    """Edit conf/ until it composes to `wanted`; return what was edited.

    Raises:
        PlanError: keys that cannot be written, or what would no longer compose.
    """
    before = {path: _text(path) for path in files()}
    problems = [name for name in names("problem") if name != _named(wanted, "problem")]
    usual = {name: _composed(name) for name in problems}
    for in_problem in (False, True):
        lines = edit(wanted, in_problem=in_problem)
        harm = conf.validate_all()  # what `mlworkflow compose --check` would say afterwards
        if not harm:
            break
        if in_problem:
            raise PlanError(harm)
        for path, text in before.items():
            io.write_text(text, path)
    after = {path: _text(path) for path in files()}
    texts = {path: text for path, text in after.items() if before.get(path) != text}
    others = {name: _sections(told, _composed(name)) for name, told in usual.items()}
    return Plan(texts, lines, {name: changed for name, changed in others.items() if changed})


def edit(wanted: Mapping[str, Any], *, in_problem: bool) -> list[str]:
    """Edit conf/ until it composes to `wanted`; return a line an edit.

    Args:
        wanted: the experiment's params.yaml.
        in_problem: choices go into the problem's file, not into conf/config.yaml.

    Raises:
        PlanError: the composition is another one in the end; names each key.
    """
    lines, told = _choose(wanted, in_problem=in_problem), dict[tuple[Any, ...], str]()
    for overwrite in (False, True):
        for change in _changes(_composed(), wanted, overwrite=overwrite):
            try:
                lines.append(_write(change, wanted))
            except UnwritableKeyError as error:
                told[change.keys] = f"; {_file(change.keys, wanted)[0]} has no such key ({error})"
    if left := [*differences(_composed(), wanted)]:
        raise PlanError([f"{change}{told.get(change.keys, '')}" for change in left])
    return lines


# ---- choices ---------------------------------------------------------------------------------------------------------


def _choose(wanted: Mapping[str, Any], *, in_problem: bool) -> list[str]:
    """Write the choices that are others than the usual ones, the problem first: it may choose for other groups."""
    lines = []
    problem = _named(wanted, "problem") or choices(CONFIG)["problem"]
    for group in sorted(GROUPS, key=lambda group: group != "problem"):
        name, own = _named(wanted, group), choices(file_of("problem", problem))
        usual = (choices(CONFIG) | own).get(group)
        if name in (None, usual):
            continue
        override = group != "problem" and (in_problem or group in own)
        path = file_of("problem", problem) if override else CONFIG
        try:
            io.write_text(choose(_text(path), group, str(name), override=override), path)
        except UnwritableKeyError as error:
            raise PlanError([f"{group}: {usual} -> {name}; {path} has no line for it ({error})"]) from error
        lines.append(f"{path}: {group}: {usual} -> {name}")
    return lines


def _named(wanted: Mapping[str, Any], group: str) -> str | None:
    """Return the file that a section of params.yaml is from, by its name; None where that cannot be told."""
    section = wanted.get(group)
    name = section.get("name") if isinstance(section, Mapping) else None
    return name if isinstance(name, str) and name in names(group) else None


# ---- values ----------------------------------------------------------------------------------------------------------


def differences(now: Any, wanted: Any, keys: tuple[Any, ...] = ()) -> Iterator[Change]:
    """Yield the keys whose values are others; 1 is not 1.0, and the fingerprint does not count."""
    if isinstance(now, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys([*now, *wanted]):
            if (*keys, key) != ("fingerprint",):
                yield from differences(now.get(key, GONE), wanted.get(key, GONE), (*keys, key))
    elif not _same(now, wanted):
        yield Change(keys, now, wanted)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return not [*differences(one, other, ("",))]
    return type(one) is type(other) and bool(one == other or (one != one and other != other))


def _changes(now: Any, wanted: Any, *, overwrite: bool) -> Iterator[Change]:
    """Yield what is to be written; what conf/ interpolates only where it may be overwritten."""
    found = [*differences(now, wanted)]
    raw = _uncomposed() if found and not overwrite else {}
    for change in found:
        value = raw
        for key in change.keys:
            value = value.get(key) if isinstance(value, Mapping) else value
        if not (isinstance(value, str) and "${" in value):
            yield change


def _write(change: Change, wanted: Mapping[str, Any]) -> str:
    """Write a value into its file; return what to say of it."""
    path, keys = _file(change.keys, wanted)
    if not keys:
        raise UnwritableKeyError("a whole section")
    text = _text(path)
    io.write_text(drop(text, keys) if change.after is GONE else put(text, keys, change.after), path)
    return f"{path}: {Change(tuple(keys), change.before, change.after)}"


def _shown(value: Any) -> str:
    """Return a value as it is told: as YAML has it, cut where it is long."""
    return "(not there)" if value is GONE else textwrap.shorten(flow(value), LONGEST, placeholder=" ...")


def _file(keys: tuple[Any, ...], wanted: Mapping[str, Any]) -> tuple[Path, Keys]:
    """Return (the file that a key belongs into, its keys there)."""
    if keys[0] not in GROUPS:
        return CONFIG, keys
    problem = _named(wanted, "problem") or choices(CONFIG)["problem"]
    usual = choices(CONFIG) | choices(file_of("problem", problem))
    name = _named(wanted, keys[0]) or usual.get(keys[0])
    return (file_of(keys[0], name), keys[1:]) if name in names(keys[0]) else (CONFIG, keys)


# ---- composing -------------------------------------------------------------------------------------------------------


def _composed(problem: str | None = None) -> dict[str, Any]:
    """Return the composition of a problem, of the usual one without a name; nothing where there is none."""
    try:
        return conf.compose([f"problem={problem}"] if problem else [])
    except ConfError:
        return {}


def _uncomposed() -> Any:
    """Return the composition with its interpolations as they are written."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from mlworkflow.core import paths

    plugin()["register"]()
    with initialize_config_dir(str(paths.CONF.resolve()), version_base=None):
        return OmegaConf.to_container(compose(config_name="config"), resolve=False)


def _sections(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(str(change.keys[0]) for change in differences(before, after) if change.keys))


def _text(path: Path) -> str:
    return io.read_bytes(path).decode("utf-8")
