"""Small charts over time, written by hand: matplotlib is too slow and too wordy for dozens of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from mlworkflow.pages.svg import short
from mlworkflow.pages.templates import score

WIDTH, HEIGHT = 240, 84  # units of the viewBox
TOP, FOOT, RIGHT = 8, 18, 50  # room for the points, the labels below, the newest number at the right
LETTERS = 10  # size of the numbers
Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Course:
    """One number over time.

    Attributes:
        name: in the legend.
        values: a number a window; None where there is none.
        ends: its interval in each window; none: it has none.
        dashed: it is drawn with dashes.
    """

    name: str
    values: Sequence[float | None]
    ends: Sequence[Ends] = ()
    dashed: bool = False


def over_time(
    courses: Sequence[Course],
    labels: Sequence[str],
    *,
    title: str,
    limit: float | None = None,
    marks: Sequence[int] = (),
    running: Sequence[int] = (),
) -> str:
    """Return a small chart.

    Args:
        courses: at most four, of as many windows as there are labels.
        labels: of the windows.
        title: what a screen reader says.
        limit: drawn as a dashed line.
        marks: the places of windows with an alarm, drawn as points.
        running: the places of windows that are not complete, drawn as rings.
    """
    drawn = _Drawing(courses, len(labels), limit)
    head = f'<svg class="chart over-time" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>'
    parts = [*_axis(labels), *drawn.limits(), *drawn.lines(), *drawn.marks(marks), *drawn.rings(running)]
    return f"{head}{''.join(parts)}</svg>"


class _Drawing:
    """The scales of a chart, and what is drawn in them."""

    def __init__(self, courses: Sequence[Course], count: int, limit: float | None) -> None:
        self._courses, self._limit = courses, limit
        known = [*([] if limit is None else [limit])]
        for course in courses:
            known += [value for value in course.values if value is not None]
            known += [end for ends in course.ends for end in ends if end is not None]
        self._low, self._high = (min(known), max(known)) if known else (0.0, 1.0)
        if self._low == self._high:
            below = 0.0 if self._low == 0 else 0.5  # nothing at all lies at the foot
            self._low, self._high = self._low - below, self._high + 0.5
        self._step = (WIDTH - RIGHT) / max(count - 1, 1)

    def limits(self) -> Iterator[str]:
        if self._limit is None:
            return
        y = short(self._y(self._limit))
        yield f'<path d="M0 {y}H{WIDTH - RIGHT}" stroke="var(--muted)" stroke-dasharray="3 3" stroke-width="1"/>'
        newest = next((value for value in reversed(self._courses[0].values) if value is not None), None)
        if newest is None or abs(self._beside(newest) - self._beside(self._limit)) >= LETTERS:
            yield self._written(self._limit, "var(--muted)")

    def lines(self) -> Iterator[str]:
        for place, course in enumerate(self._courses):
            colour = f"var(--c{place + 1})"
            for run in _runs([None if None in pair else pair[0] for pair in course.ends]):
                yield self._band(course, run, colour)
            for run in _runs(course.values):
                yield self._line(course, run, colour)
            yield from self._newest(course, colour)

    def _band(self, course: Course, run: Sequence[int], colour: str) -> str:
        there = [f"{self._x(at)} {self._at(course.ends[at][1])}" for at in run]
        back = [f"{self._x(at)} {self._at(course.ends[at][0])}" for at in reversed(run)]
        return f'<path d="M{"L".join([*there, *back])}Z" fill="{colour}" opacity="0.18"/>'

    def _line(self, course: Course, run: Sequence[int], colour: str) -> str:
        if len(run) == 1:
            return f'<circle cx="{self._x(run[0])}" cy="{self._at(course.values[run[0]])}" r="1.8" fill="{colour}"/>'
        points = "L".join(f"{self._x(at)} {self._at(course.values[at])}" for at in run)
        dashes = ' stroke-dasharray="4 2"' if course.dashed else ""
        return f'<path d="M{points}" fill="none" stroke="{colour}" stroke-width="1.6"{dashes}/>'

    def _newest(self, course: Course, colour: str) -> Iterator[str]:
        """Write the newest number beside its end; of the first course alone, so that none lie on each other."""
        known = [value for value in course.values if value is not None]
        if known and course is self._courses[0]:
            yield self._written(known[-1], colour)

    def _written(self, value: float, colour: str) -> str:
        y, number = short(self._beside(value)), score(value)
        return f'<text x="{WIDTH - RIGHT + 6}" y="{y}" font-size="{LETTERS}" fill="{colour}">{number}</text>'

    def _beside(self, value: float) -> float:
        """Return the foot of the letters that stand beside a value."""
        return min(max(self._y(value) + 3.5, float(LETTERS)), float(HEIGHT - FOOT))

    def marks(self, marks: Sequence[int]) -> Iterator[str]:
        values = self._courses[0].values if self._courses else ()
        for at in marks:
            y = self._at(values[at]) if at < len(values) and values[at] is not None else str(HEIGHT - FOOT)
            yield f'<circle cx="{self._x(at)}" cy="{y}" r="3.4" fill="var(--bad)"/>'

    def rings(self, running: Sequence[int]) -> Iterator[str]:
        for place, course in enumerate(self._courses):
            for at in running:
                if at < len(course.values) and course.values[at] is not None:
                    style = f'fill="var(--paper)" stroke="var(--c{place + 1})" stroke-width="1.4"'
                    yield f'<circle cx="{self._x(at)}" cy="{self._at(course.values[at])}" r="2.6" {style}/>'

    def _x(self, place: int) -> str:
        return short(2 + place * self._step * (1 - 4 / (WIDTH - RIGHT)))

    def _at(self, value: float | None) -> str:
        return short(self._y(0.0 if value is None else value))

    def _y(self, value: float) -> float:
        return TOP + (HEIGHT - FOOT - TOP) * (self._high - value) / (self._high - self._low)


def _runs(values: Sequence[float | None]) -> Iterator[list[int]]:
    """Yield the places of neighbouring values that are there."""
    run: list[int] = []
    for place, value in enumerate([*values, None]):
        if value is not None:
            run.append(place)
        elif run:
            yield run
            run = []


def _axis(labels: Sequence[str]) -> Iterator[str]:
    """Yield the foot line, and the first and the last label under it."""
    y = HEIGHT - FOOT
    yield f'<path d="M0 {y}H{WIDTH - RIGHT}" stroke="var(--line)" stroke-width="1"/>'
    ends = [labels[0], labels[-1]] if len(labels) > 1 else [*labels]
    for label, x, anchor in zip(ends, (0, WIDTH - RIGHT), ("start", "end"), strict=False):
        style = f'font-size="9" fill="var(--muted)" text-anchor="{anchor}"'
        yield f'<text x="{x}" y="{HEIGHT - 5}" {style}>{escape(_cut(label))}</text>'


def _cut(label: str) -> str:
    return label if len(label) <= 20 else f"{label[:19]}…"
