"""Do the parts of a problem that name columns agree? In sentences that begin with the key.

What can be known without the table is told here, before anything runs: a treatment of the target, a feature that cannot
be built, a spelling that contradicts another, limits of a contract that are none. Which columns there are, and what
their values can be read as, is for `collect` and `prepare` to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from mlworkflow import featurelines, features
from mlworkflow.core.errors import reason
from mlworkflow.core.problem import Kind, Problem
from mlworkflow.preparing.contract import limit_mistakes
from mlworkflow.rows.infer import roles, stated_kind
from mlworkflow.rows.reading import as_word, same_spelling
from mlworkflow.rows.treatments import misfit

FORMS = ("ISO8601", "mixed")  # ways to write a date that have a name
DAY = datetime(2001, 2, 3, 16, 5, 6)
WHERE = {
    "target": "data.target",
    "key": "data.key",
    "group": "data.group",
    "time": "data.time",
    "hidden": "data.hidden or split.column",
    "existing": "reference.existing",
    "best": "reference.best",
}
A = {"number": "a number", "category": "a category", "time": "a date", "text": "a text"}


def column_mistakes(problem: Problem) -> list[str]:
    """Return all that the problem says of a column and that cannot be so."""
    return [
        *_reading_mistakes(problem),
        *_number_mistakes(problem),
        *_spelling_mistakes(problem),
        *_treatment_mistakes(problem),
        *_feature_mistakes(problem),
        *(f"contract.{told}" for told in limit_mistakes(problem.contract)),
    ]


def _reading_mistakes(problem: Problem) -> Iterator[str]:
    """Yield the ways to read a column that another line, or its role, overrules."""
    data = problem.data
    lists = {"key": data.key, "hidden": data.hidden, "commas": data.commas}
    yield from (f"data.{key} names {name!r} twice" for key, names in lists.items() for name in _twice(names))
    wanted: list[tuple[str, str, Kind]] = [("kinds", name, kind) for name, kind in data.kinds.items()]
    wanted += [("dates", name, "time") for name in data.dates]
    wanted += [("commas", name, "number") for name in data.commas]
    for key, name, kind in wanted:
        stated = stated_kind(name, problem)
        if stated != kind:
            yield f"data.{key}: {name!r} cannot be {A[kind]}, since {_source(name, problem)} makes it {A[str(stated)]}"
    for name, form in data.dates.items():
        if told := _no_form(form):
            yield f"data.dates: {form!r} is no way to write the dates of {name!r} ({told}); write it as in %d/%m/%Y"


def _twice(names: list[str]) -> list[str]:
    return [name for number, name in enumerate(names) if name in names[:number]]


def _no_form(form: str) -> str | None:
    """Return why strptime could not read a date by `form`."""
    if form in FORMS:
        return None
    if "%" not in form:
        return "it has no part such as %d"
    try:
        datetime.strptime(DAY.strftime(form), form)
    except ValueError as error:
        return reason(error)
    return None


def _source(name: str, problem: Problem) -> str:
    """Return the key that decides what a column is read as."""
    data, role = problem.data, roles(problem).get(name, "input")
    lines = {"data.kinds": [*data.kinds], "data.dates": [*data.dates], "data.commas": data.commas}
    own = [] if role in ("target", "time") else [key for key, names in lines.items() if name in names]
    return own[0] if own else WHERE[role]


def _number_mistakes(problem: Problem) -> Iterator[str]:
    """Yield what is asked of numbers alone, of columns that are said to be none; outliers of what no model sees."""
    for key, names in (("data.ranges", problem.data.ranges), ("prepare.outliers", problem.prepare.outliers)):
        for name in names:
            if (kind := stated_kind(name, problem)) not in (None, "number"):
                yield f"{key}: {name!r} must be a number, but {_source(name, problem)} makes it {A[str(kind)]}"
    named = [name for name, how in problem.prepare.outliers.items() if how != "leave"]
    yield from (f"prepare.outliers: {told}" for told in _unseen(named, problem, ("input",)))


def _unseen(names: Iterable[str], problem: Problem, seen: tuple[str, ...]) -> Iterator[str]:
    """Yield the columns whose role is none of `seen`, so that nothing of this kind can be made of them."""
    known = roles(problem)
    for name in names:
        if (role := known.get(name, "input")) not in seen:
            yield f"{name!r} is no input, as it is in {WHERE[role]}"


def _spelling_mistakes(problem: Problem) -> Iterator[str]:
    """Yield spellings that nothing would be done about, or of which another line says something else."""
    for name, variants in problem.prepare.spelling.items():
        place = f"prepare.spelling.{name}"
        if (kind := stated_kind(name, problem)) in ("number", "time"):
            yield f"{place}: words are spelt, but {_source(name, problem)} makes {name!r} {A[str(kind)]}"
        meant: dict[str, tuple[str, str]] = {}
        for variant, word in variants.items():
            if variant.strip() in problem.data.blanks:
                yield f"{place}: {variant!r} means missing, so it is no other spelling of {word!r}"
            if word.strip() in problem.data.blanks:
                yield f"{place}: {variant!r} would be the word {word!r}; put it into data.missing to make it missing"
            first, becomes = meant.setdefault(same_spelling(variant), (variant, word))
            if becomes != word:
                yield f"{place}: {first!r} and {variant!r} are one word but for case and spaces; one means {word!r}"
        yield from (f"{place}: {told}" for told in _chains(variants, meant))
        if name == problem.data.target:
            yield from (f"{place}: {told}" for told in _respelt(problem, meant))


def _chains(variants: Mapping[str, str], meant: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Yield the words that are themselves another spelling: one step is taken, not two."""
    for variant, word in variants.items():
        becomes = meant.get(same_spelling(word), ("", word))[1]
        if becomes != word:
            yield f"{variant!r} becomes {word!r}, which becomes {becomes!r}; write {becomes!r} for both"


def _respelt(problem: Problem, meant: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Yield the classes of the question that spelling takes away."""
    outcomes = problem.value.outcomes if problem.value else None
    named = [
        *({} if problem.data.positive is None else {as_word(problem.data.positive): 0}),
        *map(as_word, outcomes or ()),
    ]
    for word in dict.fromkeys(named):
        becomes = meant.get(same_spelling(word), ("", word))[1]
        if becomes != word:
            yield f"no row has the class {word!r}, as it becomes {becomes!r}; name that in data.positive and value"


def _treatment_mistakes(problem: Problem) -> Iterator[str]:
    """Yield the treatments of columns that no model sees, and those that do not fit what the column is said to be."""
    yield from (f"treatments: {told}" for told in _unseen(problem.treatments, problem, ("input", "time")))
    for name, treatment in problem.treatments.items():
        kind = stated_kind(name, problem)
        if kind and (told := misfit(kind, treatment, problem.task)):
            yield f"treatments.{name}: {told}"


def _feature_mistakes(problem: Problem) -> Iterator[str]:
    """Yield the features that cannot be built, or that read a column of which a line says that they cannot."""
    configs = [feature.config() for feature in problem.features]
    for number, config in enumerate(configs):
        place, made = f"features.{number}", features.CLASSES.get(config["_target_"])
        if made is None:
            yield from (f"{place}.{told}" for told in _no_feature(config["_target_"]))
            continue
        if config in configs[:number]:
            yield f"{place} is there twice: it is features.{configs.index(config)}"
        yield from (f"{place}: {told}" for told in featurelines.config_mistakes(config))
        named = [str(config[key]) for key in featurelines.SOURCES if config.get(key) is not None]
        back = ("target",) if made in featurelines.BACKWARD else ()
        yield from (f"{place}: {told}" for told in _unseen(named, problem, ("input", "time", *back)))
        yield from (f"{place}: {told}" for told in _misread(made, named, problem))


def _no_feature(target: str) -> Iterator[str]:
    """Yield that something of the module is no feature; what is not in it is told with every other `_target_`."""
    module, _, name = target.rpartition(".")
    if module == features.__name__ and hasattr(features, name):
        known = ", ".join(made.__name__ for made in features.CLASSES.values())
        yield f"_target_: {target} is no feature; there are {known}"


def _misread(made: Any, named: Iterable[str], problem: Problem) -> Iterator[str]:
    """Yield the columns that are said to be of another kind than the feature reads."""
    for name in named:
        kind = stated_kind(name, problem)
        if kind not in (None, made.kind) and name != problem.data.target:
            yield f"{name!r} is {A[str(kind)]} by {_source(name, problem)}, but {made.__name__} reads {A[made.kind]}"
