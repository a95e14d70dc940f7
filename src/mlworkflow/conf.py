"""conf/ composed into params.yaml, and every mistake in it found before anything runs.

A map for the next reader:

- compose, write_params: what Hydra makes of conf/ and some overrides, byte for byte what DVC writes.
- check: is params.yaml the composition of today's conf/? (rule 1; needs no Hydra)
- file_mistakes: each file of conf/ alone, chosen or not: YAML, keys, types, names, targets (needs no Hydra).
- validate: one composition; validate_all: every file of every group in a composition of its own.
- problem_mistakes: what the types of Problem cannot say: metrics that fit no task, values for no class, ...
- target_mistakes: `_target_`s that are not there and arguments they do not take, read from their source text, since
  importing scikit-learn to check a word would take longer than everything else here.

The fingerprint itself is made by plugins/hydra_plugins/fingerprint.py, which DVC loads too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from itertools import zip_longest
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError

from mlworkflow import io, paths
from mlworkflow.errors import ConfError, StaleParamsError, UnreadableError, nearest
from mlworkflow.params import Model, Params, family
from mlworkflow.problem import Problem, Strict

PLUGIN = Path("plugins/hydra_plugins/fingerprint.py")
GROUPS: dict[str, type[Strict]] = {
    name: field.annotation
    for name, field in Params.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Strict)
}
MEND = "Mend this, then run again (`mlworkflow compose` writes params.yaml anew)."
HERE = Path()


# ---- composing -------------------------------------------------------------------------------------------------------


def compose_text(overrides: Sequence[str] = (), root: Path = HERE) -> str:
    """Return the text of params.yaml for conf/ and `overrides`, byte for byte as DVC writes it.

    Raises:
        ConfError: conf/ cannot be composed, or an override names what is not there.
    """
    if found := [*_syntax_mistakes(root), *_choice_mistakes(overrides, root)]:
        raise ConfError(found, MEND)
    return _hydra_text(overrides, root)


def _hydra_text(overrides: Sequence[str], root: Path) -> str:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    _plugin(root)["register"]()
    try:
        with initialize_config_dir(str((root / paths.CONF).resolve()), version_base=None):
            composed = hydra_compose(config_name="config", overrides=list(overrides))
        OmegaConf.resolve(composed)
    except (HydraException, OmegaConfBaseException) as error:
        told = " ".join(str(error).split())
        raise ConfError([f"{' '.join(['conf/', *overrides])}: {told}"], MEND) from error
    return OmegaConf.to_yaml(composed)


def compose(overrides: Sequence[str] = (), root: Path = HERE) -> dict[str, Any]:
    """Return the composed configuration as plain types. Raises ConfError as compose_text does."""
    import yaml

    composed: dict[str, Any] = yaml.safe_load(compose_text(overrides, root))
    return composed


def write_params(overrides: Sequence[str] = (), root: Path = HERE) -> None:
    """Write params.yaml, the composition of conf/ and `overrides`."""
    io.write_text(compose_text(overrides, root), root / paths.PARAMS)


def compose_command(overrides: Sequence[str], check: bool = False, root: Path = HERE) -> str:
    """Write params.yaml, or only say whether it is current; return what to print.

    With overrides, `check` asks for exactly that composition.

    Raises:
        ConfError: some file of conf/, chosen or not, has a mistake; params.yaml is as it was.
        StaleParamsError: params.yaml is not current (`check`).
    """
    if check and not file_mistakes(root) and (stale := _stale(root)):
        raise stale
    if found := validate_all(overrides, root):
        raise ConfError(found, "Mend this, then type `mlworkflow compose` again. params.yaml is as it was.")
    text = compose_text(overrides, root)
    if not check:
        before = _params(root)
        io.write_text(text, root / paths.PARAMS)
        return "\n".join([f"params.yaml is composed from conf/: {_told(root)}", *_changes(before, _params(root))])
    if overrides and (root / paths.PARAMS).read_text(encoding="utf-8") != text:
        wanted = " ".join(overrides)
        raise StaleParamsError([f"params.yaml (composed without {wanted})"], f"mlworkflow compose {wanted}")
    return f"params.yaml is current: {_told(root)}"


def _told(root: Path) -> str:
    """Return the choices of params.yaml in one line."""
    return " ".join(f"{group}={name}" for group, name in _choices(_params(root)).items())


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], most: int = 12) -> list[str]:
    """Return a line for each choice or key that is another one now; values set by hand or by -S show up here."""
    chosen, choices = _choices(before), _choices(after)
    others = {group for group in choices if chosen.get(group) != choices[group]}
    old, new = (
        _flat({key: _choices(values)[key] if key in others and key in values else values[key] for key in values})
        for values in (before, after)
    )
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    keys = [key for key in keys if not key.startswith("fingerprint.")] if before else []
    lines = [f"  {key}: {old.get(key, '(not there)')} -> {new.get(key, '(not there)')}" for key in keys[:most]]
    return [*lines, f"  and {len(keys) - most} more: git diff params.yaml"] if len(keys) > most else lines


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return {dotted key: plain value}."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {name: leaf for key in value for name, leaf in _flat(value[key], f"{prefix}.{key}".strip(".")).items()}


def _choice_mistakes(overrides: Iterable[str], root: Path) -> list[str]:
    """Return the overrides `group=name` whose file is not there, each with the nearest name."""
    found = []
    for override in overrides:
        group, sign, name = override.partition("=")
        if not sign or not re.fullmatch(r"\w+", name) or not (root / paths.CONF / group).is_dir() or not group:
            continue
        there = sorted(path.stem for path in (root / paths.CONF / group).glob("*.yaml"))
        if name not in there:
            known = ", ".join(there)
            told = f"conf/{group}/{name}.yaml is not there{nearest(name, there)}"
            found.append(f"{override}: {told} (there are: {known})")
    return found


# ---- rule 1: is params.yaml today's conf/? ---------------------------------------------------------------------------


def check(root: Path = HERE) -> None:
    """Compare the fingerprint in params.yaml with conf/, and with params.yaml itself; takes milliseconds.

    Raises:
        StaleParamsError: names each file that was edited, added or removed since, and both ways on.
    """
    if stale := _stale(root):
        raise stale


def _stale(root: Path) -> StaleParamsError | None:
    plugin = _plugin(root)
    now: dict[str, str] = plugin["files"](root / paths.CONF)
    params = _params(root)
    try:
        then, composed = dict(params["fingerprint"]["files"]), params["fingerprint"]["composed"]
    except (KeyError, TypeError, ValueError):
        return StaleParamsError(["params.yaml (it has no fingerprint of conf/)"], _ways_on(params, root))
    differing = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    changed = [f"conf/{name} ({_fate(name, then, now)})" for name in differing]
    if plugin["digest"]((root / paths.PARAMS).read_text(encoding="utf-8")) != composed:
        changed.append("params.yaml (edited by hand: make the change in conf/, or by -S key=value)")
    return StaleParamsError(changed, _ways_on(params, root)) if changed else None


def _fate(name: str, then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return what happened to a file of conf/."""
    if name not in now:
        return "gone; a queued experiment has only the files that Git knows, `git add` makes it known"
    return "edited" if name in then else "added"


def _ways_on(params: Mapping[str, Any], root: Path) -> str:
    """Return the commands that compose params.yaml anew, by default and with its present choices."""
    usual = _usual_choices(params, root)
    kept = " ".join(f"{group}={name}" for group, name in _choices(params).items() if usual.get(group, name) != name)
    if not kept:
        return "mlworkflow compose"
    sets = " ".join(f"-S {choice}" for choice in kept.split())
    return (
        f"mlworkflow compose` for the default choices or, to keep those of params.yaml, "
        f"`dvc exp run {sets}` or `mlworkflow compose {kept}"
    )


def _choices(params: Mapping[str, Any]) -> dict[str, str]:
    """Return {group: name} of a composition, the problem first."""
    names = {group: section.get("name") for group in GROUPS if isinstance(section := params.get(group), dict)}
    return {group: str(name) for group, name in names.items() if name is not None}


def _usual_choices(params: Mapping[str, Any], root: Path) -> dict[str, str]:
    """Return {group: name} by default; a problem's file may choose for the other groups."""
    usual = dict(_defaults(root / paths.CONF / "config.yaml"))
    problem = _choices(params).get("problem", "")
    return {**usual, **dict(_defaults(root / paths.CONF / "problem" / f"{problem}.yaml"))}


def _params(root: Path) -> dict[str, Any]:
    """Return params.yaml as it stands, empty where it is missing or no YAML (a merge conflict)."""
    try:
        params = io.read_yaml(root / paths.PARAMS)
    except UnreadableError:
        return {}
    return params if isinstance(params, dict) else {}


def _plugin(root: Path) -> dict[str, Any]:
    """Return the functions of the Hydra plugin of the repository at `root`."""
    return _functions((root / PLUGIN).resolve())


@lru_cache
def _functions(path: Path) -> dict[str, Any]:
    functions: dict[str, Any] = {"__file__": str(path), "__name__": path.stem}
    exec(compile(io.read_bytes(path), path, "exec"), functions)
    return functions


# ---- mistakes --------------------------------------------------------------------------------------------------------


def validate_all(overrides: Sequence[str] = (), root: Path = HERE) -> list[str]:
    """Return the mistakes of every file of conf/, chosen or not, and of the composition with `overrides`."""
    import yaml

    found = [*file_mistakes(root), *_choice_mistakes(overrides, root)]
    if _syntax_mistakes(root) or _choice_mistakes(overrides, root):
        return found
    for wanted in [list(overrides), *_compositions(root)]:
        try:
            found += validate(yaml.safe_load(_hydra_text(wanted, root)), root)
        except ConfError as error:
            found += _lines(error)
    return list(dict.fromkeys(found))


def _lines(error: ConfError) -> list[str]:
    """Return the mistakes that an error tells."""
    return [line.removeprefix("  - ") for line in str(error).splitlines() if line.startswith("  - ")]


def _compositions(root: Path) -> Iterator[list[str]]:
    """Yield overrides that choose each file of each group: every problem as it comes, then what no problem chose."""
    stems = {group: [path.stem for path in _files(root) if path.parent.name == group] for group in GROUPS}
    yield from ([f"problem={name}"] for name in stems["problem"])
    chosen = [_usual_choices({"problem": {"name": name}}, root) for name in stems.pop("problem")]
    left = {group: [n for n in names if all(c.get(group) != n for c in chosen)] for group, names in stems.items()}
    left["model"] = [name for name in left["model"] if _able_problem(name, root)]
    for row in zip_longest(*left.values()):
        picks = {group: name for group, name in zip(left, row, strict=True) if name}
        problem = [f"problem={_able_problem(picks['model'], root)}"] if "model" in picks else []
        yield [*problem, *(f"{group}={name}" for group, name in picks.items())]


def _able_problem(model: str, root: Path) -> str:
    """Return the first problem that the model can do, empty where there is none."""
    estimators = _of_group("model", Model, root).get(model)
    problems = _of_group("problem", Problem, root)
    fit = [name for name, problem in problems.items() if getattr(estimators, family(problem.task), None) is not None]
    return fit[0] if fit else ""


def validate(composed: Mapping[str, Any], root: Path = HERE) -> list[str]:
    """Return all mistakes of one composition in plain sentences, each with the file that holds it."""
    try:
        params = Params.model_validate(dict(composed))
    except ValidationError as error:
        return [
            f"{_place(loc, value, told, composed, root)} {told}" for loc, value, told in _told_errors(error, Params)
        ]
    place = f"conf/problem/{params.problem.name}.yaml"
    found = [f"{place}: {told}" for told in problem_mistakes(params.problem, root)]
    found += _unable(params, root)
    for group in GROUPS:
        file = f"conf/{group}/{composed[group]['name']}.yaml"
        found += [f"{file}: {told}" for told in target_mistakes(composed[group])]
    return found


def _unable(params: Params, root: Path) -> list[str]:
    """Return that the model has no estimator for the problem's task, and the models that have."""
    kind = family(params.problem.task)
    if getattr(params.model, kind) is not None:
        return []
    models = _of_group("model", Model, root)
    able = ", ".join(f"model={name}" for name, model in models.items() if getattr(model, kind) is not None)
    return [
        f"conf/model/{params.model.name}.yaml: it has no estimator for {kind}, the task of "
        f"conf/problem/{params.problem.name}.yaml; those that have: {able or 'none'}"
    ]


def _place(loc: Sequence[Any], value: Any, told: str, composed: Mapping[str, Any], root: Path) -> str:
    """Return `file: key` for an error at `loc`: a file of conf/ where it says so, else params.yaml (an override)."""
    group, key = str(loc[0]), ".".join(map(str, loc))
    if group not in GROUPS or not isinstance(composed.get(group), dict):
        return f"conf/config.yaml: {key}"
    file = f"conf/{group}/{composed[group].get('name')}.yaml"
    if told == "is missing" or _says(root / file, loc[1:], value):
        return f"{file}: {key.partition('.')[2]}"
    return f"conf/config.yaml: {key}" if _says(root / "conf/config.yaml", loc, value) else f"params.yaml: {key}"


def _says(path: Path, loc: Iterable[Any], value: Any) -> bool:
    """Return whether a file holds `value`, or an interpolation, at `loc`."""
    raw, _ = _read(path)
    try:
        for part in loc:
            raw = raw[part]
    except (LookupError, TypeError):
        return False
    return bool(raw == value) or (isinstance(raw, str) and "${" in raw)


def file_mistakes(root: Path = HERE) -> list[str]:
    """Return the mistakes that each file of conf/ shows alone, whether it is chosen or not; needs no Hydra."""
    found = []
    for path in _files(root):
        raw, broken = _read(path)
        name = path.relative_to(root).as_posix()
        told = [broken] if broken else _raw_mistakes(raw, path, root)
        found += [f"{name}{sentence}" if sentence == broken else f"{name}: {sentence}" for sentence in told]
    return found


def _raw_mistakes(raw: Any, path: Path, root: Path) -> list[str]:
    """Return the mistakes of one readable file."""
    group = path.parent.name if path.parent != root / paths.CONF else ""
    if group and group not in GROUPS:
        return []
    if not isinstance(raw, dict):
        return ["it must hold keys with values, but is empty" if raw is None else "it must hold keys with values"]
    found = _default_mistakes(path, root)
    if not group:
        known = {**Params.model_fields, "defaults": None, "hydra": None}
        found += [f"{key} is no key here{nearest(str(key), known)}" for key in raw if key not in known]
        for key, section in raw.items():
            told = _section_mistakes(section, GROUPS[key]) if key in GROUPS and isinstance(section, dict) else []
            found += [f"{key}.{sentence}" for sentence in told if not sentence.endswith(" is missing")]
        return found
    found += _section_mistakes(raw, GROUPS[group])
    if "name" in raw and raw["name"] != path.stem:
        found.append(f"name must be that of the file, {path.stem!r}, but is {raw['name']!r}")
    found += target_mistakes(raw)
    problem = _parsed(raw, Problem) if group == "problem" else None
    return [*found, *problem_mistakes(problem, root)] if problem else found


def _section_mistakes(raw: dict[str, Any], model: type[Strict]) -> list[str]:
    """Return what does not fit the section's keys and types; values still to be interpolated may be anything."""
    inherits = any(not override for override in _overriding(raw))
    try:
        model.model_validate({key: value for key, value in raw.items() if key != "defaults"})
    except ValidationError as error:
        return [
            f"{'.'.join(map(str, loc))} {told}"
            for loc, value, told in _told_errors(error, model)
            if not (isinstance(value, str) and "${" in value) and not (inherits and told == "is missing")
        ]
    return []


def _default_mistakes(path: Path, root: Path) -> list[str]:
    """Return the choices in a file's defaults list whose file is not there."""
    raw, _ = _read(path)
    found = [] if isinstance(raw.get("defaults", []), list) else ["defaults must be a list"]
    for group, name in _defaults(path):
        there = sorted(file.stem for file in (root / paths.CONF / group).glob("*.yaml"))
        if name not in there:
            found.append(f"defaults: conf/{group}/{name}.yaml is not there{nearest(name, there)}")
    return found


def _defaults(path: Path) -> list[tuple[str, str]]:
    """Return the (group, name) pairs of a file's defaults list, overrides of other groups included."""
    raw, _ = _read(path)
    entries = raw.get("defaults") if isinstance(raw, dict) else None
    pairs = [pair for entry in entries or [] if isinstance(entry, dict) for pair in entry.items()]
    cleaned = [(re.sub(r"^(override |optional )*/?|@.*$", "", str(group)), name) for group, name in pairs]
    return [(group, name) for group, name in cleaned if isinstance(name, str) and "${" not in name]


def _overriding(raw: Mapping[str, Any]) -> list[bool]:
    """Return for each entry of a defaults list, _self_ aside, whether it only overrides another choice."""
    entries = raw.get("defaults") or []
    first = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]
    return [str(entry).startswith("override ") for entry in first if entry != "_self_"]


def _files(root: Path) -> list[Path]:
    """Return the files of conf/ that the fingerprint covers."""
    return [root / paths.CONF / name for name in _plugin(root)["files"](root / paths.CONF)]


def _of_group(group: str, model: type[Strict], root: Path) -> dict[str, Any]:
    """Return {file's stem: parsed section} for the files of a group that fit its schema."""
    files = {path.stem: _parsed(_read(path)[0], model) for path in _files(root) if path.parent.name == group}
    return {name: section for name, section in files.items() if section is not None}


def _parsed(raw: Any, model: type[Strict]) -> Any:
    """Return the section that `raw` says, None where it does not fit."""
    try:
        return model.model_validate({key: value for key, value in raw.items() if key != "defaults"})
    except (ValidationError, AttributeError):
        return None


def _syntax_mistakes(root: Path) -> list[str]:
    """Return `file, line n: what` for each file of conf/ that is no YAML."""
    broken = {path: _read(path)[1] for path in _files(root)}
    return [f"{path.relative_to(root).as_posix()}{told}" for path, told in broken.items() if told]


def _read(path: Path) -> tuple[Any, str]:
    """Return (content, "") of a YAML file read as OmegaConf reads it, or (None, what is wrong with it and where)."""
    import yaml

    try:
        return yaml.load(io.read_bytes(path), Loader=_loader()), ""
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return None, f"{line}: it is no YAML here: {error.problem or error.context}"
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return None, f": it is no YAML: {' '.join(str(error).split())}"
    except UnreadableError as error:
        return None, f": {error}"


@lru_cache
def _loader() -> Any:
    """Return a loader that, like OmegaConf's, reads 1e-3 as a number and a date as text and takes no key twice."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            for position, (key, _) in enumerate(node.value):
                if key.value in keys[:position]:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            return super().construct_mapping(node, deep)

    date, number = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float"
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != date]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(number, re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789"))
    return Loader


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


def _told_errors(error: ValidationError, model: type[Strict]) -> list[tuple[tuple[Any, ...], Any, str]]:
    """Return (place, value, sentence) for each place that is wrong; the branches of a union count as one."""
    found: dict[tuple[Any, ...], tuple[Any, list[str]]] = {}
    for one in error.errors():
        place = tuple(one["loc"])
        while one["type"] in _KINDS and place[-1:] and place[-1] in _BRANCHES:
            place = place[:-1]
        found.setdefault(place, (one["input"], []))[1].append(_told_error(one, model))
    return [(place, value, _joined(told, value)) for place, (value, told) in found.items()]


def _joined(told: list[str], value: Any) -> str:
    """Return one sentence for the mistakes at one place; kinds of value are listed together."""
    kinds = list(dict.fromkeys(word for word in told if word in _KINDS.values()))
    if not kinds:
        return "; ".join(dict.fromkeys(told))
    if "a number" in kinds:
        kinds = [kind for kind in kinds if kind != "a whole number"]
    return f"must be {' or '.join(kinds)}, but is {_shown(value)}"


def _told_error(one: Any, model: type[Strict]) -> str:
    """Return what is wrong, without the place; one of _KINDS for a value of the wrong kind."""
    kind = one["type"]
    if kind in _KINDS:
        return _KINDS[kind]
    if kind == "extra_forbidden":
        return f"is no key here{nearest(str(one['loc'][-1]), _known_keys(model, one['loc'][:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return f"cannot be so: {one['ctx']['error']}"
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", one["ctx"]["expected"])
        told = f"must be one of {', '.join(words)}, but is {_shown(one['input'])}"
        return told + nearest(str(one["input"]), words)
    return f"{one['msg'].replace('Input should', 'must')}, but is {_shown(one['input'])}"


def _shown(value: Any) -> str:
    """Return a value as it stands in YAML, shortened."""
    text = "empty" if value is None else repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys(model: Any, loc: Iterable[Any]) -> list[str]:
    """Return the keys that the section at `loc` has."""
    here = model
    for part in loc:
        if isinstance(here, type) and issubclass(here, Strict):
            here = _plain(here.model_fields[part].annotation) if part in here.model_fields else None
        else:
            here = _plain(get_args(here)[-1]) if get_args(here) else None
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, Strict) else []


def _plain(annotation: Any) -> Any:
    """Return an annotation without Annotated and None."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return _plain(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


# ---- what the types of Problem cannot say ----------------------------------------------------------------------------


def problem_mistakes(problem: Problem, root: Path = HERE) -> list[str]:
    """Return all that is wrong with a well-typed problem, in sentences that begin with the key."""
    return [
        *_metric_mistakes(problem),
        *_target_column_mistakes(problem),
        *_value_mistakes(problem),
        *_snapshot_mistakes(problem, root),
    ]


def _metric_mistakes(problem: Problem) -> list[str]:
    """Return the metrics that are unknown or do not fit the task."""
    from mlworkflow.metrics import METRICS, metrics_for

    human = problem.reference.human
    named = [("metrics.primary", problem.metrics.primary), *(("metrics.also", name) for name in problem.metrics.also)]
    named += [("constraints.metrics", name) for name in problem.constraints.metrics]
    named += [("reference.human.metric", human.metric)] if human else []
    fitting = metrics_for(problem.task)
    found = []
    for key, name in named:
        if name not in METRICS:
            found.append(f"{key}: {name!r} is no metric{nearest(name, fitting)}")
        elif name not in fitting:
            found.append(f"{key}: {name} does not fit the task {problem.task}; those that do: {', '.join(fitting)}")
    return found


def _target_column_mistakes(problem: Problem) -> list[str]:
    """Return what is wrong with the roles of the columns, the positive class and the number of clusters."""
    data, task = problem.data, problem.task
    clustering, clusters = task == "clustering", problem.clusters
    rules = {
        "data.target must be null: a clustering has no target; hide the column instead": clustering and data.target,
        f"data.target is missing: the task {task} predicts a column": not clustering and not data.target,
        "clusters is missing: say how many groups are asked for": clustering and clusters is None,
        "clusters must be 2 or more": clustering and clusters is not None and clusters < 2,
        f"clusters is for the task clustering, not for {task}": not clustering and clusters is not None,
        "data.positive is missing: say which class is looked for": task == "binary" and data.positive is None,
        f"data.positive is for the task binary, not for {task}": task != "binary" and data.positive is not None,
        "data.time is missing: split.scheme time needs a column": problem.split.scheme == "time" and not data.time,
    }
    others: dict[str, list[str | None]] = {"data.hidden": [*data.hidden], "data.key": [*data.key]}
    others |= {"data.group": [data.group], "data.time": [data.time], "split.column": [problem.split.column]}
    twice = [key for key, names in others.items() if data.target is not None and data.target in names]
    found = [rule for rule, broken in rules.items() if broken]
    return [
        *found,
        *(f"data.target {data.target!r} cannot be in {key} too" for key in twice),
        *_range_mistakes(problem),
    ]


def _range_mistakes(problem: Problem) -> list[str]:
    """Return the ranges whose low end is above their high end."""
    ends = [(column, low, high) for column, (low, high) in problem.data.ranges.items()]
    return [
        f"data.ranges: {column!r} must go from low to high, but goes from {low} to {high}"
        for column, low, high in ends
        if low is not None and high is not None and low > high
    ]


def _value_mistakes(problem: Problem) -> list[str]:
    """Return values that no outcome of the task can have."""
    value, task = problem.value, problem.task
    if value is None:
        return []
    if task == "clustering":
        return ["value: a clustering has no outcomes that are right or wrong, so none has a value"]
    per_unit = [key for key in ("over", "under") if getattr(value, key) is not None]
    if task == "regression":
        found = ["value.outcomes is for classes; a regression has value.over and value.under"] if value.outcomes else []
        return found + ([] if found or per_unit else ["value: over or under is missing"])
    if per_unit:
        return [f"value.{key} is for the task regression; {task} has value.outcomes" for key in per_unit]
    return _outcome_mistakes(problem)


def _outcome_mistakes(problem: Problem) -> list[str]:
    """Return values for classes that do not exist: which there are is said by the actual ones."""
    outcomes = problem.value.outcomes if problem.value else None
    if not outcomes:
        return ["value.outcomes is missing"]
    classes = [str(label) for label in outcomes]
    cells = [(actual, predicted) for actual, row in outcomes.items() for predicted in row if predicted not in outcomes]
    found = [
        f"value.outcomes.{actual}: {predicted!r} is no class{nearest(str(predicted), classes)}"
        for actual, predicted in cells
    ]
    positive = problem.data.positive
    if problem.task == "binary" and len(outcomes) != 2:
        found.append(f"value.outcomes must have two classes, but has {len(outcomes)}")
    if positive is not None and positive not in outcomes:
        found.append(f"value.outcomes lacks the positive class {positive!r}{nearest(str(positive), classes)}")
    return found


def _snapshot_mistakes(problem: Problem, root: Path) -> list[str]:
    """Return what is wrong with the path of the snapshot."""
    path = Path(problem.snapshot)
    if path.is_absolute() or ".." in path.parts:
        return [f"snapshot must be a path inside the repository, but is {problem.snapshot!r}"]
    return [] if (root / path).exists() else [f"snapshot: the file {problem.snapshot} is not there"]


# ---- _target_s, read from their source text --------------------------------------------------------------------------

_HYDRAS = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
_KNOWN = ("mlworkflow", "sklearn", "xgboost", "optuna")


def target_mistakes(section: Any) -> list[str]:
    """Return the `_target_`s anywhere in `section` that are not there, and the arguments that they do not take."""
    found = []
    for key, config in _targets(section):
        target = config["_target_"]
        if told := _absent(target):
            found.append(f"{key}_target_: {told}")
        found += [f"{key}{told}" for told in _refused(target, tuple(str(k) for k in config if k not in _HYDRAS))]
    return found + _space_mistakes(section)


def _targets(section: Any, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (dotted place, configuration) of each `_target_` that is a dotted name."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(section, dict):
        items = section.items()
        if re.fullmatch(r"\w+(\.\w+)+", str(section.get("_target_", ""))):
            yield prefix, section
    elif isinstance(section, list):
        items = enumerate(section)
    for key, value in items:
        yield from _targets(value, f"{prefix}{key}.")


def _space_mistakes(section: Any) -> list[str]:
    """Return the parameters of a model's search space that its estimator does not take."""
    space = section.get("space") if isinstance(section, dict) else None
    found = []
    for kind, parameters in space.items() if isinstance(space, dict) else ():
        estimator = section.get(kind)
        if isinstance(estimator, dict) and isinstance(parameters, dict) and "_target_" in estimator:
            refused = _refused(str(estimator["_target_"]), tuple(map(str, parameters)))
            found += [f"space.{kind}.{told}" for told in refused]
        elif parameters and estimator is None:
            found.append(f"space.{kind} has parameters, but there is no estimator for {kind}")
    return found


@lru_cache
def _absent(target: str) -> str:
    """Return what of `target` cannot be found, or nothing; nothing is imported."""
    spec, rest = _module(target)
    if spec is None:
        return f"{target}: there is no package {rest[0]!r}{nearest(rest[0], _KNOWN)}"
    if not rest:
        return f"{target} is a module; name something in it"
    text = _source(spec.origin or "")
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    hidden = "import *" in text or "def __getattr__" in text  # its names need not be in its text
    if not text or rest[0] in words or (hidden and (len(rest) == 1 or not rest[0].islower())):
        return ""
    return f"{target}: {spec.name} has no {rest[0]!r}{nearest(rest[0], sorted(words))}"


@lru_cache
def _refused(target: str, arguments: tuple[str, ...]) -> list[str]:
    """Return the arguments that `target` does not take, each with the nearest that it does."""
    spec, rest = _module(target)
    taken = _arguments(spec, rest[0]) if spec and len(rest) == 1 else None
    if taken is None:
        return []
    known, others_too = taken
    unknown = [name for name in arguments if name not in known]
    if others_too:  # it takes **kwargs: refuse what looks like a slip of the pen
        from difflib import get_close_matches

        unknown = [name for name in unknown if get_close_matches(name, known, cutoff=0.85)]
    return [f"{name} is no argument of {target}{nearest(name, known)}" for name in unknown]


@lru_cache
def _module(dotted: str) -> tuple[ModuleSpec | None, list[str]]:
    """Return (the innermost module of a dotted name, the names that follow); no parent package is imported."""
    first, *rest = dotted.split(".")
    try:
        spec = find_spec(first)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return None, [first, *rest]
    while rest and spec.submodule_search_locations:
        inner = PathFinder.find_spec(f"{spec.name}.{rest[0]}", list(spec.submodule_search_locations))
        if inner is None:
            break
        spec, rest = inner, rest[1:]
    return spec, rest


@lru_cache
def _source(path: str) -> str:
    """Return the Python text of a module, empty where it has none (an extension, a namespace)."""
    return Path(path).read_text(encoding="utf-8", errors="replace") if path.endswith(".py") else ""


def _arguments(spec: ModuleSpec, name: str, depth: int = 0) -> tuple[list[str], bool] | None:
    """Return (arguments, whether **kwargs takes others) of a function or class, None where its text does not say."""
    text = _source(spec.origin or "")
    start = re.search(rf"^(class|def) {re.escape(name)}\b", text, re.MULTILINE)
    if depth > 6:
        return None
    if not start:
        return _imported(spec, text, name, depth)
    end = re.compile(r"^[^\s)#]", re.MULTILINE).search(text, text.find("\n", start.end()))
    block = text[start.start() : end.start() if end else None]
    try:
        node = ast.parse(block).body[0]
    except SyntaxError:
        return None
    return _signature(node, spec, depth)


def _signature(node: ast.stmt, spec: ModuleSpec, depth: int) -> tuple[list[str], bool] | None:
    """Return (arguments, whether others are taken); a class's are its __init__'s and, through **kwargs, its bases'."""
    if isinstance(node, ast.FunctionDef):
        names = [one.arg for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
        names = [name for name in names if name != "self"]
        return names, node.args.kwarg is not None
    if not isinstance(node, ast.ClassDef):
        return None
    inits = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
    own = _signature(inits[0], spec, depth) if inits else ([], True)
    if own is None or not own[1]:
        return own
    bases = [_arguments(spec, base.id, depth + 1) for base in node.bases if isinstance(base, ast.Name)]
    told = [base for base in bases if base is not None and base[0]]
    if not inits:
        return told[0] if told else None
    return [*own[0], *(name for names, _ in told for name in names)], not told or all(others for _, others in told)


def _imported(spec: ModuleSpec, text: str, name: str, depth: int) -> tuple[list[str], bool] | None:
    """Return the arguments of what a module imports under `name` from another one."""
    package = spec.name if spec.submodule_search_locations else spec.name.rpartition(".")[0]
    for module, names in re.findall(r"^\s*from +([.\w]+) +import +(\([^)]*\)|[^(\n]+)", text, re.MULTILINE):
        plain = re.sub(r"#.*|[()]", "", names)
        if name in [word.strip() for word in plain.split(",")]:
            other, rest = _module(resolve_name(module, package))
            return _arguments(other, name, depth + 1) if other and not rest else None
    return None
