"""`mlworkflow history`: how the primary metric moved, commit by commit, as a table of 80 columns and a page.

A map for the next reader:

- history: the command.
- recorded, points: what Git has of each commit, by a handful of processes whatever the number of commits.
- segments: which points may be compared: of one problem, by one metric, on the same test rows.
- table: the segments for a terminal.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from mlworkflow.checking.recorded import cache_of, cached
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, UnreadableError
from mlworkflow.core.processes import git, without
from mlworkflow.measures.metrics import METRICS
from mlworkflow.summary import number

PAGE = Path("reports/history.html")
BRANCHES = ("refs/heads/main", "refs/heads/master", "refs/remotes/origin/main", "refs/remotes/origin/master")
FILES = (paths.TEST_METRICS, paths.DECISION, paths.PARAMS, paths.LOCK)
WORDS = {"better than the baseline": "better", "no better than the baseline": "no better", "cannot be told": "untold"}
WIDTH, SHORTEST = 80, 6  # of the table, of a cell that is cut


class HistoryError(ProjectError):
    """There is no history to show."""


@dataclass(frozen=True)
class Commit:
    """A commit on the way: its hash, time and date, the tags that point to it."""

    sha: str
    time: int
    date: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """What one commit records.

    Attributes:
        commit: its place in time.
        problem: by name.
        model: by name.
        metric: the primary one.
        value: of the metric on the test rows.
        verdict: of `decide`, empty where there is none.
        rows: what tells the test rows from others, empty where it is not recorded.
        outcome: what tells the result from another one.
        intervals: MD5 of evaluation/intervals.json, empty where it is not recorded.
        low: the lower end of the interval, None where it is not in the cache.
        high: its upper end.
    """

    commit: Commit
    problem: str
    model: str
    metric: str
    value: float | None
    verdict: str
    rows: str
    outcome: tuple[str, ...]
    intervals: str
    low: float | None = None
    high: float | None = None

    @property
    def comparable(self) -> tuple[str, str, str]:
        """What two points share that a line may connect."""
        return self.problem, self.metric, self.rows


def history(page: Path | None = None) -> str:
    """Write the page; return the table.

    Raises:
        HistoryError: no repository, no commit, or none with metrics.
    """
    from mlworkflow.reviewing.history_page import html

    root, target = Path.cwd(), page or PAGE
    branch, shallow = _branch(root), git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
    known = points(recorded(root, _commits(root, branch)))
    notes = _notes(branch, shallow)
    if not known:
        raise HistoryError(
            f"a history needs commits with {paths.TEST_METRICS}, but {branch} has none. {' '.join(notes[1:])}"
            "Type `dvc repro`, then commit metrics/ and dvc.lock."
        )
    found = segments(_with_intervals(known, root))
    io.write_text(html(found, notes), target)
    return "\n".join([*table(found), "", *notes, f"Page: {target}"])


def _notes(branch: str, shallow: bool) -> list[str]:
    told = [f"The commits of {branch} that changed the result, and those with a tag."]
    if shallow:
        told.append("This clone is shallow, earlier commits are not here: `git fetch --unshallow` brings them. ")
    return told


# ---- from Git --------------------------------------------------------------------------------------------------------


def _branch(root: Path) -> str:
    """Return the main branch, HEAD where none has such a name."""
    if git(root, "rev-parse", "--verify", "--quiet", "HEAD").returncode:
        raise HistoryError("a history is that of commits, but there is none here. Type `git init`, and commit.")
    there = git(root, "for-each-ref", "--format=%(refname)", *BRANCHES).stdout.split()
    return next((name.split("/", 2)[2] for name in BRANCHES if name in there), "HEAD")


def _commits(root: Path, branch: str) -> list[Commit]:
    """Return the commits of the branch that touch a result, and the tagged ones, the oldest first."""
    form = ["--format=%H%x09%ct%x09%cs%x09%D", "--decorate-refs=refs/tags/"]
    touched = git(root, "log", "--first-parent", *form, branch, "--", str(paths.LOCK), str(paths.TEST_METRICS))
    tagged = git(root, "log", "--no-walk=sorted", "--tags", *form)
    found = [_commit(line) for line in reversed(touched.stdout.splitlines())]
    known = {one.sha for one in found}
    for other in [_commit(line) for line in reversed(tagged.stdout.splitlines())]:
        if other.sha not in known and other.tags:
            later = [place for place, one in enumerate(found) if one.time > other.time]
            found.insert(later[0] if later else len(found), other)
    return found


def _commit(line: str) -> Commit:
    sha, time, date, names = line.split("\t")
    tags = tuple(name.removeprefix("tag: ") for name in names.split(", ") if name.startswith("tag: "))
    return Commit(sha, int(time), date, tags)


def recorded(root: Path, commits: Sequence[Commit]) -> Iterator[tuple[Commit, Mapping[Path, str]]]:
    """Yield each commit with the text of its files; what it lacks is left out."""
    asked = [f"{one.sha}:./{path.as_posix()}" for one in commits for path in FILES]
    said = _batch(root, "--batch-check=%(objectname) %(objecttype)", asked).decode().splitlines()
    blobs = [line.split()[0] if line.endswith(" blob") else "" for line in said]
    texts = _texts(_batch(root, "--batch", sorted({blob for blob in blobs if blob})))
    for place, one in enumerate(commits):
        mine = blobs[place * len(FILES) : (place + 1) * len(FILES)]
        yield one, {path: texts[blob] for path, blob in zip(FILES, mine, strict=True) if blob}


def _batch(root: Path, how: str, asked: Iterable[str]) -> bytes:
    return subprocess.run(
        ["git", "cat-file", how], cwd=root, env=without("GIT_"), check=False, capture_output=True,
        input="".join(f"{one}\n" for one in asked).encode(),
    ).stdout  # fmt: skip


def _texts(packed: bytes) -> dict[str, str]:
    """Return {blob: its text} of what `git cat-file --batch` says."""
    found, place = {}, 0
    while place < len(packed):
        end = packed.index(b"\n", place)
        blob, _, size = packed[place:end].decode().split()
        found[blob] = packed[end + 1 : end + 1 + int(size)].decode("utf-8", errors="replace")
        place = end + int(size) + 2
    return found


# ---- what a commit says ----------------------------------------------------------------------------------------------


def points(commits: Iterable[tuple[Commit, Mapping[Path, str]]]) -> list[Point]:
    """Return a point for each commit whose result is another than before, and for each that is tagged."""
    found: list[Point] = []
    last: tuple[Any, ...] | None = None
    for commit, texts in commits:
        point = _point(commit, texts)
        if point is not None and (commit.tags or (*point.comparable, *point.outcome) != last):
            found.append(point)
            last = (*point.comparable, *point.outcome)
    return found


def _point(commit: Commit, texts: Mapping[Path, str]) -> Point | None:
    """Return what a commit says, None where it has no metrics; dvc.lock is long, and three lines of it are asked."""
    tested, told = (_object(texts.get(path, "")) for path in (paths.TEST_METRICS, paths.DECISION))
    if not tested:
        return None
    params, lock = texts.get(paths.PARAMS, ""), texts.get(paths.LOCK, "")
    metric = str(told.get("primary") or _key(params, "problem", "primary") or next(iter(tested)))
    value = tested.get(metric)
    return Point(
        commit=commit,
        problem=_key(params, "problem", "name") or "?",
        model=str(told.get("model") or _key(params, "model", "name") or "?"),
        metric=metric,
        value=float(value) if isinstance(value, (int, float)) else None,
        verdict=str(told.get("verdict", "")),
        rows=_md5(lock, paths.TEST),
        outcome=(texts[paths.TEST_METRICS], texts.get(paths.DECISION, ""), _md5(lock, paths.PREDICTIONS)),
        intervals=_md5(lock, paths.INTERVALS),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:  # merged by hand, or not there
        return {}
    return found if isinstance(found, dict) else {}


def _key(params: str, section: str, key: str) -> str:
    """Return a word of a section of params.yaml, which OmegaConf writes in one way: 200 of them are parsed slowly."""
    block = re.search(rf"^{section}:\n((?:[ ].*\n?)*)", params, re.MULTILINE)
    lines = (re.search(rf"^{indent}{key}: (.+)$", block[1], re.MULTILINE) for indent in ("  ", "    ")) if block else ()
    return next((line[1].strip("'\"") for line in lines if line), "")


def _md5(lock: str, path: Path) -> str:
    """Return the MD5 of an output in dvc.lock."""
    found = re.search(rf"path: {re.escape(path.as_posix())}\n\s+hash: md5\n\s+md5: (\w+)", lock)
    return found[1] if found else ""


def _with_intervals(known: Sequence[Point], root: Path) -> list[Point]:
    """Return the points with the intervals that are in DVC's cache."""
    cache = cache_of(root) if any(point.intervals for point in known) else root
    return [_with_interval(point, cache) if point.intervals else point for point in known]


def _with_interval(point: Point, cache: Path) -> Point:
    file = cached(cache, point.intervals)
    try:
        told = io.read_json(file)["metrics"][point.metric] if file.is_file() else {}
    except (UnreadableError, KeyError, TypeError):
        told = {}
    return replace(point, low=told.get("low"), high=told.get("high"))


def segments(known: Iterable[Point]) -> list[list[Point]]:
    """Return the points in runs that may be compared: one problem, one metric, the same test rows."""
    return [list(group) for _, group in groupby(known, key=lambda point: point.comparable)]


# ---- on a terminal ---------------------------------------------------------------------------------------------------


def table(found: Sequence[Sequence[Point]]) -> list[str]:
    """Return the lines: above each segment its problem and metric, then a line a commit."""
    wide = _widths([_cells(point) for segment in found for point in segment])
    lines = []
    for place, segment in enumerate(found):
        lines += ["", f"{heading(found, place)}"] if place else [heading(found, place)]
        lines += [_line(_cells(point), wide) for point in segment]
    return lines


def heading(found: Sequence[Sequence[Point]], place: int) -> str:
    """Return what a segment is of, and why it is another than the one before."""
    first = found[place][0]
    metric = METRICS.get(first.metric)
    arrow = "" if metric is None else f", {'higher' if metric.greater_is_better else 'lower'} is better"
    before = found[place - 1][0] if place else None
    same = before is not None and (before.problem, before.metric) == (first.problem, first.metric)
    return f"{first.problem}: {first.metric}{arrow}{' (other test rows from here on)' if same else ''}"


def _cells(point: Point) -> list[str]:
    interval = "" if point.low is None or point.high is None else f"{number(point.low)} to {number(point.high)}"
    word = WORDS.get(point.verdict, point.verdict)
    tags = ",".join(point.commit.tags)
    return [point.commit.date, point.commit.sha[:7], tags, point.model, number(point.value), interval, word]


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column; tags, then models, are cut where all would be wider than a terminal."""
    wide = [max(len(line[column]) for line in cells) for column in range(7)]
    for column in (2, 3):
        over = sum(wide) + 2 * sum(width > 0 for width in wide) - 2 - WIDTH
        wide[column] = max(wide[column] - max(over, 0), min(wide[column], SHORTEST))
    return wide


def _line(cells: Sequence[str], wide: Sequence[int]) -> str:
    shown = [cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(cells, wide, strict=True)]
    padded = [f"{one:>{wide[4]}}" if column == 4 else f"{one:<{wide[column]}}" for column, one in enumerate(shown)]
    return "  ".join(one for one, width in zip(padded, wide, strict=True) if width).rstrip()
