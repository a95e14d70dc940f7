"""The history as a page: a chart for each problem and metric, and the table. Pure but for the template beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.pages import templates
from mlworkflow.pages.svg import INK, LINE, MUTED, STAND_INS, chart, label
from mlworkflow.reviewing.history import WORDS, Point, heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT, MOST_DATES, MOST_TAGS, LONGEST_TAG = 300, 4, 8, 12
TONES = {"better": "good", "no better": "bad", "untold": "warn"}


def html(found: Sequence[Sequence[Point]], notes: Sequence[str]) -> str:
    """Return the page as HTML."""
    parts = [
        {"heading": heading(found, place), "points": list(reversed(segment))} for place, segment in enumerate(found)
    ]
    points = [point for segment in found for point in segment]
    return _render(
        "history.html", parts=list(reversed(parts)), charts=_charts(found), notes=notes, words=WORDS, tones=TONES,
        last=points[-1], count=len(points), tags=sum(bool(point.commit.tags) for point in points),
    )  # fmt: skip


def _render(template: str, **values: Any) -> str:
    """Return the page of a template beside this file; the frame and the style are those of every page.

    The stages depend on pages/: a template there would rerun those that make pages.
    """
    import jinja2

    folders = [Path(__file__).parent, Path(templates.__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(number=templates.number, score=templates.score)
    return environment.get_template(template).render(values)


def _charts(found: Sequence[Sequence[Point]]) -> list[dict[str, str]]:
    """Return a chart for each problem and metric, that of the newest point first."""
    from markupsafe import Markup

    kinds = list(dict.fromkeys((segment[0].problem, segment[0].metric) for segment in reversed(found)))
    made = []
    for place, (problem, metric) in enumerate(kinds):
        mine = [segment for segment in found if (segment[0].problem, segment[0].metric) == (problem, metric)]
        title = f"{problem}: {metric} on the test rows"
        svg = line(mine, name=f"history-{place}", title=title)
        caption = "A bar is the 95% interval, a diamond has a tag."
        if len(mine) > 1:
            caption += " A line ends where the next point cannot be compared: other test rows, or another problem."
        made.append({"title": title, "svg": Markup(svg), "caption": caption})
    return made


def line(found: Sequence[Sequence[Point]], *, name: str, title: str) -> str:
    """Return the points of one problem and metric, evenly spaced, each segment a line of its own."""

    def draw(axes: Axes) -> None:
        place = 0
        for number, segment in enumerate(found):
            if number:
                axes.axvline(place - 0.5, color=MUTED, linewidth=1, dashes=(3, 3))
            _draw(axes, segment, place)
            place += len(segment)
        _draw_frame(axes, [point for segment in found for point in segment])

    return chart(draw, name, title, height=HEIGHT)


def _draw(axes: Axes, segment: Sequence[Point], start: int) -> None:
    """Draw one segment: the line, an interval a point, a diamond where there is a tag."""
    known = [(start + place, point, point.value) for place, point in enumerate(segment) if point.value is not None]
    few = len(segment) <= 60
    for x, point, _ in known:
        if point.low is not None and point.high is not None:
            axes.plot([x, x], [point.low, point.high], color=STAND_INS[0], linewidth=5 if few else 2, alpha=0.3)
    axes.plot([x for x, _, _ in known], [y for _, _, y in known], color=STAND_INS[0], linewidth=1.5)
    for x, point, y in known:
        tagged = bool(point.commit.tags)
        axes.plot(
            [x], [y], "D" if tagged else "o", color=STAND_INS[1] if tagged else STAND_INS[0],
            markersize=7 if tagged else 5 if few else 3,
        )  # fmt: skip


def _draw_frame(axes: Axes, points: Sequence[Point]) -> None:
    """Name the newest tags above the chart, and some dates below it."""
    tagged = [place for place, point in enumerate(points) if point.commit.tags][-MOST_TAGS:]
    for place in tagged:
        axes.axvline(place, color=LINE, linewidth=1, zorder=0)
        word = label(",".join(points[place].commit.tags), LONGEST_TAG)
        axes.text(place, 1.02, word, transform=axes.get_xaxis_transform(), ha="center", size=9, color=INK)
    step = max(1, -(-len(points) // MOST_DATES))
    ticks = list(range(0, len(points), step))
    axes.set_xticks(ticks, [points[place].commit.date for place in ticks])
    axes.set_xlim(-0.6, len(points) - 0.4)
    axes.grid(False, axis="x")
    axes.locator_params(axis="y", nbins=6)
