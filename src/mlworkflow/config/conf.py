"""conf/ composed into params.yaml, and params.yaml guarded: it must be the composition of today's conf/ (rule 1).

A map for the next reader:

- compose_text, compose, write_params: what Hydra makes of conf/ and some overrides, byte for byte what DVC writes.
- compose_command: the same for people, after validate_all has looked at every file of every group.
- check: is params.yaml the composition of today's conf/? (needs no Hydra, takes milliseconds)

What may be wrong in conf/ is said by mistakes.py; its fingerprint is made by plugins/hydra_plugins/fingerprint.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args

import yaml

from mlworkflow.config.conffiles import (
    CONFIG,
    GROUPS,
    LOADER,
    absent,
    choices,
    content,
    file_of,
    fingerprints,
    names,
    plugin,
)
from mlworkflow.config.mistakes import MEND, file_mistakes, sweep_mistakes, syntax_mistakes, validate
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ConfError, StaleParamsError, UnreadableError
from mlworkflow.core.params import family, read_params
from mlworkflow.core.problem import Task


def compose_text(overrides: Sequence[str] = ()) -> str:
    """Return the text of params.yaml for conf/ and `overrides`, byte for byte as DVC writes it.

    Raises:
        ConfError: conf/ cannot be composed, or an override names what is not there.
    """
    text, found = _composed(overrides)
    if found:
        raise ConfError(found, MEND)
    return text


def compose(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the composed configuration as plain types. Raises ConfError as compose_text does."""
    composed: dict[str, Any] = yaml.load(compose_text(overrides), Loader=LOADER)
    return composed


def write_params(overrides: Sequence[str] = ()) -> None:
    """Write params.yaml, the composition of conf/ and `overrides`."""
    io.write_text(compose_text(overrides), paths.PARAMS)


def attempt(overrides: Sequence[str] = ()) -> tuple[str, list[str]]:
    """Return (the text of params.yaml, all that is wrong with what it says); no text where nothing can be composed."""
    text, broken = _composed(overrides)
    return text, broken or validate(yaml.load(text, Loader=LOADER))


def _composed(overrides: Sequence[str]) -> tuple[str, list[str]]:
    """Return (the composition, nothing), or ("", why there is none)."""
    if found := [*syntax_mistakes(), *_choice_mistakes(overrides)]:
        return "", found
    return _hydra_text(tuple(overrides), tuple(fingerprints().items()))


@lru_cache(maxsize=64)
def _hydra_text(overrides: tuple[str, ...], _files: tuple[tuple[str, str], ...]) -> tuple[str, list[str]]:
    """Return what _composed does; the files are there for the cache, as Hydra takes a third of a second."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    plugin()["register"]()
    try:
        with initialize_config_dir(str(paths.CONF.resolve()), version_base=None):
            composed = compose(config_name="config", overrides=list(overrides))
        OmegaConf.resolve(composed)
    except (HydraException, OmegaConfBaseException) as error:
        return "", [f"{' '.join(['conf/', *overrides])}: {' '.join(str(error).split())}"]
    except RecursionError:
        return "", [f"{' '.join(['conf/', *overrides])}: a file's defaults lead back to itself"]
    return OmegaConf.to_yaml(composed), []


def _choice_mistakes(overrides: Iterable[str]) -> list[str]:
    """Return the overrides `group=name` whose file is not there, each with the nearest name."""
    matches = [match for override in overrides if (match := re.fullmatch(r"([\w/]+)=(\w+)", override))]
    chosen = [(match[0], absent(match[1], match[2])) for match in matches if (paths.CONF / match[1]).is_dir()]
    return [f"{override}: {told}" for override, told in chosen if told]


# ---- the command -----------------------------------------------------------------------------------------------------


def compose_command(overrides: Sequence[str], only_check: bool = False) -> str:
    """Write params.yaml, or only say whether it is current; return what to print.

    With overrides, `only_check` asks for exactly that composition.

    Raises:
        ConfError: some file of conf/, chosen or not, has a mistake; params.yaml is as it was.
        StaleParamsError: params.yaml is not current (`only_check`).
    """
    if only_check and not file_mistakes():
        check()
    if found := validate_all(overrides):
        raise ConfError(found, "Mend this, then type `mlworkflow compose` again. params.yaml is as it was.")
    before = _params()
    if not only_check:
        write_params(overrides)
        return "\n".join([f"params.yaml is composed from conf/: {_told()}", *_changes(before, _params())])
    if overrides and paths.PARAMS.read_text(encoding="utf-8") != compose_text(overrides):
        wanted = " ".join(overrides)
        raise StaleParamsError([f"params.yaml (composed without {wanted})"], f"mlworkflow compose {wanted}")
    return f"params.yaml is current: {_told()}"


def validate_all(overrides: Sequence[str] = ()) -> list[str]:
    """Return the mistakes of every file of conf/, chosen or not, and of the composition with `overrides`."""
    found = [*file_mistakes(), *sweep_mistakes()]
    for wanted, left in [(overrides, []), *_compositions()]:
        text, mistakes = attempt(wanted)
        found += mistakes
        found += _exchanged(yaml.load(text, Loader=LOADER), wanted, left) if text and left else []
    return list(dict.fromkeys(found))


def _compositions() -> Iterator[tuple[list[str], list[tuple[str, str]]]]:
    """Yield overrides that choose each file of each group, and with them the files that nothing else chooses.

    Every problem comes as it is; a file that none chooses comes with the first that it can do. One with a defaults list
    of its own is composed by itself.
    """
    problems = names("problem")
    chosen = {choice for problem in problems for choice in _usual(problem).items()}
    others = [(group, name) for group in GROUPS if group != "problem" for name in names(group)]
    first = {one: next((p for p in problems if _does(*one, p)), None) for one in others if one not in chosen}
    alone = [one for one in first if "defaults" not in content(file_of(*one))]
    for problem in problems:
        yield [f"problem={problem}"], [one for one in alone if first[one] == problem]
    yield from (
        ([f"problem={first[one]}", f"{one[0]}={one[1]}"], []) for one in first if one not in alone and first[one]
    )


def _does(group: str, name: str, problem: str) -> bool:
    """Return whether a model or what adds rows is for the problem's task, judging by their files alone."""
    families: dict[str, str] = {task: family(task) for task in get_args(Task)}
    task, said = str(content(file_of("problem", problem)).get("task")), content(file_of(group, name))
    if group == "augment":
        return task in said.get("tasks", [task])
    return group != "model" or "defaults" in said or bool(said.get(families.get(task, "")))


def _exchanged(composed: dict[str, Any], wanted: Sequence[str], left: Iterable[tuple[str, str]]) -> list[str]:
    """Return the mistakes of a composition with each of the files left in place of the one that it chose.

    A file without a defaults list needs no Hydra for that, which takes a fifth of a second.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    found, whole = [], OmegaConf.create(composed)
    for group, name in left:
        try:
            found += validate({**composed, group: _section(whole, group, name)})
        except OmegaConfBaseException as error:
            found.append(f"conf/ {' '.join([*wanted, f'{group}={name}'])}: {' '.join(str(error).split())}")
    return found


def _section(whole: Any, group: str, name: str) -> Any:
    """Return what a file says in the place of another choice of the composition `whole`, which holds it now."""
    from omegaconf import OmegaConf

    whole[group] = content(file_of(group, name))
    return OmegaConf.to_container(whole[group], resolve=True)


def _told() -> str:
    """Return the choices of params.yaml in one line."""
    return " ".join(f"{group}={name}" for group, name in _choices(_params()).items())


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return a line for each choice or key that is another one now; values set by hand or by -S show up here."""
    chosen, now = _choices(before), _choices(after)
    skipped = {"fingerprint", *(group for group in now if chosen.get(group) != now[group])}
    old = chosen | _flat({key: before[key] for key in before if key not in skipped})
    new = now | _flat({key: after[key] for key in after if key not in skipped})
    keys = [key for key in (old | new if before else ()) if old.get(key) != new.get(key)]
    return [f"  {key}: {old.get(key, '(not there)')} -> {new.get(key, '(not there)')}" for key in keys]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return {dotted key: plain value}."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {name: leaf for key in value for name, leaf in _flat(value[key], f"{prefix}.{key}".strip(".")).items()}


# ---- rule 1: is params.yaml today's conf/? ---------------------------------------------------------------------------


def check() -> None:
    """Compare the fingerprint in params.yaml with conf/, and with params.yaml itself.

    Raises:
        StaleParamsError: names each file that was edited, added or removed since, and both ways on.
    """
    params = _params()
    if changed := _changed(params):
        raise StaleParamsError(changed, _ways_on(params))


def _changed(params: Mapping[str, Any]) -> list[str]:
    """Return the files that are not what they were when params.yaml was composed, each with what happened to it."""
    try:
        then, composed = dict(params["fingerprint"]["files"]), params["fingerprint"]["composed"]
    except (KeyError, TypeError, ValueError):
        return ["params.yaml (it has no fingerprint of conf/)"]
    now = fingerprints()
    differing = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    changed = [f"conf/{name} ({_fate(name, then, now)})" for name in differing]
    if plugin()["digest"](paths.PARAMS.read_text(encoding="utf-8")) != composed:
        changed.append("params.yaml (edited by hand: make the change in conf/, or by -S key=value)")
    return changed


def _fate(name: str, then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return what happened to a file of conf/."""
    if name not in now:
        return "gone; a queued experiment has only the files that Git knows, `git add` makes it known"
    return "edited" if name in then else "added"


def _ways_on(params: Mapping[str, Any]) -> str:
    """Return the commands that compose params.yaml anew, by default and with its present choices."""
    chosen = _choices(params)
    usual = _usual(chosen.get("problem", ""))
    kept = [f"{group}={name}" for group, name in chosen.items() if usual.get(group, name) != name]
    if not kept:
        return "mlworkflow compose"
    return (
        "mlworkflow compose` for the default choices or, to keep those of params.yaml, "
        f"`dvc exp run -S {' -S '.join(kept)}` or `mlworkflow compose {' '.join(kept)}"
    )


def _choices(params: Mapping[str, Any]) -> dict[str, str]:
    """Return {group: name} of a composition, the problem first."""
    names = {group: section.get("name") for group in GROUPS if isinstance(section := params.get(group), dict)}
    return {group: str(name) for group, name in names.items() if name is not None}


def _usual(problem: str) -> dict[str, str]:
    """Return {group: name} by default; a problem's file may choose for the other groups."""
    return choices(CONFIG) | choices(file_of("problem", problem))


def _params() -> dict[str, Any]:
    """Return params.yaml as it stands, empty where it is missing or no YAML (a merge conflict)."""
    try:
        return read_params()
    except UnreadableError:
        return {}
