"""The tour as a page: what the year was, month by month, in one chart and one list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlworkflow.pages import templates
from mlworkflow.pages.over_time import Course, over_time

if TYPE_CHECKING:
    from mlworkflow.touring.story import Told
    from mlworkflow.touring.world import Setting

WORDS = {
    "released": "goes into use",
    "quiet": "quiet",
    "alarm": "alarm",
    "lasting": "lasting",
    "retrained": "retrained",
    "mishap": "mishap",
    "turn": "the world turns",
    "rolled back": "rolled back",
}
TONES = {"alarm": "bad", "mishap": "warn", "turn": "warn", "released": "good", "rolled back": "good"}


def page(told: Told, setting: Setting, turned: str | None) -> str:
    """Return the page.

    Args:
        told: the year.
        setting: what was arranged.
        turned: the month in which customers began to leave for other reasons.
    """
    return templates.render(
        "tour.html",
        told=told,
        setting=setting,
        turned=turned,
        named=named(told),
        charts=[_chart(told, *one) for one in SHOWN],
        months=_by_month(told),
        words=WORDS,
        tones=TONES,
    )


SHOWN = [  # key of the numbers -> name, the title, the beginnings of the alarms that are marked
    (
        {"performance/roc_auc": "measured", "estimated/roc_auc": "estimated without outcomes"},
        "ROC AUC",
        ("performance/", "concept/", "estimated/"),
    ),
    ({"money/model": "the model", "money/baseline": "one decision for all"}, "EUR a customer and month", ("money/",)),
    ({"predictions/psi": "PSI"}, "Drift of the predictions, PSI", ("predictions/",)),
    ({"drift/charges/psi": "PSI"}, "Drift of the charges, PSI", ("drift/charges", "quality/charges")),
]


def named(told: Told) -> str | None:
    """Return the month that the first alarm of outcomes names; None where there is none."""
    alarms = [event for event in told.of("alarm") if event.about in ("performance", "concept")]
    return alarms[0].since if alarms else None


def _chart(told: Told, keys: dict[str, str], title: str, alarms: tuple[str, ...]) -> dict[str, Any]:
    labels = [*told.versions]
    courses = []
    for place, (key, name) in enumerate(keys.items()):
        values = [(told.months.get(label, {}).get("numbers") or {}).get(key) or {} for label in labels]
        ends = [(value.get("low"), value.get("high")) for value in values]
        courses.append(Course(name, [value.get("value") for value in values], ends, place > 0))
    marks = [at for at, label in enumerate(labels) if any(key.startswith(alarms) for key in _alarms(told, label))]
    return {"title": title, "svg": over_time(courses, labels, title=title, marks=marks), "courses": courses}


def _alarms(told: Told, label: str) -> list[str]:
    """Return the alarms of a month as part/subject; none of one that still runs."""
    month = told.months.get(label, {})
    checks = month.get("checks", []) if month.get("complete") else []
    return [f"{one['part']}/{one['subject']}" for one in checks if one["alarm"]]


def _by_month(told: Told) -> list[dict[str, Any]]:
    """Return for each month its version, and what happened in it."""
    return [
        {"label": label, "version": version, "events": [event for event in told.events if event.month == label]}
        for label, version in told.versions.items()
    ]
