"""Tiny pictures of counts, written by hand: matplotlib is too slow and too wordy for hundreds of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from mlworkflow.pages.svg import short

COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6")  # of the page's CSS
WIDTH, HEIGHT = 120, 26  # pixels


def tiny(parts: Sequence[Sequence[int]], *, title: str) -> str:
    """Return a tiny picture of counts: a histogram, or the bars of categories.

    Args:
        parts: (classes, bins) counts stacked in the colours of the series; one row of them for no split.
        title: what a screen reader and the pointer say.
    """
    head = f'<svg class="tiny" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    return f"{head}<title>{escape(title)}</title>{''.join(_boxes(parts))}</svg>"


def _boxes(parts: Sequence[Sequence[int]]) -> Iterator[str]:
    """Yield a box for each count that is not zero, bin after bin, from the foot up."""
    counts = np.asarray(parts, dtype=float).reshape(len(parts), -1)
    tallest, step = max(float(counts.sum(axis=0).max(initial=0)), 1.0), WIDTH / max(counts.shape[1], 1)
    for place, stack in enumerate(counts.T):
        foot, across = float(HEIGHT), f'x="{short(place * step)}" width="{short(max(step - 1, 0.6))}"'
        for colour, count in zip(COLOURS, stack, strict=False):
            if count:
                tall = max(float(count) / tallest * HEIGHT, 0.8)
                foot -= tall
                yield f'<rect {across} y="{short(max(foot, 0))}" height="{short(tall)}" fill="var(--{colour})"/>'
