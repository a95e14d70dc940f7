"""Fills the page templates beside this file; every value is escaped unless it is marked as HTML."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

NOTHING = "\u2013"
MINUS = "\u2212"
THIN = "\u202f"  # between thousands


def render(template: str, **values: Any) -> str:
    """Return the page that `template` makes of the values.

    Raises:
        jinja2.UndefinedError: the template asks for a value that is not given.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(number=number, score=score, percent=percent, plain=plain, sentence=sentence)
    return environment.get_template(template).render(values)


def number(value: Any) -> str:
    """Return a number for reading: four significant digits, no idle zeros; a dash for none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return NOTHING if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", THIN).replace("-", MINUS)
    text = score(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def score(value: float | int | None) -> str:
    """Return a measured number: four significant digits, at most four decimals, so that a column of them lines up."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if 0 < size < 0.00005 or size >= 1e9:
        return f"{value:.2e}".replace("-", MINUS)
    digits = 4 if size < 1 else max(0, 3 - math.floor(math.log10(size)))
    text = f"{value:,.{digits}f}"
    return text.replace(",", THIN).replace("-", MINUS)


def percent(share: float | None) -> str:
    """Return a share as a percentage, with a digit more below 10%; never 0% for something or 100% for not all."""
    if share is None or not math.isfinite(share):
        return NOTHING
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    digits = 0 if 0.1 <= share <= 0.99 or share in (0, 1) else 1
    return f"{100 * share:.{digits}f}%"


def sentence(words: str) -> str:
    """Return words from a file as a sentence: a capital at the start, a full stop at the end."""
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".") if words else ""


def plain(name: object) -> str:
    """Return a name from a file in words: largest_model_megabytes -> largest model megabytes."""
    return str(name).replace("_", " ")
