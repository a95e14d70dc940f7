"""May HEAD be released? Every reason against it at once; some can be overridden with a reason that is recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlworkflow.config import conf
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError
from mlworkflow.core.params import read_params
from mlworkflow.core.processes import git
from mlworkflow.doctoring.hashing import path_md5
from mlworkflow.doctoring.symptom import some
from mlworkflow.judging.verdict import BETTER
from mlworkflow.promoting.experiments import experiments
from mlworkflow.releasing.bundles import recorded
from mlworkflow.releasing.tags import ReleaseError
from mlworkflow.reviewing import stale
from mlworkflow.reviewing.files import Files
from mlworkflow.reviewing.revisions import Revision
from mlworkflow.serving import folder
from mlworkflow.sweeping.workspace import TAKEN


@dataclass(frozen=True)
class Reason:
    """Why HEAD is not to be released, and whether a person may decide otherwise."""

    told: str
    final: bool = True


def head_of(root: Path) -> str:
    """Return the hash of HEAD. Raises ReleaseError where there is no commit."""
    found = git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if found.returncode:
        raise ReleaseError("a release is a tag of a commit, but there is no commit", "Type `git add -A && git commit`.")
    return found.stdout.strip()


def result_of(root: Path, commit: str) -> dict[str, Any]:
    """Return what a commit says of its model: problem, model, verdict, good_enough, primary, value; None: not said."""
    decision, tested = (_json(root, commit, path) for path in (paths.DECISION, paths.TEST_METRICS))
    told = {key: decision.get(key) for key in ("model", "verdict", "good_enough", "primary")}
    return told | {"value": tested.get(str(told["primary"])), "passed": decision.get("passed", {})}


def _json(root: Path, commit: str, path: Path) -> dict[str, Any]:
    shown = git(root, "show", f"{commit}:./{path.as_posix()}")
    try:
        found = {} if shown.returncode else json.loads(shown.stdout)
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def reasons(root: Path, head: str) -> list[Reason]:
    """Return every reason against a release of HEAD."""
    files = Files(root, Revision("HEAD", head))
    found = [*verdict(result_of(root, head)), *_dirty(root), *nobody(root), *_composed()]
    try:
        return [*found, *_bundle(root, recorded(files)), *_run(root, files)]
    except ReleaseError as error:
        return [*found, Reason(str(error))]


def verdict(told: dict[str, Any]) -> Iterator[Reason]:
    """Yield what a commit's verdict has against its release, as `result_of` tells it."""
    if told["verdict"] is None:
        yield Reason(f"HEAD has no verdict in {paths.DECISION}: type `dvc repro`, and commit")
        return
    if told["verdict"] != BETTER:
        yield Reason(f"the verdict is: {told['verdict']}", final=False)
    if not told["good_enough"]:
        missed = [name for name, passed in told["passed"].items() if not passed]
        yield Reason(f"the model does not keep {some(missed) or 'every rule of the problem'}", final=False)


def _dirty(root: Path) -> Iterator[Reason]:
    if changed := git(root, "diff", "--name-only", "--relative", "HEAD").stdout.splitlines():
        yield Reason(f"not committed: {some(changed)}{_experiment(root, changed)}", final=False)
    if new := git(root, "ls-files", "--others", "--exclude-standard", "--", *TAKEN).stdout.splitlines():
        yield Reason(f"Git does not know {some(new)}", final=False)


def _experiment(root: Path, changed: list[str]) -> str:
    """Return what to type where the workspace is that of an experiment, nothing otherwise."""
    if paths.PARAMS.as_posix() not in changed:
        return ""
    here = git(root, "hash-object", "--", paths.PARAMS.as_posix()).stdout
    for one in experiments(root):
        if git(root, "rev-parse", "--verify", "--quiet", f"{one.commit}:./{paths.PARAMS.as_posix()}").stdout == here:
            return f"; this is the experiment {one.name}: `mlworkflow promote {one.name} --commit`"
    return ""


def nobody(root: Path) -> Iterator[Reason]:
    """A tag says who made it, and so does a commit."""
    for key in ("name", "email"):
        if f"GIT_COMMITTER_{key.upper()}" not in os.environ and git(root, "config", f"user.{key}").returncode:
            yield Reason(f"Git does not know your {key}: type `git config user.{key} ...`")


def _composed() -> Iterator[Reason]:
    try:
        conf.check()
    except ProjectError as error:
        yield Reason(" ".join(str(error).split()))


def _bundle(root: Path, digest: str) -> Iterator[Reason]:
    """The bundle is whole, and the one that dvc.lock records."""
    place = root / paths.BUNDLE
    if not place.is_dir():
        yield Reason(f"there is no {paths.BUNDLE}: type `dvc checkout {paths.BUNDLE}`, or `dvc pull`")
        return
    if path_md5(root, paths.BUNDLE.as_posix()) != digest:
        yield Reason(f"{paths.BUNDLE} is not the one of dvc.lock: type `dvc checkout {paths.BUNDLE}`, or `dvc repro`")
    try:
        folder.read(place)
    except ProjectError as error:
        yield Reason(f"{paths.BUNDLE}: {' '.join(str(error).split())}")


def _run(root: Path, files: Files) -> Iterator[Reason]:
    """The results are those of the code, the configuration and the outputs that are here."""
    try:
        told = stale.not_run(root, files.stages) + stale.changed_params(read_params(), files.stages)
    except (ProjectError, OSError, yaml.YAMLError) as error:
        yield Reason(" ".join(str(error).split()))
        return
    if told := [*told, *stale.changed_files(root, files.stages)]:
        yield Reason(f"changed since the last run: {some(told)}; type `dvc repro`, and commit")
    outs = [path for path in files.outputs if path != paths.BUNDLE.as_posix() and path not in told]
    if other := [path for path in outs if (root / path).exists() and _changed(root, path, files.outputs[path])]:
        yield Reason(f"not what dvc.lock records: {some(other)}; type `dvc checkout`, or `dvc repro`")


def _changed(root: Path, path: str, out: dict[str, Any]) -> bool:
    """Return whether an output is another one; its size tells without reading it."""
    place = root / path
    if place.is_file() and "size" in out and place.stat().st_size != out["size"]:
        return True
    return bool(out.get("md5")) and path_md5(root, path) != out["md5"]


def manifest_sha256(root: Path) -> str:
    """Return the SHA-256 of the bundle's manifest, which holds that of each of its files."""
    return io.sha256(root / paths.BUNDLE / folder.MANIFEST)
