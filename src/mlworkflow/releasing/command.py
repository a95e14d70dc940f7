"""`mlworkflow release` and `mlworkflow rollback`: annotated tags, made by GTO, never pushed by themselves."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mlworkflow.core import paths
from mlworkflow.core.errors import ProjectError, first_line, listed
from mlworkflow.core.params import read_params
from mlworkflow.core.processes import DVC, git, shown, without
from mlworkflow.releasing import ready, tags
from mlworkflow.releasing.bundles import fetch, recorded
from mlworkflow.releasing.ready import Reason
from mlworkflow.releasing.tags import BACK, BECAUSE, FORTH, Release, ReleaseError
from mlworkflow.reviewing.files import Files
from mlworkflow.reviewing.revisions import Revision

tell = partial(print, flush=True)
FIRST, BUMP, NO_STAGE = "v1.0.0", "minor", "none"


class RefusedError(ProjectError):
    """Something must not be released; every reason at once."""

    def __init__(self, what: str, found: Iterable[str], next_step: str) -> None:
        super().__init__(f"{what} is not released:\n{listed(found)}\n{next_step}")


def release(
    stage: str = "prod",
    *,
    bump: str | None = None,
    version: str | None = None,
    because: str | None = None,
    strict: bool = False,
) -> int:
    """Make HEAD a version and put it into a stage (`none`: into none); return the exit code.

    Args:
        stage: its name; a new one is made by being named.
        bump: major, minor or patch: which part of the last version is raised; minor by default.
        version: the version instead, e.g. v2.0.0.
        because: the reason that overrides what may be overridden; recorded.
        strict: it overrides nothing, and is recorded alone: who releases by itself decides nothing by itself.

    Raises:
        RefusedError: HEAD must not be released; nothing was tagged.
        ReleaseError: there is no commit, or DVC could not push the bundle; nothing was tagged.
    """
    root = Path.cwd()
    head, because = ready.head_of(root), _one_line(because)
    problem = str(read_params()["problem"]["name"])
    name, there = tags.name_of(problem), tags.read(root, problem)
    had = next((one for one in reversed(tags.versions(there, name)) if one.commit == head), None)
    against = [*_asked(there, name, stage, had, bump, version), *ready.reasons(root, head)]
    _demand(problem, against, None if strict else because)
    new = had.version if had else _next(tags.versions(there, name), bump, version)
    _push(root)
    record = _record(root, head, problem, new, because, [one.told for one in against])
    made = [] if had else [_register(root, name, new, head, record)]
    if stage != NO_STAGE:
        made.append(_assign(root, name, new, stage, record))
    _announce(root, made)
    return 0


def rollback(
    stage: str = "prod", *, to: str | None = None, because: str | None = None, problem: str | None = None
) -> int:
    """Put a stage back to the version that served before, or to another one, older or newer; return the exit code.

    Raises:
        ReleaseError: no reason, no version before, no such version, or its bundle is not to be had; nothing was tagged.
    """
    root, because = Path.cwd(), _one_line(because)
    now = tags.current(stage, problem)
    target = _before(now, root) if to is None else tags.named(to, now.problem)
    if target.version == now.version:
        raise ReleaseError(f"{stage} is at {now.version} already", "`mlworkflow releases` shows its history.")
    if because is None:
        asked = ["mlworkflow", "rollback", *([] if stage == "prod" else ["--stage", stage])]
        line = shlex.join([*asked, *(["--to", to] if to else []), "--because"])
        raise ReleaseError(
            f"a rollback of {stage} from {now.version} to {target.version} needs a reason", f'Type `{line} "REASON"`.'
        )
    fetch(target, say=tell)
    forth = tags.newer(target.version, now.version)
    first = f"{now.problem}: {stage} {'forward' if forth else 'back'} from {now.version} to {target.version}"
    record = f"{first}\n\n{FORTH if forth else BACK}: {now.version}\n{BECAUSE}: {because}\n"
    _announce(root, [_assign(root, now.problem, target.version, stage, record)])
    return 0


def _one_line(reason: str | None) -> str | None:
    """Return a reason on one line, None for one that says nothing."""
    return " ".join((reason or "").split()) or None


# ---- what may be done ------------------------------------------------------------------------------------------------


def _asked(
    there: Sequence[tags.Tag], name: str, stage: str, had: Release | None, bump: str | None, version: str | None
) -> list[Reason]:
    """Return what is wrong with what was asked for."""
    found = [] if re.fullmatch(tags.NAME, stage) else [f"a stage is letters, digits, - and _, but not {stage!r}"]
    known = [one.version for one in tags.versions(there, name)]
    if version is not None and not re.fullmatch(tags.VERSION, _with_v(version)):
        found.append(f"a version is three numbers such as v1.2.0, but not {version!r}")
    elif version is not None and had is None and _with_v(version) in known:
        found.append(f"{_with_v(version)} is another commit already; the newest is {known[-1]}")
    if had and (bump or (version is not None and _with_v(version) != had.version)):
        found.append(f"HEAD is {had.version} already, and a commit is one version: leave --bump and --as away")
    at = tags.assignments(there, name, stage)
    if had and (stage == NO_STAGE or (at and at[-1].version == had.version)):
        found.append(f"HEAD is {had.version} already" + ("" if stage == NO_STAGE else f", and {stage} is at it"))
    return [Reason(one) for one in found]


def _demand(problem: str, against: Sequence[Reason], because: str | None) -> None:
    """Demand that no reason is left. Raises RefusedError with all of them."""
    if not against or (because and not any(one.final for one in against)):
        return
    final = [one for one in against if one.final]
    if not final:
        step = 'To release it all the same, with the reason on record, type `mlworkflow release --because "REASON"`.'
    elif len(final) < len(against):
        step = "Nothing was tagged. Mend these; only what is marked (*) can be overridden by --because."
    else:
        step = "Nothing was tagged. Mend these; no reason overrides them."
    mark = " (*)" if final and len(final) < len(against) else ""
    raise RefusedError(problem, [one.told + ("" if one.final else mark) for one in against], step)


def _with_v(version: str) -> str:
    return f"v{version.removeprefix('v')}"


def _next(known: Sequence[Release], bump: str | None, version: str | None) -> str:
    """Return the version to make: the one asked for, else the greatest with a part raised."""
    if version is not None:
        return _with_v(version)
    if not known:
        return FIRST
    major, minor, patch = max(tags.numbers(one.version) for one in known)
    raised = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}
    return "v" + ".".join(str(part) for part in raised[bump or BUMP])


def _before(now: Release, root: Path) -> Release:
    """Return the version that served a stage before the present one."""
    stage = str(now.stage)
    served = tags.served(tags.assignments(tags.read(root, now.problem), now.problem, stage))
    if len(served) < 2:
        raise ReleaseError(
            f"{now.version} is the first version in {stage}, so there is none to go back to",
            "Name one of `mlworkflow releases` with --to.",
        )
    return served[-2]


# ---- what is done ----------------------------------------------------------------------------------------------------


def _push(root: Path) -> None:
    """Push the bundle to DVC's default remote, where there is one: other clones take it from there."""
    from dvc.config import Config

    if not Config(str(root / ".dvc"))["core"].get("remote"):
        tell("(no DVC remote: other clones cannot take the bundle; `dvc remote add -d NAME URL`)")
        return
    command = [*DVC, "push", "--quiet", paths.BUNDLE.as_posix()]
    tell(f"$ {shown(command)}")
    done = subprocess.run(command, cwd=root, env=without("GIT_"), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1].removeprefix("ERROR: ")
        raise ReleaseError(f"the bundle could not be pushed: {said}", "Nothing was tagged. Type `mlworkflow doctor`.")


def _record(root: Path, head: str, problem: str, version: str, because: str | None, against: Sequence[str]) -> str:
    """Return the message of the tags: what is released, and what was known of it."""
    told = ready.result_of(root, head)
    metric, value = told["primary"], told["value"]
    lines: dict[str, Any] = {
        "problem": problem,
        "model": told["model"],
        "verdict": told["verdict"],
        "good enough": "yes" if told["good_enough"] else "no",
        str(metric): value,
        "bundle md5": recorded(Files(root, Revision("HEAD", head))),
        "manifest sha256": ready.manifest_sha256(root),
    }
    if because:
        lines[BECAUSE] = because
    over = "".join(f"overridden: {' '.join(one.split())}\n" for one in against)
    body = "".join(f"{key}: {value}\n" for key, value in lines.items())
    return f"{problem} {version}: {told['model']}, {told['verdict']}\n\n{body}{over}"


def _register(root: Path, name: str, version: str, head: str, record: str) -> str:
    from gto import api

    tell(f"$ gto register {name} --version {version}")
    return _made(partial(api.register, root, name, head, version=version, message=record))


def _assign(root: Path, name: str, version: str, stage: str, record: str) -> str:
    from gto import api

    tell(f"$ gto assign {name} --version {version} --stage {stage}")
    return _made(partial(api.assign, root, name, stage, version=version, message=record, force=True))


def _made(event: Callable[[], Any]) -> str:
    """Return the tag that GTO makes. Raises ReleaseError where it makes none."""
    try:
        return str(event().tag)
    except Exception as error:  # GTO's own, those of the library for Git that it takes, and mere slips
        raise ReleaseError(
            f"GTO made no tag: {first_line(error)}", "`git tag` and `gto show` list what there is."
        ) from error


def _announce(root: Path, made: Sequence[str]) -> None:
    """Tell the tags, and the line that gives them to others."""
    tell(f"Tagged: {', '.join(made)}")
    if remotes := git(root, "remote").stdout.split():
        remote = "origin" if "origin" in remotes else remotes[0]
        tell(f"To tell others: git push {remote} {shlex.join(made)}")
