"""Tiny pictures of counts, written by hand: matplotlib is too slow and too wordy for hundreds of them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from mlworkflow.pages.svg import short

COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6")  # of the page's CSS


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
        for colour, count in zip(COLOURS, counts[:, place], strict=False):
            if count:
                tall = max(float(count) / tallest * height, 0.8)
                foot -= tall
                across = f'x="{short(place * step)}" width="{short(max(step - 1, 0.6))}"'
                boxes.append(
                    f'<rect {across} y="{short(max(foot, 0))}" height="{short(tall)}" fill="var(--{colour})"/>'
                )
    places = zip((0, width / 2, width), ("start", "middle", "end"), labels, strict=False)
    words = "".join(
        f'<text x="{short(x)}" y="{height + 12}" text-anchor="{anchor}">{escape(label)}</text>'
        for x, anchor, label in places
    )
    full = height + (16 if labels else 0)
    head = f'<svg class="tiny" width="{width}" height="{full}" viewBox="0 0 {width} {full}" role="img">'
    return f"{head}<title>{escape(title)}</title>{''.join(boxes)}{words}</svg>"
