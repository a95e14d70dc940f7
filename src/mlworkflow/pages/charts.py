"""The charts of a page, as inline SVG: curves, a confusion matrix, residuals, clusters, bars, a ladder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlworkflow.pages.svg import INK, LEFT, LINE, MUTED, PAPER, STAND_INS, WIDTH, chart, label
from mlworkflow.rows.sampling import thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

HEIGHT = 280
MOST_POINTS = 2000


class Line(NamedTuple):
    """One line of a chart: (n,) x and y, its name in the legend; `points` marks each of the n, `joined` by the line."""

    name: str
    x: ArrayLike
    y: ArrayLike
    points: bool = False
    joined: bool = True


class Rung(NamedTuple):
    """One row of a ladder: a value, and its interval where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    strong: bool = False


def lines(
    series: Sequence[Line],
    *,
    name: str,
    title: str,
    x: str,
    y: str,
    unit: bool = False,
    diagonal: bool = False,
    steps: bool = False,
    whole: bool = False,
) -> str:
    """Return lines over one x axis: ROC, precision-recall, calibration, learning curve.

    Args:
        series: at most six lines; of more than 500 points evenly spaced ones are drawn.
        name: unique on the page, the start of every id.
        title: what a screen reader says.
        x: label under the axis.
        y: label above the axis.
        unit: both axes run from 0 to 1.
        diagonal: a thin line from (0, 0) to (1, 1).
        steps: a value holds until the next x.
        whole: x counts something: no ticks between whole numbers.
    """

    def draw(axes: Axes) -> None:
        if diagonal:
            axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(3, 3))
        for line, colour in zip(series, STAND_INS, strict=False):
            _draw_line(axes, line, colour, steps=steps)
        if unit:
            axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03), xticks=np.arange(6) / 5, yticks=np.arange(6) / 5)
        _name_axes(axes, x, y)
        if whole:
            axes.locator_params(axis="x", integer=True)
        if len(series) > 1:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1.035), ncols=len(series))

    return chart(draw, name, title, height=HEIGHT)


def _draw_line(axes: Axes, line: Line, colour: str, *, steps: bool) -> None:
    keep = thinned(len(np.asarray(line.x)), 500)
    axes.plot(
        np.asarray(line.x, dtype=float)[keep],
        np.asarray(line.y, dtype=float)[keep],
        color=colour,
        label=label(line.name),
        marker="o" if line.points else None,
        markersize=4.5,
        linestyle="-" if line.joined else "none",
        drawstyle="steps-post" if steps else "default",
    )


def confusion(counts: ArrayLike, classes: Sequence[object], *, name: str, title: str) -> str:
    """Return the (K, K) counts, a row an actual class, as a heat map; each row is shaded by its own shares."""
    matrix = np.asarray(counts)
    k, words = len(matrix), [label(str(name), 14) for name in classes]
    left = 30 + _wide(words)
    size = min((WIDTH - left - 12) / k, 96)
    turned = _wide(words) > size

    def draw(axes: Axes) -> None:
        axes.grid(False)
        axes.spines[:].set_visible(False)
        _draw_cells(axes, matrix)
        axes.set(xlim=(0, k), ylim=(k, 0), xticks=np.arange(k) + 0.5, yticks=np.arange(k) + 0.5)
        axes.set_xticklabels(words, rotation=90 if turned else 0)
        axes.set_yticklabels(words)
        axes.set_xlabel("predicted", labelpad=7)
        axes.set_title("actual", loc="left", x=-left / (size * k))

    foot = 34 + (_wide(words) if turned else 12)
    return chart(draw, name, title, height=size * k + foot + 26, box=(left, foot, size * k, size * k))


def _draw_cells(axes: Axes, matrix: NDArray[Any]) -> None:
    """Draw a box a cell, and its number where they are few."""
    from matplotlib.patches import Rectangle

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(*matrix.shape):
        count, share = int(matrix[row, column]), float(shares[row, column])
        colour, alpha = STAND_INS[0 if row == column else 1], round(0.05 + 0.8 * share, 2)
        axes.add_patch(Rectangle((column + 0.03, row + 0.03), 0.94, 0.94, facecolor=colour, alpha=alpha))
        if len(matrix) <= 20:
            ink = MUTED if not count else PAPER if share > 0.55 else INK
            how: dict[str, Any] = {"ha": "center", "va": "center_baseline", "size": 13 if len(matrix) < 5 else 11}
            axes.text(column + 0.5, row + 0.5, f"{count}", color=ink, **how)


def residuals(predicted: ArrayLike, residual: ArrayLike, *, name: str, title: str) -> str:
    """Return (n,) residuals (actual minus predicted) over (n,) predictions; of many rows 2000 evenly spaced ones."""
    keep = thinned(len(np.asarray(predicted)), MOST_POINTS)
    across, up = (np.asarray(values, dtype=float)[keep] for values in (predicted, residual))

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.plot(across, up, "o", color=STAND_INS[0], alpha=0.45, markersize=4.5, markeredgewidth=0)
        _name_axes(axes, "predicted", "actual minus predicted")

    return chart(draw, name, title, height=HEIGHT)


def clusters(first: ArrayLike, second: ArrayLike, cluster: ArrayLike, *, name: str, title: str) -> str:
    """Return (n,) rows in two dimensions, coloured by their (n,) cluster; of many rows 2000 evenly spaced ones."""
    keep = thinned(len(np.asarray(first)), MOST_POINTS)
    across, up = (np.asarray(values, dtype=float)[keep] for values in (first, second))
    numbers = np.asarray(cluster)[keep]
    known = np.unique(numbers)

    def draw(axes: Axes) -> None:
        for place, number in enumerate(known):
            mine = numbers == number
            colour, marker = STAND_INS[place % 6], "os^Dv"[place // 6 % 5]
            label = f"cluster {number}" if len(known) <= 4 else f"{number}"
            axes.plot(
                across[mine], up[mine], marker, color=colour, alpha=0.6, markersize=4.5, markeredgewidth=0, label=label
            )
        _name_axes(axes, "first principal component", "second")
        if len(known) <= 8:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1.035), ncols=len(known), handletextpad=0.1)

    return chart(draw, name, title, height=HEIGHT)


def bars(
    labels: Sequence[str], values: ArrayLike, *, name: str, title: str, x: str, spreads: ArrayLike | None = None
) -> str:
    """Return (n,) values as horizontal bars, the first on top, with plus and minus `spreads` where given."""
    words, wide = [label(word) for word in labels], np.asarray(values, dtype=float)
    left = 14 + _wide(words)
    places = np.arange(len(words))

    def draw(axes: Axes) -> None:
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.barh(places, wide, height=0.62, color=STAND_INS[0], alpha=0.85)
        if spreads is not None:
            axes.errorbar(wide, places, xerr=np.asarray(spreads, dtype=float), fmt="none", ecolor=INK, elinewidth=1)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set(ylim=(len(words) - 0.4, -0.6), yticks=places, xlabel=x)
        axes.set_yticklabels(words, color=INK)
        axes.locator_params(axis="x", nbins=5)

    high = 21 * len(words)
    return chart(draw, name, title, height=high + 52, box=(left, 42, WIDTH - left - 16, high))


def ladder(
    rungs: Sequence[Rung], *, name: str, title: str, x: str, zero: bool = False, band: float | None = None
) -> str:
    """Return one point a rung, the first on top, with its interval.

    Args:
        rungs: the strong ones stand out.
        name: unique on the page, the start of every id.
        title: what a screen reader says.
        x: label under the axis.
        zero: draw the line of no difference.
        band: shade as much on both sides of zero.
    """
    words = [label(rung.name) for rung in rungs]
    left = 16 + _wide(words)

    def draw(axes: Axes) -> None:
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        if band:
            axes.axvspan(-band, band, color=LINE, alpha=0.6, linewidth=0)
        if zero:
            axes.axvline(0, color=MUTED, linewidth=1)
        for place, rung in enumerate(rungs):
            colour = STAND_INS[1] if rung.strong else STAND_INS[0]
            if rung.low is not None and rung.high is not None:
                axes.plot([rung.low, rung.high], [place, place], color=colour, linewidth=5, alpha=0.35)
            axes.plot([rung.value], [place], "D" if rung.strong else "o", color=colour, markersize=8)
        axes.set(ylim=(len(rungs) - 0.4, -0.6), yticks=np.arange(len(rungs)), xlabel=x)
        axes.set_yticklabels(words, color=INK)
        axes.margins(x=0.08)
        axes.locator_params(axis="x", nbins=5)

    high = 32 * len(rungs)
    return chart(draw, name, title, height=high + 54, box=(left, 44, WIDTH - left - 18, high))


def _name_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_title(y, x=-LEFT / (WIDTH - LEFT - 14))
    axes.locator_params(nbins=6)


def _wide(words: Sequence[str]) -> float:
    """Return about how many units the widest word takes."""
    return 6.6 * max((len(word) for word in words), default=0)
