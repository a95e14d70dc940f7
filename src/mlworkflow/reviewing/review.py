"""The review: everything that is told of two sides, put together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlworkflow.core import paths
from mlworkflow.judging.predicted import class_names
from mlworkflow.measures import many
from mlworkflow.measures.compare import BETTER, UNCLEAR, WORSE, Difference
from mlworkflow.measures.metrics import METRICS
from mlworkflow.reviewing import compared, uses
from mlworkflow.reviewing.causes import Causes, causes
from mlworkflow.reviewing.compared import NOT_COMPARABLE, Line, Parts, word_of
from mlworkflow.reviewing.rows import Pair, pair
from mlworkflow.reviewing.side import Side

IMPORTANT = 8  # columns whose slices are looked at


@dataclass(frozen=True)
class Cost:
    """The bytes of the model file on both sides; milliseconds for all rows and for one, where they were timed."""

    megabytes: tuple[float | None, float | None]
    milliseconds: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Uses:
    """How often the test rows were used, and what is left of the difference for it.

    Attributes:
        results: the different results of these test rows that the repository knows, these two among them.
        difference: with the interval of one of so many.
        word: for it.
    """

    results: int
    difference: Difference | None
    word: str


@dataclass(frozen=True)
class Review:
    """A review.

    Attributes:
        base: what the candidate is set against, in words.
        candidate: what is reviewed.
        problem: its name.
        word: better, worse, no clear difference, or not comparable.
        sentence: the same in one sentence.
        metric: that decides.
        least_gain: that is worth having.
        lines: a line a metric, the deciding one first.
        counts: {what became of test rows: how many}.
        noise: which noises the intervals cover, in words.
        money: what the predictions are worth; None without values.
        parts: where the candidate lost.
        causes: what changed.
        cost: size and time.
        uses: of the test rows.
        pair: both sides, for the plots; None where they cannot be compared.
    """

    base: str
    candidate: str
    problem: str
    word: str
    sentence: str
    metric: str
    least_gain: float
    lines: list[Line]
    counts: dict[str, int]
    noise: str
    money: Line | None
    parts: Parts | None
    causes: Causes
    cost: Cost
    uses: Uses | None
    pair: Pair | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        told = {name: getattr(self, name) for name in ("base", "candidate", "problem", "word", "sentence", "metric")}
        worse = [line.to_dict() for line in self.parts.worse] if self.parts else []
        return told | {
            "least_gain": self.least_gain,
            "noise": self.noise,
            "rows": self.counts,
            "metrics": [line.to_dict() for line in self.lines],
            "money": self.money.to_dict() if self.money else None,
            "worse_parts": {"looked_at": self.parts.looked_at if self.parts else 0, "found": worse},
            "causes": asdict(self.causes),
            "cost": asdict(self.cost),
            "test_rows_used": asdict(self.uses) if self.uses else None,
        }


def review(base: Side, candidate: Side, root: Path) -> Review:
    """Return the review of the candidate against the base."""
    both = None if (why := not_comparable(base, candidate)) else pair(base, candidate)
    if both is None:
        return _without(base, candidate, why or "they have no test row in common")
    problem, seed = candidate.problem, int(candidate.params["seed"])
    names = list(dict.fromkeys([*problem.metrics.names, *base.problem.metrics.names]))
    lines = compared.metrics(both, names, problem.metrics.least_gain, seed=seed)
    classes = class_names(candidate.predictions)
    return Review(
        base.words,
        candidate.words,
        problem.name,
        lines[0].word,
        _sentence(lines[0], problem.metrics.least_gain, both.counts["compared"]),
        names[0],
        problem.metrics.least_gain,
        [*lines, *_stability(base, candidate)],
        both.counts,
        _noise(both),
        compared.money(both, problem, classes, seed=seed),
        _parts(both, candidate, names[0], classes),
        causes(base, candidate),
        _cost(base, candidate),
        _uses(both, candidate, root, names[0], seed),
        both,
    )


def not_comparable(base: Side, candidate: Side) -> str:
    """Return why two sides cannot be compared; nothing where they can."""
    ours, theirs = candidate.problem, base.problem
    asked = {
        "problem": (theirs.name, ours.name),
        "task": (theirs.task, ours.task),
        "target": (theirs.data.target, ours.data.target),
        "primary metric": (theirs.metrics.primary, ours.metrics.primary),
    }
    told = [f"the {what} was {was}, and is {now}" for what, (was, now) in asked.items() if was != now]
    if not told and class_names(base.predictions) != class_names(candidate.predictions):
        told = ["their classes are others"]
    return "; ".join(told)


def _without(base: Side, candidate: Side, why: str) -> Review:
    problem = candidate.problem
    sentence = f"{candidate.words} and {base.words} cannot be compared: {why}."
    return Review(
        base.words, candidate.words, problem.name, NOT_COMPARABLE, sentence, problem.metrics.primary,
        problem.metrics.least_gain, [], {}, "", None, None, causes(base, candidate), _cost(base, candidate), None,
    )  # fmt: skip


def _sentence(line: Line, least_gain: float, rows: int) -> str:
    if line.difference is None:
        return f"{line.name} has no value on the {rows:,} common test rows of one side, so nothing can be told."
    if line.difference == Difference(0.0, 0.0, 0.0):
        return f"Both say the same of the {rows:,} common test rows: {line.name} {line.candidate:.4g}."
    said = {
        BETTER: f"The candidate is better in {line.name}",
        WORSE: f"The candidate is worse in {line.name}",
        UNCLEAR: f"There is no clear difference in {line.name}",
    }[line.word]
    told = line.difference
    way = "higher" if METRICS[line.name].greater_is_better else "lower"
    worth = f", and a gain counts from {least_gain:g}" if least_gain else ""
    return (
        f"{said}, {line.base:.4g} -> {line.candidate:.4g}: a gain of {told.value:+.4g} ({told.low:+.4g} to "
        f"{told.high:+.4g}) on {rows:,} common test rows; {way} is better{worth}."
    )


def _stability(base: Side, candidate: Side) -> list[Line]:
    """Return the line of a metric that no pair of predictions tells: its values alone."""
    if "stability" not in candidate.tested or "stability" not in base.tested:
        return []
    return [Line("stability", base.tested["stability"], candidate.tested["stability"], None, "")]


def _noise(both: Pair) -> str:
    rows = "paired resamples of the test rows (BCa bootstrap: Efron 1987)"
    if both.refits is None:
        return f"{rows}; the noise of the training is not covered, as one side was run before it was measured"
    way = "the same parts" if both.refits.same else "parts of their own"
    return (
        f"{rows}, and models fitted without {way} of the training rows (delete-a-group jackknife: Shao and Wu 1989), "
        "put together by MOVER (Zou and Donner 2008)"
    )


def _parts(both: Pair, candidate: Side, metric: str, classes: list[str]) -> Parts:
    important = [told["column"] for told in candidate.findings()["importance"]][:IMPORTANT]
    declared = [part.column for part in candidate.problem.constraints.slices]
    table = candidate.rows().iloc[both.places]
    inputs = {column.name for column in candidate.schema.inputs if column.kind != "text"}
    looked = [name for name in dict.fromkeys([*declared, *important]) if name in inputs]
    return compared.parts(both, metric, table[looked].reset_index(drop=True), looked, classes)


def _cost(base: Side, candidate: Side) -> Cost:
    sizes = [side.files.size(paths.MODEL) for side in (base, candidate)]
    return Cost((_megabytes(sizes[0]), _megabytes(sizes[1])))


def _megabytes(size: int | None) -> float | None:
    return None if size is None else float(np.round(size / 1e6, 3))


def _uses(both: Pair, candidate: Side, root: Path, metric: str, seed: int) -> Uses | None:
    rows = candidate.files.digest(paths.TEST_ROWS)
    if rows is None:
        return None
    mine = candidate.files.digest(paths.PREDICTIONS)
    count = len(uses.results(root, rows) | ({mine} if mine else set()))
    if count < 3:  # the base and the candidate: one difference was looked at
        return Uses(count, None, "")
    told = many.one_of(metric, both.candidate, both.base, count - 1, seed=seed, refits=both.refits)
    return Uses(count, told, word_of(told, candidate.problem.metrics.least_gain))
