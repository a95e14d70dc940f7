"""Check the question, and that params.yaml is conf/ as it is now: conf/, params.yaml -> reports/problem.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mlworkflow.config import conf
from mlworkflow.config.mistakes import MEND, file_mistakes, validate
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ConfError
from mlworkflow.core.params import read_params

if TYPE_CHECKING:
    from mlworkflow.core.params import Sections
    from mlworkflow.core.problem import Constraints, Problem, Split, Value

TASKS = {
    "binary": "One of two classes",
    "multiclass": "One of several classes",
    "regression": "A number",
    "clustering": "Groups of rows that are alike",
}


def problem_page(problem: Problem) -> str:
    """Return the problem as a page of Markdown for those who ask the question, in the order they would ask it."""
    blocks = [
        f"# {problem.question}",
        f"Asked by: {problem.asked_by}. In conf/problem/{problem.name}.yaml; this page is written from it.",
        *_section("What is predicted", _task(problem)),
        *_section("The data", _data(problem)),
        *_section("Test rows", _split(problem.split, problem.data.key, problem.data.group, problem.data.time)),
        *_section("What is measured", _metrics(problem)),
        *_section("What an outcome is worth", _value(problem.value)),
        *_section("What is in use today", _reference(problem)),
        *_section("When it is good enough", _adequate(problem)),
        *_section("When a search ends", _stopping(problem)),
        *_section("Rights", _rights(problem)),
    ]
    return "\n\n".join(blocks) + "\n"


def _section(title: str, blocks: list[str]) -> list[str]:
    """Return the heading and its blocks; nothing where there is nothing to say."""
    return [f"## {title}", *blocks] if blocks else []


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    lines = [[str(cell).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(lines: Iterable[str]) -> list[str]:
    """Return one block with a bullet a line; nothing without lines."""
    text = "\n".join(f"- {line}" for line in lines if line)
    return [text] if text else []


def _code(names: Iterable[object]) -> str:
    """Return names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def _number(value: float) -> str:
    """Return a number with commas between the thousands and no zeros that say nothing."""
    return f"{value:,.10g}"


def _task(problem: Problem) -> list[str]:
    """Return the task in words."""
    words = f"{TASKS[problem.task]} ({problem.task})"
    if problem.task == "clustering":
        return [f"{words}: {problem.clusters} groups. No column is predicted."]
    looked_for = f" The class looked for is `{problem.data.positive}`." if problem.task == "binary" else ""
    return [f"{words}: the column `{problem.data.target}`.{looked_for}"]


def _data(problem: Problem) -> list[str]:
    """Return where the table comes from and what is said of its columns."""
    data, source = problem.data, problem.source.config()
    arguments = ", ".join(f"{key}={value!r}" for key, value in source.items() if key != "_target_")
    ranges = [f"`{column}` {_range(low, high)}" for column, (low, high) in data.ranges.items()]
    return _list(
        [
            f"Source: `{source['_target_']}({arguments})`; a change of {problem.snapshot} means new data.",
            f"A row is known by: {_code(data.key)}." if data.key else "A row has no key: it is known by its content.",
            f"Rows with the same `{data.group}` belong together." if data.group else "",
            f"Rows are ordered by `{data.time}`." if data.time else "",
            f"No model may see: {_code(data.hidden)}." if data.hidden else "",
            f"Values that can be: {'; '.join(ranges)}. Others count as mistakes." if ranges else "",
        ]
    )


def _range(low: float | None, high: float | None) -> str:
    """Return a range in words; None is no limit."""
    ends = ["" if low is None else f"from {_number(low)}", "" if high is None else f"up to {_number(high)}"]
    return " ".join(end for end in ends if end) or "any"


def _split(split: Split, key: list[str], group: str | None, time: str | None) -> list[str]:
    """Return how the test rows are chosen."""
    known_by = group or ", ".join(key)
    share = f"{split.test_fraction:.0%} of the rows"
    ways = {
        "hash": f"About {share}, by a hash of {f'`{known_by}`' if known_by else 'their content'}: rows added later "
        "move no other row to the other side.",
        "time": f"The last {share} by `{time}`.",
        "column": f"The rows with `{split.test}` in the column `{split.column}`.",
    }
    newest = "the newest" if split.scheme == "time" else "chosen by their hash"
    left = f" Only {split.train_share:.0%} of the other rows are used, {newest}." if split.train_share < 1 else ""
    return [
        f"{ways[split.scheme]}{left} The other rows are cross-validated in {split.folds} folds; every choice is made "
        "there."
    ]


def _metrics(problem: Problem) -> list[str]:
    """Return the metrics, the way that is better, and the least gain worth having."""
    from mlworkflow.measures.metrics import METRICS

    names = problem.metrics.names
    rows = [(name, _better(METRICS[name].greater_is_better), "decides" if name == names[0] else "") for name in names]
    gain = _number(problem.metrics.least_gain)
    told = f"A model must gain at least {gain} of {names[0]} over the best baseline to be worth having."
    return [_table(["metric", "better is", ""], rows), told]


def _better(greater: bool) -> str:
    """Return which way is better, in a word."""
    return "more" if greater else "less"


def _value(value: Value | None) -> list[str]:
    """Return the table of values, or the value of a unit of error."""
    if value is None:
        return []
    if value.outcomes is None:
        ends = {"high": value.over, "low": value.under}
        return _list(
            f"A unit predicted too {way}: {_number(worth)} {value.unit}."
            for way, worth in ends.items()
            if worth is not None
        )
    classes = list(value.outcomes)
    rows = [
        (f"is `{actual}`", *(_number(row[label]) if label in row else "" for label in classes))
        for actual, row in value.outcomes.items()
    ]
    head = [f"{value.unit} a row", *(f"predicted `{label}`" for label in classes)]
    return [_table(head, rows), "A gain is above zero, a cost below; a cell left empty is worth nothing."]


def _reference(problem: Problem) -> list[str]:
    """Return the existing system, the human figure, and where the truth is known."""
    existing, human, best = problem.reference.existing, problem.reference.human, problem.reference.best
    return _list(
        [
            f"A system whose predictions are in the column `{existing}`." if existing else "",
            f"People reach {human.metric} {_number(human.figure)} ({human.source})." if human else "",
            f"The best possible score is known: the truth is in the column `{best}`, which no model sees."
            if best
            else "",
        ]
    )


def _adequate(problem: Problem) -> list[str]:
    """Return the constraints in words."""
    from mlworkflow.measures.metrics import METRICS

    limits: Constraints = problem.constraints
    megabytes, milliseconds = limits.largest_model_megabytes, limits.slowest_prediction_milliseconds
    gap = limits.largest_gap_of_a_slice
    return _list(
        [
            *(
                f"{name} at {'least' if METRICS[name].greater_is_better else 'most'} {_number(limit)} on the test rows."
                for name, limit in limits.metrics.items()
            ),
            ""
            if gap is None
            else f"No slice more than {_number(gap)} of {problem.metrics.primary} worse than the whole.",
            *(
                f"`{s.column}` is `{s.value}` in at least {s.smallest_share:.0%} of the test rows."
                for s in limits.slices
            ),
            "" if megabytes is None else f"A model of at most {_number(megabytes)} megabytes.",
            ""
            if milliseconds is None
            else f"A prediction for one row in at most {_number(milliseconds)} milliseconds.",
        ]
    )


def _stopping(problem: Problem) -> list[str]:
    """Return the budget of a search."""
    stopping = problem.stopping
    return _list(
        [
            f"After {stopping.trials} trials.",
            f"After {stopping.no_gain} trials without a gain." if stopping.no_gain else "",
            f"After {_number(stopping.seconds)} seconds; such a search may not repeat." if stopping.seconds else "",
        ]
    )


def _rights(problem: Problem) -> list[str]:
    """Return whether the data may be used, and whom they describe."""
    rights = problem.rights
    personal = "The rows describe persons who can be known." if rights.personal_data else "No personal data."
    return _list([f"Licence: {rights.licence}.", f"Source: {rights.source}.", personal, rights.notes])


def check(params: dict[str, Any]) -> None:
    """Find every mistake in the files of conf/, chosen or not, and in the composition `params`.

    Raises:
        ConfError: all mistakes at once.
    """
    if found := list(dict.fromkeys([*file_mistakes(), *validate(params)])):
        raise ConfError(found, MEND)


def main(sections: Sections) -> None:
    """Stop if params.yaml is stale or anything in conf/ is wrong; else write the page."""
    conf.check()
    check(read_params())
    io.write_text(problem_page(sections.problem), paths.PROBLEM_PAGE)
