"""The leaderboard: each experiment set against the baseline on the same test rows, with its noise. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from statistics import stdev
from typing import TYPE_CHECKING, Any

from mlworkflow.measures import many
from mlworkflow.measures.metrics import METRICS, gain

if TYPE_CHECKING:
    from mlworkflow.measures.compare import Difference
    from mlworkflow.sweeping.outcome import Outcome

WIDTH, SHORTEST_LABEL, LONGEST_METRIC, LONGEST_NUMBER = 80, 15, 10, 9
SAME, OTHER, FAILED = "the baseline itself", "other test rows", "failed"


@dataclass(frozen=True)
class Failure:
    """Why an experiment left nothing."""

    cause: str


@dataclass(frozen=True)
class Row:
    """One experiment on the board.

    Attributes:
        label: what was tried.
        name: of the experiment in Git, None for what is recorded in HEAD.
        value: the primary metric on the test rows.
        validated: the same, cross-validated.
        difference: how much better than the baseline, None where that cannot be said.
        word: better, worse, no clear difference; or why there is none.
        cause: of a failure.
    """

    label: str
    name: str | None
    value: float | None
    validated: float | None
    difference: Difference | None
    word: str
    cause: str = ""


@dataclass(frozen=True)
class Board:
    """The rows, the best first (failed ones last), and what their numbers mean.

    Attributes:
        sweep: its name.
        question: what it answers.
        metric: the primary metric of the problem.
        baseline: what the experiments are set against, in words.
        rows: one an experiment.
        base: the baseline's value on the test rows.
        level: of each interval, so that all hold together at 95%.
        compared: how many experiments the intervals are corrected for.
        least_gain: the least difference worth having.
        spread: the standard deviation of the metric over seeds, None where it has not been measured.
        seeds: how many seeds that is.
        measure: the command that measures it.
        notes: what else a reader must know.
    """

    sweep: str
    question: str
    metric: str
    baseline: str
    rows: Sequence[Row]
    base: float | None
    level: float
    compared: int
    least_gain: float
    spread: float | None
    seeds: int
    measure: str
    notes: Sequence[str] = ()

    @property
    def failed(self) -> int:
        """How many experiments failed."""
        return sum(row.word == FAILED for row in self.rows)


def rows_of(
    tried: Mapping[str, tuple[str | None, Outcome | Failure | None]],
    base: Outcome,
    metric: str,
    least_gain: float,
    *,
    seed: int,
) -> list[Row]:
    """Return a row an experiment, in the order given.

    Args:
        tried: {label: (name of the experiment, what it left, None for the baseline itself)}.
        base: what the baseline left.
        metric: the primary metric.
        least_gain: the least difference worth having.
        seed: of the resamples.
    """
    finished = {label: left for label, (_, left) in tried.items() if left and not isinstance(left, Failure)}
    pairs = {label: pair for label, left in finished.items() if (pair := left.pair(base)) is not None}
    refits = {label: noise for label in pairs if (noise := finished[label].noise(base)) is not None}
    differences = many.together(metric, pairs, seed=seed, refits=refits)
    found = []
    for label, (name, left) in tried.items():
        if isinstance(left, Failure):
            found.append(Row(label, name, None, None, None, FAILED, left.cause))
            continue
        told = base if left is None else left
        difference = _finite(differences.get(label))
        word = SAME if left is None else word_of(difference, least_gain)
        found.append(Row(label, name, told.tested.get(metric), told.validated.get(metric), difference, word))
    return found


def _finite(difference: Difference | None) -> Difference | None:
    return difference if difference is not None and isfinite(difference.value) else None


def word_of(difference: Difference | None, least_gain: float) -> str:
    """Return the word for a difference; where there is none, that the test rows are others."""
    return OTHER if difference is None else difference.word(least_gain)


def ranked(rows: Sequence[Row], metric: str) -> list[Row]:
    """Return the rows with the best value first, those without one last."""
    return sorted(rows, key=lambda row: (row.value is None, 0.0 if row.value is None else -gain(metric, row.value, 0)))


def spread_of(values: Sequence[float | None]) -> tuple[float | None, int]:
    """Return (standard deviation, how many) of the values that there are; None for fewer than two."""
    known = [value for value in values if value is not None]
    return (stdev(known) if len(known) > 1 else None), len(known)


# ---- on a terminal ---------------------------------------------------------------------------------------------------


def text(board: Board) -> str:
    """Return the board for a terminal of 80 columns."""
    cells, wide, left = _fitted(board)
    lines = [_line(line, left, wide) for line in cells]
    told = [f"{board.sweep}: {board.question}", "", *lines, ""]
    told += [f"  {row.label}: {row.cause}" for row in board.rows if row.cause]
    return "\n".join(part for line in [*told, *words(board)] for part in _wrapped(line))


def _fitted(board: Board) -> tuple[list[list[str]], list[int], int]:
    """Return the cells, the widths of those after the label, and that of the label; with fewer digits if need be."""
    metric = board.metric if len(board.metric) <= LONGEST_METRIC else "metric"
    for digits in range(_digits(board), -1, -1):
        cells = [["experiment", metric, "gain", "±seeds", "interval", ""], *_cells(board, digits)]
        wide = [max(len(line[place]) for line in cells) for place in range(1, 6)]
        if (left := WIDTH - sum(wide) - 2 * len(wide)) >= SHORTEST_LABEL:
            break
    return cells, wide, left


def _cells(board: Board, digits: int) -> list[list[str]]:
    spread = "?" if board.spread is None else f"±{_fixed(board.spread, digits)}"
    return [
        [row.label, _fixed(row.value, digits), *_difference(row.difference, spread, digits), row.word]
        for row in board.rows
    ]


def _difference(difference: Difference | None, spread: str, digits: int) -> list[str]:
    if difference is None:
        return ["", "", ""]
    low, high = (_fixed(end, digits) for end in (difference.low, difference.high))
    return [_fixed(difference.value, digits, "+"), spread, f"{low} to {high}"]


def _line(cells: Sequence[str], left: int, wide: Sequence[int]) -> str:
    label, *numbers, word = cells
    columns = [f"{number:>{width}}" for number, width in zip(numbers, wide, strict=False)]
    return "  ".join([f"{_short(label, left):<{left}}", *columns, word]).rstrip()


def _short(label: str, most: int) -> str:
    """Return a label of at most `most` letters: its middle is left out, as labels of one sweep begin alike."""
    first = most // 3
    return label if len(label) <= most else f"{label[:first]}…{label[len(label) - (most - first - 1) :]}"


def _digits(board: Board) -> int:
    """Return how many decimals tell the differences apart: three digits of the narrowest interval, within 0 to 5."""
    widths = [row.difference.high - row.difference.low for row in board.rows if row.difference is not None]
    sizes = [abs(width) for width in [*widths, board.spread or 0.0] if width]
    return min(max(2 - floor(log10(min(sizes))), 0), 5) if sizes else 4


def _fixed(value: float | None, digits: int, sign: str = "") -> str:
    if value is None:
        return "-"
    shown = f"{value:{sign}.{digits}f}"
    return f"{value:{sign}.1e}" if len(shown) > LONGEST_NUMBER else shown


def _wrapped(line: str) -> list[str]:
    return [line] if len(line) <= WIDTH else textwrap.wrap(line, WIDTH, subsequent_indent="    ")


def words(board: Board) -> list[str]:
    """Return what the numbers mean, a sentence or two each."""
    way = "higher" if METRICS[board.metric].greater_is_better else "lower"
    lines = [
        f"Against {board.baseline}. {board.metric}: {way} is better. The gain is how much better it is on the "
        f"same test rows, worth having from {board.least_gain:g}."
    ]
    if board.compared:
        lines.append(
            "Intervals cover the noise of the test rows and of the training. They are corrected for "
            f"{board.compared} experiment{'s' if board.compared != 1 else ''} looked at: {many.METHOD}, each at "
            f"{board.level:.2%}, so that all hold together at {many.LEVEL:.0%}."
        )
    if board.spread is None:
        lines.append(f"±seeds: not measured for this commit and configuration. Type `{board.measure}`.")
    else:
        lines.append(f"±seeds: standard deviation of {board.metric} over {board.seeds} seeds, {board.spread:.2g}.")
    if any(row.word == OTHER for row in board.rows):
        lines.append(
            "Other test rows: these are not the baseline's rows, or cannot be scored; nothing can be compared."
        )
    return [*lines, *board.notes]


def best(board: Board) -> Row | None:
    """Return the row with the best value."""
    return next((row for row in ranked(board.rows, board.metric) if row.value is not None), None)


def table(board: Board) -> list[dict[str, Any]]:
    """Return a record a row, as reports/sweep.csv has it."""
    return [
        {
            "experiment": row.label,
            "name": row.name,
            board.metric: row.value,
            f"{board.metric}_validated": row.validated,
            "gain": row.difference.value if row.difference else None,
            "low": row.difference.low if row.difference else None,
            "high": row.difference.high if row.difference else None,
            "level": board.level if row.difference else None,
            "spread_over_seeds": board.spread,
            "word": row.word,
            "cause": row.cause,
        }
        for row in board.rows
    ]
