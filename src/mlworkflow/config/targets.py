"""Is a `_target_` there, and does it take its arguments? Read from source text: importing scikit-learn takes seconds.

A map for the next reader:

- target_mistakes: every `_target_` of a configuration.
- _foreign: what may be built in which part: `os.system` is there, takes its arguments, and has no business in conf/.
- absent, _refused: one target: what of its name is not there, which arguments it does not take.
- parameters_of, defines: what a class takes and what it can do, as far as the text says so.
- _arguments, _definition: what a class or function takes, found through imports and base classes.

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
from typing import Any, get_args

from mlworkflow.core.errors import nearest
from mlworkflow.core.params import PACKAGES, Family

_HYDRAS = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
_KNOWN = ("mlworkflow", "sklearn", "xgboost", "optuna")
DEEPEST = 6  # a class may have its own name as its base
HOMES: dict[str, tuple[str, ...]] = {  # part of a file of conf/ -> where all that it builds must come from
    "source": ("mlworkflow",),
    "features": ("mlworkflow.features",),
    **dict.fromkeys(get_args(Family), PACKAGES),
    "space": ("optuna.distributions",),
    "sampler": ("optuna.samplers", "mlworkflow.tuning.samplers"),
    "rows": ("mlworkflow",),
}
_OWN = {  # how that is widened
    "features": "; put a feature of your own into src/mlworkflow/features.py",
    **dict.fromkeys(get_args(Family), "; a model file may hold no others (PACKAGES in src/mlworkflow/core/params.py)"),
}


def target_mistakes(section: dict[str, Any]) -> list[str]:
    """Return the `_target_`s anywhere in `section` that are not there, and the arguments that they do not take."""
    found = []
    for key, config in _targets(section):
        target, arguments = config["_target_"], tuple(str(name) for name in config if name not in _HYDRAS)
        if told := absent(target) or _foreign(key, target):
            found.append(f"{key}_target_: {told}")
        else:
            found += [f"{key}{told}" for told in _refused(target, arguments)]
    return found


def _foreign(place: str, target: str) -> str:
    """Return that `target` is none of what this part of a file may build, or nothing."""
    part = re.sub(r"^families\.\w+\.", "", place).partition(".")[0]  # a family is a model in a model
    homes = HOMES.get(part, ())
    if not homes or any(target.startswith(f"{home}.") for home in homes):
        return ""
    return f"{target} may not be built here; what is in {' or '.join(homes)} may{_OWN.get(part, '')}"


def _targets(section: Any, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (dotted place, configuration) of each `_target_` that is a dotted name."""
    if isinstance(section, dict) and re.fullmatch(r"\w+(\.\w+)+", str(section.get("_target_", ""))):
        yield prefix, section
    items: Iterable[tuple[Any, Any]] = section.items() if isinstance(section, dict) else ()
    for key, value in enumerate(section) if isinstance(section, list) else items:
        yield from _targets(value, f"{prefix}{key}.")


@lru_cache
def absent(target: str) -> str:
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
def parameters_of(target: str) -> list[str]:
    """Return the arguments of a class, which for an estimator are its parameters; none where the text does not say."""
    spec, rest = _module(target)
    found = _definition(spec, rest[0]) if spec and len(rest) == 1 else None
    told = _taken(*found, 0) if found and isinstance(found[0], ast.ClassDef) else None
    return told[0] if told else []


def defines(target: str, method: str) -> bool:
    """Return whether a class or a base of it surely has a method; one under a condition is not sure."""
    spec, rest = _module(target)
    return bool(spec and len(rest) == 1 and _defines(spec, rest[0], method))


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
    found = _definition(spec, name) if depth <= DEEPEST else None
    return _taken(*found, depth) if found else None


def _definition(spec: ModuleSpec, name: str, depth: int = 0) -> tuple[ast.stmt, ModuleSpec] | None:
    """Return the class or function that a module has under a name, of its own or imported, and the module it is of."""
    text = _source(spec)
    if block := re.search(rf"^(?:class|def) {name}\b.*?(?=^[^\s)#]|\Z)", text, re.MULTILINE | re.DOTALL):
        with suppress(SyntaxError):
            return ast.parse(block[0]).body[0], spec
        return None
    listed = rf"(?:\([^)]*?\b{name}\b|[^(\n]*?\b{name}\b)"
    if imported := re.search(rf"^\s*from +([.\w]+) +import +{listed}", text, re.MULTILINE):
        package = spec.name if spec.submodule_search_locations else spec.name.rpartition(".")[0]
        other, rest = _module(resolve_name(imported[1], package))
        return _definition(other, name, depth + 1) if other and not rest and depth < DEEPEST else None
    return None


def _defines(spec: ModuleSpec, name: str, method: str, depth: int = 0) -> bool:
    node, home = _definition(spec, name) or (None, spec)
    if not isinstance(node, ast.ClassDef) or depth > DEEPEST:
        return False
    own = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == method]
    if own:
        return not own[0].decorator_list
    return any(_defines(home, base.id, method, depth + 1) for base in node.bases if isinstance(base, ast.Name))


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
