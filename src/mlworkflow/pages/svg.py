"""What matplotlib draws, as inline SVG: text in the page's font, colours from its CSS, the same bytes at every run.

Matplotlib draws in stand-in colours; `_inline` replaces them by CSS variables (so a chart follows dark and light),
makes ids unique by the chart's name and takes out what would differ or load anything.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from mlworkflow.pages.templates import MINUS, THIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Box = tuple[float, float, float, float]  # left, bottom, width and height of the axes, in units
WIDTH = 400  # of a chart, in units of its viewBox: about the pixels of half a page
LEFT = 44  # of the axes, for the numbers
LONGEST_LABEL = 26
COLOURS = {  # what matplotlib draws -> what the page shows
    "#000001": "currentColor",
    "#000002": "var(--muted)",
    "#000003": "var(--line)",
    "#000004": "var(--paper)",
    **{f"#00001{number}": f"var(--c{number})" for number in range(1, 7)},
}
INK, MUTED, LINE, PAPER, *STAND_INS = COLOURS
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


def chart(draw: Callable[[Axes], None], name: str, title: str, *, height: float, box: Box | None = None) -> str:
    """Return what `draw(axes)` draws, `height` units high, its axes in the `box`."""
    left, bottom, wide, high = box or (LEFT, 42, WIDTH - LEFT - 14, height - 42 - 30)
    with _own_settings(name):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        axes = figure.add_axes((left / WIDTH, bottom / height, wide / WIDTH, high / height))
        draw(axes)
        for axis in (axes.xaxis, axes.yaxis):
            _plain_ticks(axis)
        return _inline(_svg(figure), name, title)


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
    told = escape(label(title, 200))
    return (
        f'<svg class="chart" viewBox="{view.group(1) if view else ""}" role="img" aria-label="{told}" '
        f'stroke-linejoin="round">{body.strip()}'
    )


def _tag(tag: str) -> str:
    """Return one tag with CSS colours, without fonts, and with numbers rounded to a hundredth."""
    for drawn, shown in COLOURS.items():
        tag = tag.replace(drawn, shown)
    tag = re.sub(r"font-family: [^;\"]*(; )?", "", tag).replace("xlink:href", "href")
    tag = re.sub(r' transform="rotate\(-0[^"]*"', "", tag)
    tag = re.sub(r"-?\d+\.\d{3,}(?![\d])", lambda number: short(float(number.group())), tag)
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


def label(word: str, most: int = LONGEST_LABEL) -> str:
    """Return the word without control characters, cut to `most` characters."""
    clean = "".join(letter if letter.isprintable() else " " for letter in word)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def short(number: float) -> str:
    """Return a number in at most two decimals, without idle zeros."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
