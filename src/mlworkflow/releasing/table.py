"""`mlworkflow releases`: the versions of each problem, newest first, and the history of each stage."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlworkflow.judging.verdict import BETTER
from mlworkflow.releasing import ready, tags
from mlworkflow.releasing.tags import BACK, BECAUSE, FORTH, Release, ReleaseError
from mlworkflow.summary import WIDTH, number

HEAD = ["version", "stage", "when", "who", "commit", "verdict", "metric", ""]
CUT = [HEAD.index(name) for name in ("who", "metric", "stage")]  # where a line would be too long, in this order
LEAST = 8  # characters that stay of each, as long as another can be cut


def releases(*, as_json: bool = False) -> str:
    """Return the table, or the same as JSON.

    Raises:
        ReleaseError: there is no release.
    """
    root = Path.cwd()
    there = tags.read(root)
    found = [_problem(root, there, name) for name in tags.problems(there) if tags.versions(there, name)]
    if as_json:
        return json.dumps(found, indent=2, ensure_ascii=False)
    if not found:
        raise ReleaseError("there is no release yet", "Type `mlworkflow release`; in a clone, `git fetch --tags`.")
    return "\n\n".join(_text(one) for one in found)


def _problem(root: Path, there: Sequence[tags.Tag], name: str) -> dict[str, Any]:
    """Return what there is to tell of one problem."""
    history = {stage: tags.assignments(there, name, stage) for stage in tags.stages(there, name)}
    now = {stage: made[-1].version for stage, made in history.items() if made}
    return {
        "problem": name,
        "stages": now,
        "versions": [_version(root, one, now) for one in reversed(tags.versions(there, name))],
        "history": {stage: [_assignment(one) for one in reversed(made)] for stage, made in history.items()},
    }


def _version(root: Path, one: Release, now: dict[str, str]) -> dict[str, Any]:
    told = ready.result_of(root, one.commit)
    return {
        "version": one.version,
        "stages": [stage for stage, version in now.items() if version == one.version],
        "who": one.who,
        "when": one.when.isoformat(),
        "commit": one.commit,
        **{key: told[key] for key in ("model", "verdict", "good_enough", "primary", "value")},
        "because": one.told(BECAUSE),
    }


def _assignment(one: Release) -> dict[str, Any]:
    return {
        "version": one.version,
        "tag": one.assigned,
        "who": one.who,
        "when": one.when.isoformat(),
        "rolled_back": one.told(BACK),
        "gone_forward_from": one.told(FORTH),
        "because": one.told(BECAUSE),
    }


def _text(told: dict[str, Any]) -> str:
    lines = [told["problem"], *_table([HEAD, *(_row(one) for one in told["versions"])])]
    for one in told["versions"]:
        lines += _wrapped(_more(one))
    for stage, made in told["history"].items():
        lines += ["", f"{stage}:"] + [line for one in made for line in _wrapped(_step(one))]
    return "\n".join(lines)


def _good(one: dict[str, Any]) -> bool:
    return one["verdict"] == BETTER and bool(one["good_enough"])


def _row(one: dict[str, Any]) -> list[str]:
    stages, verdict = ",".join(one["stages"]) or "-", "yes" if _good(one) else "no"
    metric = str(one["primary"] or "-")
    return [one["version"], stages, _day(one), one["who"], one["commit"][:7], verdict, metric, number(one["value"])]


def _more(one: dict[str, Any]) -> str:
    """Return why a version has the verdict no, and why it was made all the same; nothing for one without either."""
    words = [] if _good(one) else [str(one["verdict"] or "no verdict")]
    words += ["rules missed"] if one["good_enough"] is False else []
    because = [f"because: {one['because']}"] if one["because"] else []
    return f"{one['version']} {'; '.join([*words, *because])}" if words or because else ""


def _day(one: dict[str, Any]) -> str:
    return str(one["when"])[:10]


def _step(one: dict[str, Any]) -> str:
    when = str(one["when"])[:16].replace("T", " ")
    back = f", rolled back {one['rolled_back']}" if one["rolled_back"] else ""
    back = f", forward from {one['gone_forward_from']}" if one["gone_forward_from"] else back
    because = f": {one['because']}" if one["because"] else ""
    return f"{when}  {one['version']}  {one['who']}{back}{because}"


def _table(rows: list[list[str]]) -> list[str]:
    """Return the rows in columns; long names are cut, so that a line has 80 columns."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    while sum(widths) + 2 * len(widths) > WIDTH:
        long = [place for place in CUT if widths[place] > LEAST]
        widths[long[0] if long else max(CUT, key=lambda place: widths[place])] -= 1
    return [
        "".join(f"  {_cut(cell, width):<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cut(cell: str, most: int) -> str:
    return cell if len(cell) <= most else f"{cell[: most - 1]}…"


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent="    ")
