"""The tags of releases, read by Git alone, in milliseconds: `NAME@v1.2.0` is a version, `NAME#prod#3` its stage.

The names are GTO's (https://github.com/iterative/gto), so that `gto show` and `gto history` read them too. GTO counts
the assignments of an artifact; their order is that of the count, as clocks of two machines differ. Lightweight tags,
and tags of other names (`v1`), are not ours.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mlworkflow.core.errors import ProjectError, ended, nearest
from mlworkflow.core.processes import without

NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9_/-]*[a-zA-Z0-9])?"
VERSION = r"v(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:[-+][0-9A-Za-z.+-]+)?"
TAG = re.compile(
    rf"(?P<problem>{NAME})(?:@(?P<version>{VERSION})|#(?P<stage>{NAME}))(?P<undone>!?)(?:#(?P<count>\d+))?"
)
FIELDS = (
    "refname:strip=2", "objecttype", "*objecttype", "*objectname", "taggername", "taggerdate:iso-strict", "contents",
)  # fmt: skip
END = "\x00\x01\n"
FORMAT = "%00".join(f"%({field})" for field in FIELDS) + "%00%01"
BECAUSE, BACK, FORTH = "because", "rolled back", "gone forward from"


class ReleaseError(ProjectError):
    """A release is not there, or cannot be made or used."""

    def __init__(self, found: str, next_step: str) -> None:
        super().__init__(f"{ended(found)} {next_step}")


@dataclass(frozen=True)
class Tag:
    """An annotated tag of GTO's naming.

    Attributes:
        name: the whole of it.
        problem: the artifact.
        version: of a version's tag.
        stage: of an assignment's tag.
        undone: whether it takes back what an earlier one said: `NAME@v1.0.0!`, `NAME#prod!#4`.
        count: GTO's count of assignments, 0 without one.
        commit: that it points to.
        who: the tagger.
        when: the tagger's time.
        message: what was recorded.
    """

    name: str
    problem: str
    version: str | None
    stage: str | None
    undone: bool
    count: int
    commit: str
    who: str
    when: datetime
    message: str


@dataclass(frozen=True)
class Release:
    """A version of a problem's model, and the stage that it was asked for by.

    Attributes:
        problem: as the tags name it.
        version: e.g. v1.2.0.
        commit: whose bundle it is.
        tag: of the version.
        stage: that it was put into, None for a version alone.
        assigned: the tag that did.
        who: made that tag (without a stage: the version's).
        when: it was made.
        message: its record.
    """

    problem: str
    version: str
    commit: str
    tag: str
    stage: str | None = None
    assigned: str | None = None
    who: str = ""
    when: datetime = datetime.min
    message: str = ""

    def told(self, key: str) -> str | None:
        """Return what the record says of `key`, None for nothing."""
        found = re.search(rf"^{re.escape(key)}: (.*)$", self.message, re.MULTILINE)
        return found[1] if found else None


def name_of(problem: str) -> str:
    """Return a problem's name as GTO and DVC's artifacts take it: small letters, digits, dashes."""
    return re.sub(r"[^a-z0-9]+", "-", problem.lower()).strip("-") or "model"


def read(root: Path, problem: str | None = None) -> list[Tag]:
    """Return the tags of releases of one problem, or of all, in the order in which they were made.

    Raises:
        ReleaseError: `root` is in no Git repository.
    """
    wanted = [f"refs/tags/{name_of(problem)}{sign}*" for sign in "@#"] if problem else ["refs/tags"]
    command = ["git", "for-each-ref", f"--format={FORMAT}", *wanted]
    told = subprocess.run(
        command, cwd=root, env=without("GIT_"), capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if told.returncode:
        raise ReleaseError(f"releases are tags of Git, but {root.resolve()} is in no repository", "Type `git init`.")
    found = [tag for line in told.stdout.split(END) if (tag := _tag(line)) is not None]
    return sorted(found, key=lambda tag: (tag.count, tag.when, tag.name))


def _tag(line: str) -> Tag | None:
    name, _, rest = line.partition("\0")
    match = TAG.fullmatch(name)
    if match is None:
        return None
    kind, points_to, commit, who, when, message = rest.split("\0", 5)
    if (kind, points_to) != ("tag", "commit") or not when:
        return None
    count = int(match["count"] or 0)
    said = (match["problem"], match["version"], match["stage"], bool(match["undone"]), count)
    return Tag(name, *said, commit, who, datetime.fromisoformat(when), message)


def problems(tags: Iterable[Tag]) -> list[str]:
    """Return the names of all that has a tag."""
    return sorted({tag.problem for tag in tags})


def versions(tags: Iterable[Tag], problem: str) -> list[Release]:
    """Return the versions of a problem, oldest first; one that was taken back is none."""
    found: dict[str, Release] = {}
    own = [tag for tag in tags if tag.problem == problem and tag.version]
    for tag in sorted(own, key=lambda tag: (tag.when, tag.undone, numbers(str(tag.version)))):
        found.pop(str(tag.version), None)
        if not tag.undone:
            release = Release(problem, str(tag.version), tag.commit, tag.name)
            found[release.version] = replace(release, who=tag.who, when=tag.when, message=tag.message)
    return [*found.values()]


def numbers(version: str) -> tuple[int, ...]:
    """Return (major, minor, patch) of a version."""
    return tuple(int(part) for part in re.split(r"[-+]", version.removeprefix("v"))[0].split("."))


def newer(version: str, than: str) -> bool:
    """Return whether a version has the greater numbers."""
    return numbers(version) > numbers(than)


def stages(tags: Iterable[Tag], problem: str) -> list[str]:
    """Return the stages that a problem's versions were put into, by name."""
    return sorted({tag.stage for tag in tags if tag.problem == problem and tag.stage})


def assignments(tags: Iterable[Tag], problem: str, stage: str) -> list[Release]:
    """Return each version that was put into the stage, in order; what was taken back is left out."""
    tags = [*tags]
    known = {release.commit: release for release in versions(tags, problem)}
    found: list[Release] = []
    for tag in tags:
        if (tag.problem, tag.stage) != (problem, stage):
            continue
        if tag.undone:
            found = [one for one in found if one.commit != tag.commit]
        elif version := known.get(tag.commit):
            about = replace(version, who=tag.who, when=tag.when, message=tag.message)
            found.append(replace(about, stage=stage, assigned=tag.name))
    return found


def served(assigned: Iterable[Release]) -> list[Release]:
    """Return the versions that a rollback goes back through, the present one last.

    A version that comes back takes out what came after it; a rollback to an older one takes out what it rolled back. So
    after A, B, a rollback to A, and C, these are A, C: B was given up, and nobody wants it back. To a newer version one
    goes forward, whatever the command was called, and the older one is the way back.
    """
    stack: list[Release] = []
    for one in assigned:
        place = next((place for place, old in enumerate(stack) if old.version == one.version), None)
        if place is not None:
            del stack[place:]
        elif one.told(BACK) and stack and not newer(one.version, stack[-1].version):
            stack.pop()
        stack.append(one)
    return stack


def current(stage: str, problem: str | None = None, root: Path = Path()) -> Release:
    """Return the version that a stage is at; it takes milliseconds, so that a server can ask each second.

    Args:
        stage: its name.
        problem: its name, needed where several problems have that stage.
        root: of the repository.

    Raises:
        ReleaseError: there are no releases, no such stage (the nearest is told), or several problems have it.
    """
    tags = read(root, problem)
    able = {name: found for name in problems(tags) if (found := assignments(tags, name, stage))}
    if len(able) == 1:
        return next(iter(able.values()))[-1]
    if able:
        raise ReleaseError(
            f"several problems have a version in {stage}: {', '.join(able)}", "Name one: --problem NAME."
        )
    raise _absent(stage, problem, tags, root)


def _absent(stage: str, problem: str | None, tags: list[Tag], root: Path) -> ReleaseError:
    """Return why no version is in a stage."""
    if not any(versions(tags, name) for name in problems(tags)):
        others = problems(read(root)) if problem else []
        if others:
            found = f"the problem {problem!r} has no release{nearest(name_of(str(problem)), others)}"
            return ReleaseError(found, f"There are releases of {', '.join(others)}.")
        return ReleaseError("there is no release yet", "Type `mlworkflow release`; in a clone, `git fetch --tags`.")
    known = sorted({one for name in problems(tags) for one in stages(tags, name) if assignments(tags, name, one)})
    there = f"Stages: {', '.join(known)}." if known else "No version is in any stage."
    return ReleaseError(
        f"no version is in the stage {stage!r}{nearest(stage, known)}", f"{there} `mlworkflow release --stage {stage}`."
    )


def named(version: str, problem: str | None = None, root: Path = Path()) -> Release:
    """Return a version by its name, with or without its v.

    Raises:
        ReleaseError: there is none of that name (the nearest is told), or several problems have one.
    """
    tags = read(root, problem)
    found = [one for name in problems(tags) for one in versions(tags, name)]
    wanted = f"v{version.removeprefix('v')}"
    able = [one for one in found if one.version == wanted]
    if len(able) == 1:
        return able[0]
    if able:
        names = ", ".join(one.problem for one in able)
        raise ReleaseError(f"several problems have a version {version}: {names}", "Name one: --problem NAME.")
    known = [one.version for one in found]
    there = f"There are {', '.join(known[-8:])}." if known else "There is none: type `mlworkflow release`."
    raise ReleaseError(f"there is no version {version!r}{nearest(wanted, known)}", there)
