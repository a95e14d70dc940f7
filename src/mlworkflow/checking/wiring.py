"""Does dvc.yaml name the code that the stages really use? Its deps are compared with their imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "mlworkflow"
SOURCE = Path("src")
ENVIRONMENT = "requirements.lock"
CONFIGS = "hydra.utils"  # who imports it builds what a config names


def module_file(name: str, root: Path) -> Path | None:
    """Return the file of the project's module `name`, from `root`; None where there is none."""
    stem = SOURCE.joinpath(*name.split("."))
    found = (path for path in (stem.with_suffix(".py"), stem / "__init__.py") if (root / path).is_file())
    return next(found, None)


@cache
def imports(code: str) -> frozenset[str]:
    """Return the modules that `code` imports when it runs, also late inside functions; not those for types alone."""
    names: set[str] = set()
    for node in _running(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from _running(node)


def closure(modules: Iterable[str], root: Path) -> dict[str, frozenset[str]]:
    """Return {file: all that it imports} for the project's modules reached from `modules`, packages on the way too."""
    found: dict[str, frozenset[str]] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        waiting += [name.rpartition(".")[0]] if "." in name else []
        path = module_file(name, root) if name.split(".")[0] == PACKAGE else None
        if path is not None and path.as_posix() not in found:
            found[path.as_posix()] = imports((root / path).read_text(encoding="utf-8"))
            waiting += found[path.as_posix()]
    return found


def targets(value: Any) -> set[str]:
    """Return the modules of every `_target_` in a configuration."""
    if isinstance(value, Mapping):
        own = {str(value["_target_"]).rpartition(".")[0]} if "_target_" in value else set()
        return own.union(*(targets(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(targets(item) for item in value))
    return set()


def pick(config: Any, key: str) -> Any:
    """Return the part of a composed configuration under a dotted key; None where there is none."""
    for name in key.split("."):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def code_of(stage: str, declared: Iterable[Any], configs: Iterable[Mapping[str, Any]], root: Path) -> set[str]:
    """Return all that a stage needs of the project: its imports, what its configs name, the environment.

    A module of a package stands for the whole folder: a handful of deps reads better in dvc.yaml than each file, and
    DVC reads and writes dvc.lock faster. A stage is a file of its own.
    """
    start = [f"{PACKAGE}.stages.__main__", f"{PACKAGE}.stages.{stage}"]
    files = closure(start, root)
    if any(CONFIGS in names for names in files.values()):
        keys = [key for key in declared if isinstance(key, str)]  # a whole file of parameters is read, not built
        files |= closure(set().union(*(targets(pick(config, key)) for config in configs for key in keys)), root)
    used = set().union(*files.values())
    third_party = {name.split(".")[0] for name in used} & {"numpy", "pandas", "sklearn", "scipy", "skops", "matplotlib"}
    return {unit(file) for file in files} | ({ENVIRONMENT} if third_party else set())


def unit(file: str) -> str:
    """Return what stands for a module among the deps: the folder of its package, or the module where it has none."""
    parts = Path(file).parts
    top = len(SOURCE.parts) + 1
    return file if len(parts) == top + 1 or parts[top] == "stages" else Path(*parts[: top + 1]).as_posix()


def code_mistakes(pipeline: Mapping[str, Any], configs: list[Mapping[str, Any]], root: Path) -> list[str]:
    """Return each dep on code that dvc.yaml lacks, and each that it names for nothing."""
    found = []
    for stage, spec in pipeline["stages"].items():
        wanted = code_of(stage, spec.get("params", []), configs, root)
        named = {dep for dep in spec["deps"] if dep.startswith("src/") or dep == ENVIRONMENT}
        found += [f"{stage}: add the dep {dep}" for dep in sorted(wanted - named)]
        found += [f"{stage}: remove the dep {dep}, nothing there uses it" for dep in sorted(named - wanted)]
    return found


def rewire(root: Path, configs: list[Mapping[str, Any]]) -> None:
    """Write the deps on code into dvc.yaml, after those on data; comments and all else stay."""
    import io as streams

    from ruamel.yaml import YAML

    from mlworkflow.core import io, paths

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    pipeline = yaml.load((root / paths.PIPELINE).read_text(encoding="utf-8"))
    for stage, spec in pipeline["stages"].items():
        wanted = sorted(code_of(stage, spec.get("params", []), configs, root))
        kept = [dep for dep in spec["deps"] if not dep.startswith("src/") and dep != ENVIRONMENT]
        spec["deps"][:] = [*kept, *wanted]
    text = streams.StringIO()
    yaml.dump(pipeline, text)
    io.write_text(text.getvalue(), root / paths.PIPELINE)
