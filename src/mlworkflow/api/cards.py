"""A model card's Markdown as HTML: headings, lists, tables, paragraphs, code and bold, which is all that a card has."""

from __future__ import annotations

import html
import re
from itertools import groupby

KINDS = (("table", "|"), ("list", "- "), ("heading", "#"))


def as_html(card: str) -> str:
    """Return the card as HTML; whatever stands in it is shown, not carried out."""
    return "\n".join(_block(kind, list(part)) for kind, part in groupby(card.splitlines(), _kind) if kind)


def _kind(line: str) -> str:
    if not line.strip():
        return ""
    return next((kind for kind, start in KINDS if line.startswith(start)), "text")


def _block(kind: str, lines: list[str]) -> str:
    if kind == "heading":
        return "\n".join(_heading(line) for line in lines)
    if kind == "list":
        return "<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>"
    if kind == "table":
        return _table(lines)
    return f"<p>{_inline(' '.join(lines))}</p>"


def _heading(line: str) -> str:
    level = min(len(line) - len(line.lstrip("#")) + 1, 6)
    return f"<h{level}>{_inline(line.lstrip('# '))}</h{level}>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    head, *body = [row for row in rows if not all(set(cell) <= set("-: ") for cell in row)]
    top = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    rest = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in body)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{rest}</tbody></table></div>'


def _inline(text: str) -> str:
    safe = html.escape(text.replace("\\|", "|"), quote=False)
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe)
