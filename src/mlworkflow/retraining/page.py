"""A retraining as a page: why, which rows, each candidate against the champion, what is taken, how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlworkflow.pages import templates

if TYPE_CHECKING:
    from mlworkflow.retraining.result import Result


def page(made: Result) -> str:
    """Return the page."""
    return templates.render("retrain.html", made=made, lines=[_line(made, name) for name in made.chosen.reviews])


def _line(made: Result, name: str) -> dict[str, Any]:
    """Return what the table says of a candidate."""
    told = made.chosen.reviews[name]
    first = next(iter(told["metrics"]), None) or {}
    return {
        "name": name,
        "what": made.tried.get(name, ""),
        "word": made.chosen.words[name],
        "taken": name == made.chosen.name,
        "metric": first.get("name"),
        "base": first.get("base"),
        "value": first.get("candidate"),
        "difference": first.get("difference"),
        "money": told.get("money"),
        "seconds": made.seconds.get(name) or None,
    }
