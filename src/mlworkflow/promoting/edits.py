"""Small edits of a YAML file's text: set, add or remove one key, or make a choice in a defaults list. Pure.

PyYAML tells where each key and value stands, and only these letters are exchanged: comments, quotes, layout and
interpolations around them stay to the byte. (ruamel.yaml keeps comments too, but hangs those above a key on the key
before it: adding or removing a key would move or lose what is said of the next one.)

A map for the next reader:

- put, drop, choose: the edits (flow writes a value); each reads the text anew, as files of conf/ are small.
- _Reader: composes nodes, and leaves an alias (`*trees`) as a node of its own, so that its place is known.
- _unshared: who edits below an anchor that others use gives each user a copy first, else another task changes too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Keys = Sequence[Any]  # keys from the root of a file to a value
LONGEST = 110  # letters of a mapping on one line
ALIAS = "alias"
WIDE = 1_000_000  # PyYAML breaks no line


class UnwritableKeyError(Exception):
    """A key is not where an edit must be made."""


class _Reader(yaml.SafeLoader):
    """Composes a file's nodes; `named` holds those with an anchor, an alias is a node of its own."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.named: dict[str, yaml.Node] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node."""
        # PyYAML's stubs give these two methods of its parser no types
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            return yaml.ScalarNode(ALIAS, str(event.anchor), *_marks(event))
        node = super().compose_node(parent, index)
        if (anchor := getattr(event, "anchor", None)) and node is not None:
            self.named[anchor] = node
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes the word 1e-3, which OmegaConf would read as a number."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _marks(event: Any) -> tuple[Any, Any]:
    return event.start_mark, event.end_mark


@dataclass(frozen=True)
class _Entry:
    """A key and its value in a mapping."""

    key: yaml.Node
    value: yaml.Node


def put(text: str, path: Keys, value: Any) -> str:
    """Return the text with `value` at `path`; keys that are missing on the way are added.

    Raises:
        UnwritableKeyError: a list lies on the way.
    """
    text = _unshared(text, path)
    node = _root(text)
    if node is None:
        return text.rstrip("\n") + "\n" * bool(text) + _block(_nested(path, value))
    entry = None
    for depth, key in enumerate(path):
        if not isinstance(node, (yaml.MappingNode, yaml.SequenceNode)):
            return _exchange(text, entry, _nested(path[depth:], value))
        found = _entry(node, key)
        if found is None:
            return _add(text, node, {key: _nested(path[depth + 1 :], value)})
        entry = found if isinstance(found, _Entry) else None
        node = found.value if isinstance(found, _Entry) else found
    return _exchange(text, entry, value)


def drop(text: str, path: Keys) -> str:
    """Return the text without the key at `path`; a mapping that becomes empty stays as `{}`.

    Raises:
        UnwritableKeyError: the file has no such key.
    """
    text = _unshared(text, path)
    *way, last = path
    parent = _at(_root(text), way)
    entry = _entry(parent, last) if isinstance(parent, yaml.MappingNode) else None
    if not isinstance(entry, _Entry):
        raise UnwritableKeyError(".".join(map(str, path)))
    assert isinstance(parent, yaml.MappingNode)
    if len(parent.value) == 1:
        return (
            put(text, way, {}) if way else text[: _line(text, entry.key)] + text[_line_end(text, _end(text, entry)) :]
        )
    if not parent.flow_style:
        return text[: _line(text, entry.key)] + text[_line_end(text, _end(text, entry)) :]
    place = [key for key, _ in parent.value].index(entry.key)
    if place:
        return text[: _end(text, _Entry(*parent.value[place - 1]))] + text[_end(text, entry) :]
    return text[: entry.key.start_mark.index] + text[parent.value[1][0].start_mark.index :]


def choose(text: str, group: str, name: str, *, override: bool = False) -> str:
    """Return the text with a choice in its defaults list; `override`: of another group, as a problem's file does it.

    Raises:
        UnwritableKeyError: the list does not name the group, and is no list of overrides.
    """
    listed = _at(_root(text), ["defaults"])
    items = listed.value if isinstance(listed, yaml.SequenceNode) else []
    for place, item in enumerate(items):
        for key, _ in item.value if isinstance(item, yaml.MappingNode) else ():
            if re.sub(r"^(override |optional )*/?|@.*$", "", key.value) == group:
                return put(text, ["defaults", place, key.value], name)
    if not override:
        raise UnwritableKeyError(f"defaults: {group}")
    line = f"override /{group}@_global_.{group}: {flow(name)}"
    if items:
        return _insert(text, _last(text, items[-1]), f"{' ' * (items[0].start_mark.column - 2)}- {line}\n")
    root = _root(text)
    start = _line(text, root.value[0][0]) if isinstance(root, yaml.MappingNode) else len(text)
    return f"{text[:start]}defaults:\n  - {line}\n\n{text[start:]}"


# ---- where things stand ----------------------------------------------------------------------------------------------


def _root(text: str) -> yaml.Node | None:
    return _Reader(text).get_single_node()


def _entry(node: yaml.Node, key: Any) -> _Entry | yaml.Node | None:
    """Return the entry of a mapping, or the item of a list, under a key."""
    if isinstance(node, yaml.SequenceNode):
        if not isinstance(key, int):
            raise UnwritableKeyError(str(key))
        item: yaml.Node = node.value[key]
        return item
    found = [_Entry(*pair) for pair in node.value if _is(pair[0], key)]
    return found[0] if found else None


def _is(node: yaml.Node, key: Any) -> bool:
    return bool(node.value == key if isinstance(key, str) else yaml.safe_load(str(node.value)) == key)


def _at(node: yaml.Node | None, way: Keys) -> yaml.Node | None:
    for key in way:
        found = _entry(node, key) if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) else None
        node = found.value if isinstance(found, _Entry) else found
    return node


def _end(text: str, entry: _Entry) -> int:
    """Return where an entry ends, without the comment after it."""
    value = entry.value
    empty = isinstance(value, yaml.ScalarNode) and value.start_mark.index == value.end_mark.index
    return text.index(":", entry.key.end_mark.index) + 1 if empty else _last(text, value)


def _last(text: str, node: yaml.Node) -> int:
    """Return where a node ends: PyYAML says of a block that it ends where the next one begins."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(text, _Entry(*node.value[-1]))
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last(text, node.value[-1])
    start, end = node.start_mark.index, node.end_mark.index
    return start + len(text[start:end].rstrip())


def _line(text: str, node: yaml.Node) -> int:
    return text.rfind("\n", 0, node.start_mark.index) + 1


def _line_end(text: str, place: int) -> int:
    """Return where the line after this place begins."""
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


# ---- exchanging letters ----------------------------------------------------------------------------------------------


def _exchange(text: str, entry: _Entry | None, value: Any) -> str:
    """Return the text with another value in an entry."""
    if entry is None:
        raise UnwritableKeyError("it is an item of a list")
    colon, end = text.index(":", entry.key.end_mark.index) + 1, _end(text, entry)
    block = isinstance(entry.value, yaml.CollectionNode) and not entry.value.flow_style
    start = colon if block or end == colon else entry.value.start_mark.index
    return text[:start] + (" " if start == colon else "") + flow(value) + text[end:]


def _add(text: str, node: yaml.CollectionNode, new: dict[Any, Any]) -> str:
    """Return the text with entries at the end of a mapping, written as its others are."""
    if isinstance(node, yaml.SequenceNode):
        raise UnwritableKeyError("it is an item of a list")
    if node.flow_style or not node.value:
        inside = flow(new)[1:-1]
        if node.value:
            place = _end(text, _Entry(*node.value[-1]))
            return f"{text[:place]}, {inside}{text[place:]}"
        return f"{text[: node.start_mark.index]}{{{inside}}}{text[node.end_mark.index :]}"
    indent = " " * node.value[0][0].start_mark.column
    lines = "".join(f"{indent}{line}\n" for line in _block(new).splitlines())
    return _insert(text, _end(text, _Entry(*node.value[-1])), lines)


def _insert(text: str, place: int, lines: str) -> str:
    """Return the text with lines after that of a place."""
    place = _line_end(text, place)
    missing = "" if text[:place].endswith("\n") else "\n"
    return text[:place] + missing + lines + text[place:]


def _nested(path: Keys, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def flow(value: Any) -> str:
    """Return a value on one line."""
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=WIDE, allow_unicode=True
    )  # fmt: skip
    return text.removesuffix("\n").removesuffix("\n...")


def _block(value: dict[Any, Any]) -> str:
    """Return entries, each on one line where it is short."""
    lines = []
    for key, told in value.items():
        line = f"{flow(key)}: {flow(told)}\n"
        if len(line) > LONGEST and isinstance(told, dict) and told:
            line = f"{flow(key)}:\n" + "".join(f"  {inner}\n" for inner in _block(told).splitlines())
        lines.append(line)
    return "".join(lines)


# ---- anchors ---------------------------------------------------------------------------------------------------------


def _unshared(text: str, path: Keys) -> str:
    """Return the text with copies in place of the aliases of what an edit at `path` would change for others too."""
    reader = _Reader(text)
    root = reader.get_single_node()
    names = {id(node): name for name, node in reader.named.items()}
    node: yaml.Node | None = root
    for depth in range(len(path)):
        node = _at(root, path[: depth + 1])
        if node is None:
            return text
        if isinstance(node, yaml.ScalarNode) and node.tag == ALIAS and depth + 1 == len(path):
            return text  # the alias itself is exchanged
        name = node.value if node.tag == ALIAS else names.get(id(node))
        if name is not None:
            return _unshared(_copied(text, root, reader.named[str(name)], str(name)), path)
    return text


def _copied(text: str, root: yaml.Node | None, source: yaml.Node, name: str) -> str:
    """Return the text without an anchor, a copy in place of each of its aliases."""
    begin = source.start_mark.index
    for key, alias in reversed([(key, node) for key, node in _pairs(root) if node.tag == ALIAS and node.value == name]):
        copy = _copy(text, source, key.start_mark.column + 2 if key is not None else 0)
        text = text[: alias.start_mark.index].rstrip(" ") + copy + text[alias.end_mark.index :]
    mark = re.match(rf"&{re.escape(name)}\s*?(?=\n)|&{re.escape(name)} *", text[begin:])
    if mark is None:
        return text
    return text[:begin].rstrip(" ") + (" " if text[begin + mark.end()] != "\n" else "") + text[begin + mark.end() :]


def _copy(text: str, source: yaml.Node, column: int) -> str:
    """Return what an anchor names as it follows a colon: a block moved to a column, all else on the same line."""
    end = _last(text, source)
    if isinstance(source, yaml.MappingNode) and not source.flow_style:
        first = source.value[0][0]
        lines = text[_line(text, first) : end].splitlines()
        moved = [f"{' ' * column}{line[first.start_mark.column :]}" if line.strip() else "" for line in lines]
        return "\n" + "\n".join(moved)
    return " " + re.sub(r"^&\S+\s*", "", text[source.start_mark.index : end])


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node | None, yaml.Node]]:
    """Return (key or None, value) of every entry and item, in the order of the text."""
    if isinstance(node, yaml.MappingNode):
        return [found for key, value in node.value for found in [(key, value), *_pairs(value)]]
    if isinstance(node, yaml.SequenceNode):
        return [found for item in node.value for found in [(None, item), *_pairs(item)]]
    return []
