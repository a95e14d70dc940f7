"""What is wrong in conf/, in plain sentences, each with the file that holds it.

A map for the next reader:

- sweep_mistakes: each file of conf/sweep/, which Hydra never reads.
- file_mistakes: each file of conf/ alone, chosen or not: YAML, keys, types, names, targets (needs no Hydra).
- validate: one composition, where an override may be to blame instead of a file.
- _parsed and below: pydantic's errors in plain words.

Whether a well-typed problem can be asked is question.py's to say, whether a `_target_` can be built targets.py's,
whether a model can be searched and judged spaces.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from mlworkflow.config.conffiles import CONFIG, GROUPS, absent, choices, content, file_of, files, inherits, names, read
from mlworkflow.config.question import problem_mistakes
from mlworkflow.config.spaces import augment_mistakes, model_mistakes
from mlworkflow.config.targets import target_mistakes
from mlworkflow.core import paths
from mlworkflow.core.errors import nearest
from mlworkflow.core.params import Params, families, family
from mlworkflow.core.problem import Problem, Strict
from mlworkflow.core.sweep import Sweep

MEND = "Mend this, then run again (`mlworkflow compose` writes params.yaml anew)."


def syntax_mistakes() -> list[str]:
    """Return the files of conf/ that are no YAML, and conf/config.yaml where it is missing."""
    absent_file = f"{CONFIG.as_posix()} is not there; `git restore {CONFIG.as_posix()}` brings it back"
    return [broken for path in files() if (broken := read(path)[1])] + ([] if CONFIG.is_file() else [absent_file])


def file_mistakes() -> list[str]:
    """Return the mistakes that each file of conf/ shows alone, whether it is chosen or not; needs no Hydra."""
    found = []
    for path in files():
        raw, broken = read(path)
        found += [broken] if broken else [f"{path.as_posix()}: {told}" for told in _mistakes_in(raw, path)]
    return found


def _mistakes_in(raw: Any, path: Path) -> list[str]:
    """Return the mistakes of one readable file."""
    if path != CONFIG and path.parent.name not in GROUPS:
        return []
    if not isinstance(raw, dict):
        return [f"it must hold keys with values, but is {_shown(raw)}"]
    section, wrong = _parsed(raw, Params if path == CONFIG else GROUPS[path.parent.name])
    partial = path == CONFIG or inherits(raw)
    found = [] if isinstance(raw.get("defaults", []), list) else ["defaults must be a list"]
    found += [f"defaults: {told}" for choice in choices(path).items() if (told := absent(*choice))]
    found += [
        f"{_dotted(loc)} {told}"
        for loc, value, told in wrong
        if not _interpolated(value) and not (partial and told == "is missing")
    ]
    if raw.get("name", path.stem) != path.stem:
        found.append(f"name must be that of the file, {path.stem!r}, but is {raw['name']!r}")
    found += model_mistakes(raw) if path.parent.name == "model" else []
    return [*found, *target_mistakes(raw), *(problem_mistakes(section) if isinstance(section, Problem) else [])]


def sweep_mistakes(name: str | None = None) -> list[str]:
    """Return the mistakes of the named sweeps, or of one, each with its file."""
    found = []
    for path in [file_of("sweep", one) for one in ([name] if name else names("sweep"))]:
        raw, broken = read(path)
        found += [broken] if broken else [f"{path.as_posix()}: {told}" for told in _mistakes_of_sweep(raw, path)]
    return found


def _mistakes_of_sweep(raw: Any, path: Path) -> list[str]:
    if not isinstance(raw, dict):
        return [f"it must hold keys with values, but is {_shown(raw)}"]
    sweep, wrong = _parsed(raw, Sweep)
    found = [f"{_dotted(loc)} {told}".strip() for loc, _, told in wrong]
    if raw.get("name", path.stem) != path.stem:
        found.append(f"name must be that of the file, {path.stem!r}, but is {raw['name']!r}")
    chosen = sweep.models if sweep is not None and isinstance(sweep.models, list) else []
    return found + [f"models: {told}" for model in chosen if (told := absent("model", model))]


def _interpolated(value: Any) -> bool:
    """Return whether only Hydra knows the value, so that it may be anything."""
    return isinstance(value, str) and "${" in value


def _dotted(loc: Iterable[Any]) -> str:
    """Return a place as -S takes it."""
    return ".".join(map(str, loc))


# ---- one composition -------------------------------------------------------------------------------------------------


def validate(composed: Mapping[str, Any]) -> list[str]:
    """Return all mistakes of one composition in plain sentences, each with the file that holds it."""
    params, wrong = _parsed(composed, Params)
    if params is None:
        return [f"{_place(loc, value, told, composed)} {told}" for loc, value, told in wrong]
    file = {group: file_of(group, composed[group]["name"]).as_posix() for group in GROUPS}
    found = [f"{file['problem']}: {told}" for told in problem_mistakes(params.problem)]
    kind = family(params.problem.task)
    if all(getattr(one, kind) is None for one in families(params.model, params.problem.task).values()):
        able = ", ".join(f"model={name}" for name in names("model") if content(file_of("model", name)).get(kind))
        task = f"{kind}, the task of {file['problem']}"
        found.append(f"{file['model']}: it has no estimator for {task}; those that have: {able or 'none'}")
    found += [f"{file['augment']}: {told}" for told in augment_mistakes(params.augment, params.problem.task)]
    found += [f"{file['model']}: {told}" for told in model_mistakes(composed["model"])]
    return found + [f"{file[group]}: {told}" for group in GROUPS for told in target_mistakes(composed[group])]


def _place(loc: Sequence[Any], value: Any, told: str, composed: Mapping[str, Any]) -> str:
    """Return `file: key` for an error at `loc`: a file of conf/ where it says so, else params.yaml (an override)."""
    group, inner = str(loc[0]), loc[1:]
    section = composed.get(group)
    if group in GROUPS and isinstance(section, dict):
        file = file_of(group, section.get("name"))
        if told == "is missing" or _says(file, inner, value):
            return f"{file.as_posix()}: {_dotted(inner)}"
        if not _says(CONFIG, loc, value):
            return f"{paths.PARAMS}: {_dotted(loc)}"
    return f"{CONFIG.as_posix()}: {_dotted(loc)}"


def _says(path: Path, loc: Iterable[Any], value: Any) -> bool:
    """Return whether a file holds `value`, or an interpolation, at `loc`."""
    raw: Any = content(path)
    try:
        for part in loc:
            raw = raw[part]
    except (LookupError, TypeError):
        return False
    return bool(raw == value) or _interpolated(raw)


# ---- pydantic's errors in plain words --------------------------------------------------------------------------------

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "a section of keys",
    "string_pattern_mismatch": "a dotted name such as sklearn.linear_model.Ridge",
}
_BRANCHES = ("str", "int", "float", "bool", "[key]")  # parts of a place that name a type, not a key


def _parsed(raw: Mapping[str, Any], model: type[Strict]) -> tuple[Any, list[tuple[tuple[Any, ...], Any, str]]]:
    """Return (section, nothing), or (None, [(place, value, sentence)]); the branches of a union count as one place."""
    try:
        return model.model_validate({key: raw[key] for key in raw if key not in ("defaults", "hydra")}), []
    except ValidationError as error:
        errors: list[Any] = error.errors()
    found: dict[tuple[Any, ...], list[Any]] = {}
    for one in errors:
        place = one["loc"]
        while one["type"] in _KINDS and place[-1:] and place[-1] in _BRANCHES:
            place = place[:-1]
        found.setdefault(place, []).append(one)
    return None, [(place, here[0]["input"], _sentence(here, model)) for place, here in found.items()]


def _sentence(errors: list[Any], model: type[Strict]) -> str:
    """Return what is wrong at one place; the kinds that a value may have are listed together."""
    kinds = list(dict.fromkeys(_KINDS[one["type"]] for one in errors if one["type"] in _KINDS))
    if "a number" in kinds:
        kinds = [kind for kind in kinds if kind != "a whole number"]
    first, value = errors[0], _shown(errors[0]["input"])
    if kinds:
        return f"must be {' or '.join(kinds)}, but is {value}"
    if first["type"] == "missing":
        return "is missing"
    if first["type"] == "extra_forbidden":
        return f"is no key here{nearest(str(first['loc'][-1]), _keys(model, first['loc']))}"
    told = re.sub("^(Input|String) should", "must", first["msg"]).replace("Value error,", "cannot be so:")
    words = re.findall(r"'([^']*)'", told) if first["type"] == "literal_error" else []
    return f"{told}, but is {value}{nearest(str(first['input']), words)}"


def _shown(value: Any) -> str:
    """Return a value as it stands in YAML, shortened."""
    text = "empty" if value is None else repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys(model: type[Strict], loc: Iterable[Any]) -> list[str]:
    """Return the keys of the innermost section on the way to `loc`."""
    for part in loc:
        field = model.model_fields.get(str(part))
        model = (field and _section(field.annotation)) or model
    return list(model.model_fields)


def _section(annotation: Any) -> type[Strict] | None:
    """Return the section that an annotation allows, alone, in a list or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return annotation
    return next(filter(None, map(_section, get_args(annotation))), None)
