"""The review in words: for a terminal of 80 columns, and in Markdown for a pull request. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from math import floor, log10
from typing import Any

from mlworkflow.measures import many
from mlworkflow.measures.compare import BETTER, UNCLEAR, WORSE
from mlworkflow.reviewing.causes import Causes
from mlworkflow.reviewing.compared import NOT_COMPARABLE, Line
from mlworkflow.reviewing.review import Review
from mlworkflow.reviewing.rows import BY_ORDER

WIDTH = 80
GROUPS = [f"{group}.name" for group in ("model", "augment", "search", "compute", "monitor", "retrain", "problem")]
MOST = 8  # lines of a list before the rest is counted
MARKS = {BETTER: "✅", WORSE: "❌", UNCLEAR: "➖", "unclear": "➖", NOT_COMPARABLE: "❓", "": ""}
HEAD = ["", "base", "candidate", "gain", "95% interval", ""]
SHORT = {UNCLEAR: "unclear"}


def text(review: Review) -> str:
    """Return the review for a terminal."""
    told = [review.word.upper(), review.sentence, ""]
    told += [f"base       {review.base}", f"candidate  {review.candidate}", f"problem    {review.problem}"]
    for title, lines in sections(review):
        told += ["", title, *(f"  {line}" for line in lines)]
    return "\n".join(part for line in told for part in _wrapped(line))


def sections(review: Review) -> Iterator[tuple[str, list[str]]]:
    """Yield each section's title and its lines."""
    if review.lines:
        yield "Metrics, on the test rows of both", [*_aligned(table(review.lines)), *_rows(review)]
    if review.money:
        yield f"Money, in {review.money.name}, at the chosen thresholds", _aligned(table([_named(review.money)]))
    if review.parts:
        yield "Where it got worse", _worse(review)
    yield "What changed", list(changes(review.causes))
    yield "Cost", cost(review)
    if review.uses:
        yield "Test rows", used(review)
    if review.noise:
        yield "Noise", [f"Intervals cover {review.noise}."]


def _named(money: Line) -> Line:
    return Line("all rows", money.base, money.candidate, money.difference, money.word)


def table(lines: Sequence[Line]) -> list[list[str]]:
    """Return the cells of the metrics, a line each, its heading first."""
    told = [line.difference for line in lines if line.difference]
    digits = min((_digits(each.high - each.low) for each in told), default=4)
    return [HEAD, *(_cells(line, digits) for line in lines)]


def _cells(line: Line, digits: int) -> list[str]:
    values = [_fixed(value, digits) for value in (line.base, line.candidate)]
    if line.difference is None:
        return [line.name, *values, "", "", line.word]
    low, high = (_fixed(end, digits) for end in (line.difference.low, line.difference.high))
    word = SHORT.get(line.word, line.word)
    return [line.name, *values, _fixed(line.difference.value, digits, "+"), f"{low} to {high}", word]


def _digits(width: float) -> int:
    """Return how many decimals show three digits of an interval's width."""
    return min(max(2 - floor(log10(width)), 0), 6) if width > 0 else 4


def _fixed(value: float | None, digits: int, sign: str = "") -> str:
    if value is None:
        return "-"
    shown = f"{round(value, digits) + 0.0:{sign},.{digits}f}"
    return shown if len(shown) <= 11 else f"{value:{sign}.3g}"


def _aligned(cells: list[list[str]]) -> list[str]:
    """Return the cells as lines of equal columns: names to the left, numbers to the right."""
    wide = [max(len(line[place]) for line in cells) for place in range(len(HEAD))]
    room = WIDTH - 2 - sum(wide[1:]) - 2 * (len(HEAD) - 1)
    wide[0] = min(wide[0], max(room, 10))
    return [
        "  ".join([_cut(line[0], wide[0]).ljust(wide[0]), *_right(line, wide), line[-1]]).rstrip() for line in cells
    ]


def _right(line: list[str], wide: list[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(line[1:-1], wide[1:-1], strict=True)]


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _rows(review: Review) -> list[str]:
    left = {what: count for what, count in review.counts.items() if count and what not in ("compared", BY_ORDER)}
    told = f"{review.counts['compared']:,} test rows are compared"
    if BY_ORDER in review.counts:
        told += f", {BY_ORDER}"
    if left:
        told += "; left out: " + ", ".join(f"{count:,} {what}" for what, count in left.items())
    return ["", f"{told}. A gain above zero is better, whatever the metric's direction."]


def _worse(review: Review) -> list[str]:
    assert review.parts is not None
    parts = review.parts
    said = (
        f"{parts.looked_at} slices and classes were looked at; each interval is at {parts.level:.2%}, "
        f"so that all hold together at {many.LEVEL:.0%} ({many.METHOD})."
    )
    if not parts.looked_at:
        return ["No slice has enough rows to tell."]
    if not parts.worse:
        return ["Nowhere by more than noise.", said]
    shown = _aligned([["", *HEAD[1:4], "interval", ""], *(line for line in table(parts.worse[:MOST])[1:])])
    more = [f"and {len(parts.worse) - MOST} more"] if len(parts.worse) > MOST else []
    return [*shown, *more, said]


def changes(causes: Causes) -> Iterator[str]:
    """Yield what changed, a line each."""
    if causes.none:
        yield "Nothing: parameters, code, rows and packages are the same."
        return
    yield from _parameters(causes.params)
    yield from _most([f"code {name} ({_stages(told)})" for name, told in causes.code.items()], "files of code")
    yield from _most([f"pipeline: {told}" for told in causes.stages], "stages")
    yield from _most(
        [f"package {name}: {was or 'not there'} -> {now or 'gone'}" for name, (was, now) in causes.packages.items()],
        "packages",
    )
    if causes.data:
        yield from _data(causes)


def _parameters(params: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    """Yield the parameters; a group of conf/ of which another file was taken is one line."""
    groups = {key.removesuffix(".name"): both for key, both in params.items() if key in GROUPS}
    for group, (was, now) in groups.items():
        more = sum(key.startswith(f"{group}.") for key in params) - 1
        yield f"{group}: {short(was)} -> {short(now)}" + (f", and {more} parameters with it" if more else "")
    alone = {key: both for key, both in params.items() if key.partition(".")[0] not in groups}
    yield from _most(
        [f"parameter {key}: {short(was)} -> {short(now)}" for key, (was, now) in alone.items()], "parameters"
    )


def _data(causes: Causes) -> Iterator[str]:
    data = causes.data
    assert data is not None
    if data.unknown:
        yield f"rows: they changed, but {data.unknown}"
        return
    for name, counts in data.counts.items():
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        yield f"{name} rows: {told or 'prepared in another way'}"
    yield from _most([f"column {told}" for told in data.columns], "columns")
    yield from _most(
        [
            f"column {moved.column} moved: PSI {moved.psi:.2g}, by chance below {moved.noise:.2g}"
            for moved in data.moved
        ],
        "columns that moved",
    )


def _stages(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more stages"


def _most(lines: list[str], what: str) -> list[str]:
    more = [f"and {len(lines) - MOST} more {what}"] if len(lines) > MOST else []
    return [*lines[:MOST], *more]


def short(value: Any) -> str:
    """Return a value of a parameter in at most 40 letters."""
    shown = "not set" if value is None else str(value)
    return shown if len(shown) <= 40 else f"{shown[:39]}…"


def cost(review: Review) -> list[str]:
    """Return size and time, a line each."""
    base, candidate = review.cost.megabytes
    sizes = [f"model file: {_size(base)} -> {_size(candidate)}"]
    times = [f"{what}: {was:g} ms -> {now:g} ms" for what, (was, now) in review.cost.milliseconds.items()]
    return sizes + (times or ["Times of prediction: add --time, which measures both here."])


def _size(megabytes: float | None) -> str:
    return "unknown" if megabytes is None else f"{megabytes:.3g} MB"


def used(review: Review) -> list[str]:
    """Return how often the test rows were used, and what is left of the difference for it."""
    uses = review.uses
    assert uses is not None
    if uses.difference is None:
        return ["No other results of these test rows are known here, so nothing was chosen by them before."]
    told = uses.difference
    return [
        f"{uses.results} different results of these test rows are known here. The best of several looks better than it "
        f"is: as one of {uses.results - 1} comparisons the difference needs the interval {told.low:.4g} to "
        f"{told.high:.4g} ({many.METHOD}), and is then: {uses.word}."
    ]


def _wrapped(line: str) -> list[str]:
    if len(line) <= WIDTH:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line, WIDTH, initial_indent="", subsequent_indent=f"{indent}  ", break_on_hyphens=False)


# ---- Markdown --------------------------------------------------------------------------------------------------------


def markdown(review: Review) -> str:
    """Return the review as a comment of a pull request."""
    told = [f"### {MARKS[review.word]} {review.word.capitalize()}", "", escaped(review.sentence), ""]
    told += [f"`{review.base}` → `{review.candidate}`, problem `{review.problem}`", ""]
    if review.lines:
        told += [*_markdown_table(table(review.lines)), "", *(escaped(line) for line in _rows(review) if line), ""]
    if review.money:
        told += [f"**Money**, in {escaped(review.money.name)}, at the chosen thresholds", ""]
        told += [*_markdown_table(table([_named(review.money)])), ""]
    if review.parts and review.parts.worse:
        told += ["**Where it got worse**", "", *_markdown_table(table(review.parts.worse[:MOST])), ""]
    elif review.parts:
        told += [f"**Where it got worse**: {_worse(review)[0]}", ""]
    told += ["**What changed**", "", *(f"- {escaped(line)}" for line in changes(review.causes)), ""]
    told += _details(review)
    return "\n".join(told).rstrip() + "\n"


def _details(review: Review) -> list[str]:
    lines = [*cost(review), *(used(review) if review.uses else [])]
    lines += [f"Intervals cover {review.noise}."] if review.noise else []
    return [
        "<details><summary>Cost, test rows, noise</summary>",
        "",
        *(f"- {escaped(line)}" for line in lines),
        "",
        "</details>",
    ]


def _markdown_table(cells: list[list[str]]) -> list[str]:
    head, *lines = cells
    rule = ["---", "---:", "---:", "---:", "---:", "---"]
    told = [[escaped(cell) for cell in line] for line in lines]
    marked = [[*line[:-1], f"{MARKS.get(line[-1], '')} {line[-1]}".strip()] for line in told]
    return ["| " + " | ".join(line) + " |" for line in (head, rule, *marked)]


def escaped(words: str) -> str:
    """Return words with nothing in them that Markdown or HTML takes for its own."""
    for sign in "\\`*_|<>":
        words = words.replace(sign, {"<": "&lt;", ">": "&gt;"}.get(sign, f"\\{sign}"))
    return words.replace("-&gt;", "→")
