"""Is a `_target_` there, and does it take its arguments? Read from source text: importing scikit-learn takes seconds.

A map for the next reader:

- target_mistakes: every `_target_` of a configuration, and the search space of its estimators.
- _foreign: what may be built in which part: `os.system` is there, takes its arguments, and has no business in conf/.
- _absent, _refused: one target: what of its name is not there, which arguments it does not take.
- _arguments: what a class or function takes, found through imports and base classes.

Where the text does not say (an extension, a name made at run time), nothing is told: building the object will.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from mlworkflow.core.errors import nearest

_HYDRAS = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
_KNOWN = ("mlworkflow", "sklearn", "xgboost", "optuna")
_ESTIMATORS = ("sklearn", "xgboost", "mlworkflow")  # what a model file may hold
HOMES: dict[str, tuple[str, ...]] = {  # part of a file of conf/ -> where all that it builds must come from
    "source": ("mlworkflow",),
    "features": ("mlworkflow.features",),
    **dict.fromkeys(("classification", "regression", "clustering"), _ESTIMATORS),
    "space": ("optuna.distributions",),
    "sampler": ("optuna.samplers",),
}


def target_mistakes(section: dict[str, Any]) -> list[str]:
    """Return the `_target_`s anywhere in `section` that are not there, and the arguments that they do not take."""
    found = []
    for key, config in _targets(section):
        target, arguments = config["_target_"], tuple(str(name) for name in config if name not in _HYDRAS)
        if told := _absent(target) or _foreign(key.partition(".")[0], target):
            found.append(f"{key}_target_: {told}")
        else:
            found += [f"{key}{told}" for told in _refused(target, arguments)]
    return found + _space_mistakes(section)


def _foreign(part: str, target: str) -> str:
    """Return that `target` is none of what this part of a file may build, or nothing."""
    homes = HOMES.get(part, ())
    if not homes or any(target.startswith(f"{home}.") for home in homes):
        return ""
    own = "; put a feature of your own into src/mlworkflow/features.py" if part == "features" else ""
    return f"{target} may not be built here; what is in {' or '.join(homes)} may{own}"


def _targets(section: Any, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (dotted place, configuration) of each `_target_` that is a dotted name."""
    if isinstance(section, dict) and re.fullmatch(r"\w+(\.\w+)+", str(section.get("_target_", ""))):
        yield prefix, section
    items: Iterable[tuple[Any, Any]] = section.items() if isinstance(section, dict) else ()
    for key, value in enumerate(section) if isinstance(section, list) else items:
        yield from _targets(value, f"{prefix}{key}.")


def _space_mistakes(section: dict[str, Any]) -> list[str]:
    """Return the parameters of a model's search space that its estimator does not take."""
    space = section.get("space")
    found = []
    for kind, parameters in space.items() if isinstance(space, dict) else ():
        estimator = section.get(kind)
        if isinstance(estimator, dict) and isinstance(parameters, dict) and "_target_" in estimator:
            refused = _refused(str(estimator["_target_"]), tuple(map(str, parameters)))
            found += [f"space.{kind}.{told}" for told in refused]
            found += [
                f"space.{kind}.{name} {told}" for name in parameters for told in _range_mistakes(parameters[name])
            ]
        elif parameters and estimator is None:
            found.append(f"space.{kind} has parameters, but there is no estimator for {kind}")
    return found


def _range_mistakes(distribution: Any) -> list[str]:
    """Return why a range of a search space holds no value."""
    ends: list[Any] = [distribution.get(end) for end in ("low", "high")] if isinstance(distribution, dict) else []
    if not ends or not all(isinstance(end, int | float) for end in ends):
        return []
    low, high = ends
    found = [f"must go from low to high, but goes from {low} to {high}"] if low > high else []
    return found + (
        [f"is logarithmic, so low must be above 0, but is {low}"] if distribution.get("log") and low <= 0 else []
    )


@lru_cache
def _absent(target: str) -> str:
    """Return what of `target` cannot be found, or nothing."""
    spec, rest = _module(target)
    if spec is None:
        return f"{target}: there is no package {rest[0]!r}{nearest(rest[0], _KNOWN)}"
    if not rest:
        return f"{target} is a module; name something in it"
    text = _source(spec)
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
    known, others = taken
    unknown = [name for name in arguments if name not in known]
    if others:  # refuse only what looks like a slip of the pen
        unknown = [name for name in unknown if get_close_matches(name, known, cutoff=0.85)]
    return [f"{name} is no argument of {target}{nearest(name, known)}" for name in unknown]


@lru_cache
def _module(dotted: str) -> tuple[ModuleSpec | None, list[str]]:
    """Return (the innermost module of a dotted name, the names that follow); no parent package is imported."""
    first, *rest = dotted.split(".")
    spec = find_spec(first)
    while spec and rest and spec.submodule_search_locations:
        inner = PathFinder.find_spec(f"{spec.name}.{rest[0]}", list(spec.submodule_search_locations))
        if inner is None:
            break
        spec, rest = inner, rest[1:]
    return spec, rest if spec else [first, *rest]


def _source(spec: ModuleSpec) -> str:
    """Return the text of a module, empty where it has none (an extension, a namespace)."""
    path = Path(spec.origin or "")
    return path.read_text(encoding="utf-8", errors="replace") if path.suffix == ".py" else ""


def _arguments(spec: ModuleSpec, name: str, depth: int = 0) -> tuple[list[str], bool] | None:
    """Return (arguments, whether **kwargs takes others) of a function or class, None where its text does not say."""
    text = _source(spec)
    if depth > 6:  # a class may have its own name as its base
        return None
    if block := re.search(rf"^(?:class|def) {name}\b.*?(?=^[^\s)#]|\Z)", text, re.MULTILINE | re.DOTALL):
        with suppress(SyntaxError):
            return _taken(ast.parse(block[0]).body[0], spec, depth)
        return None
    listed = rf"(?:\([^)]*?\b{name}\b|[^(\n]*?\b{name}\b)"
    if imported := re.search(rf"^\s*from +([.\w]+) +import +{listed}", text, re.MULTILINE):
        package = spec.name if spec.submodule_search_locations else spec.name.rpartition(".")[0]
        other, rest = _module(resolve_name(imported[1], package))
        return _arguments(other, name, depth + 1) if other and not rest else None
    return None


def _taken(node: ast.stmt, spec: ModuleSpec, depth: int) -> tuple[list[str], bool] | None:
    """Return (arguments, whether others are taken); a class's are its __init__'s and, through **kwargs, its bases'."""
    if isinstance(node, ast.FunctionDef):
        names = [one.arg for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
        return [name for name in names if name != "self"], node.args.kwarg is not None
    if not isinstance(node, ast.ClassDef):
        return None
    inits = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
    own, others = (inits and _taken(inits[0], spec, depth)) or ([], True)
    if not others:
        return own, False
    bases = [_arguments(spec, base.id, depth + 1) for base in node.bases if isinstance(base, ast.Name)]
    told = [base for base in bases if base is not None and base[0]]
    if not inits and not told:
        return None
    return [*own, *(name for names, _ in told for name in names)], all(others for _, others in told)
