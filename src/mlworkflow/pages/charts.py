"""Charts as inline SVG: text in the page's font, colours from the page's CSS, the same bytes at every run.

Matplotlib draws in stand-in colours; `_inline` replaces them by CSS variables (so a chart follows dark and
light), makes ids unique by the chart's name and takes out what would differ or load anything. The tiny
pictures of explore are written by hand, as matplotlib is too slow and too wordy for hundreds of them.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlworkflow.pages.templates import MINUS, THIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

WIDTH = 400  # of a chart, in units of its viewBox: about the pixels of half a page
LEFT = 44  # of the axes, for the numbers
HEIGHT = 280
MOST_POINTS = 2000
LONGEST_LABEL = 26
SERIES = ("c1", "c2", "c3", "c4", "c5", "c6")
COLOURS = {  # what matplotlib draws -> what the page shows
    "#000001": "currentColor",
    "#000002": "var(--muted)",
    "#000003": "var(--line)",
    "#000004": "var(--paper)",
    "#000005": "var(--good)",
    "#000006": "var(--bad)",
    **{f"#00001{number}": f"var(--c{number})" for number in range(1, 7)},
}
INK, MUTED, LINE, PAPER, GOOD, BAD = list(COLOURS)[:6]
STAND_INS = list(COLOURS)[6:]
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "text.parse_math": False,  # a column may be called $x$
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titlecolor": MUTED,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 6,
    "figure.facecolor": "none",
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "legend.borderaxespad": 0,
    "legend.borderpad": 0,
    "legend.columnspacing": 1.4,
}


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
            keep = thinned(len(np.asarray(line.x)), 500)
            axes.plot(
                np.asarray(line.x, dtype=float)[keep],
                np.asarray(line.y, dtype=float)[keep],
                color=colour,
                label=_label(line.name),
                marker="o" if line.points else None,
                markersize=4.5,
                linestyle="-" if line.joined else "none",
                drawstyle="steps-post" if steps else "default",
            )
        if unit:
            axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03), xticks=np.arange(6) / 5, yticks=np.arange(6) / 5)
        _name_axes(axes, x, y)
        if whole:
            axes.locator_params(axis="x", integer=True)
        if len(series) > 1:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1.035), ncols=len(series))

    return _chart(draw, name, title, height=HEIGHT)


def confusion(counts: ArrayLike, classes: Sequence[object], *, name: str, title: str) -> str:
    """Return the (K, K) counts, a row an actual class, as a heat map; each row is shaded by its own shares."""
    matrix = np.asarray(counts)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    k = len(matrix)
    words = [_label(str(label), 14) for label in classes]
    left = 30 + _wide(words)
    size = min((WIDTH - left - 12) / k, 96)

    def draw(axes: Axes) -> None:
        from matplotlib.patches import Rectangle

        axes.grid(False)
        axes.spines[:].set_visible(False)
        right = np.eye(k, dtype=bool)
        for row, column in np.ndindex(k, k):
            share = float(shares[row, column])
            colour = STAND_INS[0] if right[row, column] else STAND_INS[1]
            box = Rectangle(
                (column + 0.03, row + 0.03), 0.94, 0.94, facecolor=colour, alpha=round(0.05 + 0.8 * share, 2)
            )
            axes.add_patch(box)
            if k <= 20:
                number = f"{int(matrix[row, column])}"
                ink = MUTED if not matrix[row, column] else PAPER if share > 0.55 else INK
                axes.text(
                    column + 0.5,
                    row + 0.5,
                    number,
                    ha="center",
                    va="center_baseline",
                    color=ink,
                    size=13 if k < 5 else 11,
                )
        axes.set(xlim=(0, k), ylim=(k, 0), xticks=np.arange(k) + 0.5, yticks=np.arange(k) + 0.5)
        axes.set_xticklabels(words, rotation=90 if _wide(words) > size else 0)
        axes.set_yticklabels(words)
        axes.set_xlabel("predicted", labelpad=7)
        axes.set_title("actual", loc="left", x=-left / (size * k))

    foot = 34 + (_wide(words) if _wide(words) > size else 12)
    return _chart(draw, name, title, height=size * k + foot + 26, box=(left, foot, size * k, size * k))


def residuals(predicted: ArrayLike, residual: ArrayLike, *, name: str, title: str, unit: str = "") -> str:
    """Return (n,) residuals (actual minus predicted) over (n,) predictions; of many rows 2000 evenly spaced ones."""
    keep = thinned(len(np.asarray(predicted)), MOST_POINTS)
    across, up = (np.asarray(values, dtype=float)[keep] for values in (predicted, residual))

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.plot(across, up, "o", color=STAND_INS[0], alpha=0.45, markersize=4.5, markeredgewidth=0)
        _name_axes(axes, f"predicted {unit}".strip(), "actual minus predicted")

    return _chart(draw, name, title, height=HEIGHT)


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

    return _chart(draw, name, title, height=HEIGHT)


def bars(
    labels: Sequence[str], values: ArrayLike, *, name: str, title: str, x: str, spreads: ArrayLike | None = None
) -> str:
    """Return (n,) values as horizontal bars, the first on top, with plus and minus `spreads` where given."""
    words, wide = [_label(word) for word in labels], np.asarray(values, dtype=float)
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
    return _chart(draw, name, title, height=high + 52, box=(left, 42, WIDTH - left - 16, high))


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
    words = [_label(rung.name) for rung in rungs]
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
    return _chart(draw, name, title, height=high + 54, box=(left, 44, WIDTH - left - 18, high))


def tiny(
    parts: Sequence[Sequence[int]], *, title: str, labels: Sequence[str] = (), width: int = 120, height: int = 26
) -> str:
    """Return a tiny picture of counts: a histogram, or the bars of categories.

    Args:
        parts: (classes, bins) counts stacked in the colours of the series; one row of them for no split.
        title: what a screen reader and the pointer say.
        labels: three words under the picture from left to right, such as lowest, median, highest.
        width: in pixels.
        height: in pixels, without the labels.
    """
    counts = np.asarray(parts, dtype=float).reshape(len(parts), -1)
    tallest, step = max(float(counts.sum(axis=0).max(initial=0)), 1.0), width / max(counts.shape[1], 1)
    boxes = []
    for place in range(counts.shape[1]):
        foot = float(height)
        for colour, count in zip(SERIES, counts[:, place], strict=False):
            if count:
                tall = max(float(count) / tallest * height, 0.8)
                foot -= tall
                across = f'x="{_short(place * step)}" width="{_short(max(step - 1, 0.6))}"'
                boxes.append(
                    f'<rect {across} y="{_short(max(foot, 0))}" height="{_short(tall)}" fill="var(--{colour})"/>'
                )
    places = zip((0, width / 2, width), ("start", "middle", "end"), labels, strict=False)
    words = "".join(
        f'<text x="{_short(x)}" y="{height + 12}" text-anchor="{anchor}">{escape(label)}</text>'
        for x, anchor, label in places
    )
    full = height + (16 if labels else 0)
    head = f'<svg class="tiny" width="{width}" height="{full}" viewBox="0 0 {width} {full}" role="img">'
    return f"{head}<title>{escape(title)}</title>{''.join(boxes)}{words}</svg>"


def thinned(rows: int, most: int) -> NDArray[np.int64]:
    """Return the positions of at most `most` of the rows, evenly spaced, first and last among them."""
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, most)).round().astype("int64"))


def _name_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_title(y, x=-LEFT / (WIDTH - LEFT - 14))
    axes.locator_params(nbins=6)


def _plain_ticks(axis: Axis) -> None:
    """Write very large and very small numbers at each tick in full words, not as a power beside the axis."""
    most = max(abs(end) for end in axis.get_view_interval())
    if not 0.001 <= most < 10_000:
        axis.set_major_formatter(lambda value, _: _tick(value))


def _tick(value: float) -> str:
    """Return a number for a tick: 12 000, 1.5M, 2e-05."""
    for size, letter in ((1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}".replace("-", MINUS)
    text = f"{value:,.0f}".replace(",", THIN) if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", MINUS)


def _label(word: str, most: int = LONGEST_LABEL) -> str:
    """Return the word without control characters, cut to `most` characters."""
    clean = "".join(letter if letter.isprintable() else " " for letter in word)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _wide(words: Sequence[str]) -> float:
    """Return about how many units the widest word takes."""
    return 6.6 * max((len(word) for word in words), default=0)


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


@contextmanager
def _own_settings(name: str) -> Iterator[None]:
    """Draw with our settings whatever matplotlibrc says, and without words about fonts and caches."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import matplotlib

            with matplotlib.rc_context():
                matplotlib.rcdefaults()
                settings: Any = {**STYLE, "svg.hashsalt": name}
                matplotlib.rcParams.update(settings)
                yield
    finally:
        logger.setLevel(level)


def _chart(
    draw: Any, name: str, title: str, *, height: float, box: tuple[float, float, float, float] | None = None
) -> str:
    """Return what `draw(axes)` draws; `box` is (left, bottom, width, height) of the axes in units."""
    left, bottom, wide, high = box or (LEFT, 42, WIDTH - LEFT - 14, height - 42 - 30)
    with _own_settings(name):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        axes = figure.add_axes((left / WIDTH, bottom / height, wide / WIDTH, high / height))
        draw(axes)
        for axis in (axes.xaxis, axes.yaxis):
            _plain_ticks(axis)
        return _inline(_svg(figure), name, title)


def _svg(figure: Figure) -> str:
    """Return the figure as matplotlib writes it, without date and maker."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(written, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return written.getvalue()


def _inline(svg: str, name: str, title: str) -> str:
    """Return the SVG as part of a page: CSS colours, the page's font, unique ids, nothing that loads."""
    head, body = re.split(r"(?<=>)", svg[svg.index("<svg") :], maxsplit=1)
    view = re.search(r'viewBox="([^"]*)"', head)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r"<[^>]*>", lambda tag: _tag(tag.group()), body)
    body = _unique_ids(body, name)
    body = re.sub(r"(<g[^>]*)>\s*((?:<use[^>]*/>\s*)+)</g>", _shared_style, body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    label = escape(_label(title, 200))
    return (
        f'<svg class="chart" viewBox="{view.group(1) if view else ""}" role="img" aria-label="{label}" '
        f'stroke-linejoin="round">{body.strip()}'
    )


def _tag(tag: str) -> str:
    """Return one tag with CSS colours, without fonts, and with numbers rounded to a hundredth."""
    for drawn, shown in COLOURS.items():
        tag = tag.replace(drawn, shown)
    tag = re.sub(r"font-family: [^;\"]*(; )?", "", tag).replace("xlink:href", "href")
    tag = re.sub(r' transform="rotate\(-0[^"]*"', "", tag)
    tag = re.sub(r"-?\d+\.\d{3,}(?![\d])", lambda number: _short(float(number.group())), tag)
    return re.sub(r"\s*\n\s*", " ", tag)


def _unique_ids(body: str, name: str) -> str:
    """Number the ids that something refers to, behind the chart's name; drop the others."""
    used = list(dict.fromkeys(re.findall(r'(?:href="#|url\(#)([^")]+)', body)))
    new = {old: f"{name}-{place}" for place, old in enumerate(used)}
    body = re.sub(r' id="([^"]*)"', lambda old: f' id="{new[old[1]]}"' if old[1] in new else "", body)
    return re.sub(r'(href="#|url\(#)([^")]+)', lambda old: old[1] + new[old[2]], body)


def _shared_style(group: re.Match[str]) -> str:
    """Give the style that all points of a group share to the group."""
    styles = set(re.findall(r' style="[^"]*"', group[2]))
    if len(styles) != 1 or "style=" in group[1]:
        return group[0]
    (style,) = styles
    return f"{group[1]}{style}>{group[2].replace(style, '')}</g>"
