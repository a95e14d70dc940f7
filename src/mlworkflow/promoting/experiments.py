"""Experiments as Git keeps them (refs/exps/*): found by name or commit, what each changed, what stands in its way."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, listed
from mlworkflow.core.processes import git, without

REF = re.compile(r"(\w+) refs/exps/([0-9a-f]{2})/([0-9a-f]{38,62})/(\S+)")
SEEN = re.compile(r"conf/(?!sweep/).*\.yaml$")  # the fingerprint of a file that Git does not know helps no clone
SHORTEST, MOST = 4, 8  # digits of a commit, names in an error
PIPELINE = ("dvc.yaml", "requirements.lock")


class PromoteError(ProjectError):
    """The experiment cannot be promoted; nothing was changed."""


@dataclass(frozen=True)
class Experiment:
    """A finished experiment: its name, its commit, the commit that it started from."""

    name: str
    commit: str
    base: str


def experiments(root: Path) -> list[Experiment]:
    """Return the finished experiments, the newest first."""
    told = git(root, "for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", "refs/exps/")
    found = (REF.fullmatch(line) for line in told.stdout.splitlines())
    return [Experiment(one[4], one[1], one[2] + one[3]) for one in found if one]


def find(root: Path, word: str) -> Experiment:
    """Return the experiment of a name, a commit, or a prefix of one of them that no other has.

    Raises:
        PromoteError: there is none, it failed, or there are several.
    """
    if not word.strip():
        raise PromoteError("an experiment is promoted by its name, but the name is empty. Type `dvc exp show`.")
    known = experiments(root)
    ways = (
        [one for one in known if one.name == word],
        [one for one in known if len(word) >= SHORTEST and one.commit.startswith(word.lower())],
        [one for one in known if one.name.startswith(word)],
    )
    found = next((way for way in ways if way), [])
    if len(found) > 1:  # of one name, that of the commit at hand
        here = git(root, "rev-parse", "HEAD").stdout.strip()
        same = len({one.name for one in found}) == 1
        found = [one for one in found if one.base == here] if same and any(one.base == here for one in found) else found
    if len(found) == 1:
        return found[0]
    if found:
        lines = listed(f"{one.name} ({one.commit[:10]}, of {one.base[:7]})" for one in found[:MOST])
        raise PromoteError(f"one experiment is promoted, but {word!r} are {len(found)}:\n{lines}\nName its commit.")
    raise PromoteError(_absent(root, word, known))


def _absent(root: Path, word: str, known: list[Experiment]) -> str:
    """Return why there is no experiment of this name: it failed, it waits, or it never was."""
    from mlworkflow.sweeping.queue import Queue, cause

    names = [one.name for one in known]
    close = get_close_matches(word, names, n=3, cutoff=0.5)
    shown = [*close, *(name for name in names if name not in close)][:MOST]
    lines = f"The nearest and the newest are:\n{listed(shown)}\n" if shown else "There is none yet. "
    if (root / ".dvc/tmp/exps").is_dir():
        queue = Queue(root, lambda _: None)
        status = queue.tasks().get(word)
        if status in ("Queued", "Running"):
            return f"an experiment is promoted when it is finished, but {word} is {status.lower()}. Wait for its end."
        if status == "Failed":
            run = queue.run_of(word)
            why = cause(run.text) if run is not None and run.text else f"`dvc queue logs {word}` tells why."
            return f"an experiment is promoted when it is finished, but {word} failed: {why}"
    return f"there is no experiment {word!r}. {lines}`dvc exp list -A` shows all, `dvc exp run` makes one."


# ---- what it changed -------------------------------------------------------------------------------------------------


def params_of(root: Path, experiment: Experiment) -> dict[str, Any]:
    """Return the experiment's params.yaml.

    Raises:
        PromoteError: it has none, or one that is no configuration of this project.
    """
    import yaml

    from mlworkflow.config.mistakes import validate

    shown = git(root, "show", f"{experiment.commit}:./{paths.PARAMS}")
    try:
        params = yaml.load(shown.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        params = None
        shown.stderr = " ".join(str(error).split())
    if shown.returncode or not isinstance(params, dict):
        raise PromoteError(f"an experiment must have a params.yaml, but {experiment.name}: {shown.stderr.strip()}")
    if found := validate(params):
        raise PromoteError(
            f"conf/ must compose to the experiment's params.yaml, but that of {experiment.name} is no configuration:\n"
            f"{listed(found)}\nRun it anew: `dvc exp run -S ...`."
        )
    return params


def changed(root: Path, old: str, new: str, *where: str) -> list[str]:
    """Return the files that differ between two commits."""
    told = git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", old, new, "--", *(where or ["."]))
    return [name for name in told.stdout.split("\0") if name]


def own_files(root: Path, experiment: Experiment) -> list[str]:
    """Return the files that the experiment changed: results, choices, and what the workspace had been edited to."""
    return changed(root, experiment.base, experiment.commit)


def code(root: Path) -> list[str]:
    """Return what the stages read that is neither configuration nor made by a stage."""
    stages = io.read_yaml(root / paths.PIPELINE)["stages"].values()
    made = {_path(out) for stage in stages for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])}
    deps = {dep for stage in stages for dep in stage.get("deps", []) if "${" not in dep}
    return sorted({dep for dep in deps if dep not in made and dep != paths.CONF.name} | {*PIPELINE, "data/source"})


def made_by_stages(root: Path) -> list[str]:
    """Return the outputs of stages that Git keeps."""
    stages = io.read_yaml(root / paths.PIPELINE)["stages"].values()
    outs = [out for stage in stages for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    return [_path(out) for out in outs if isinstance(out, dict) and not next(iter(out.values())).get("cache", True)]


def _path(out: Any) -> str:
    return str(next(iter(out)) if isinstance(out, dict) else out)


# ---- what stands in the way ------------------------------------------------------------------------------------------


def demand_same_code(root: Path, experiment: Experiment, head: str) -> None:
    """Demand that an experiment of another commit ran with today's code: what it found would else not hold here.

    Raises:
        PromoteError: names the files, and both ways on.
    """
    if experiment.base == head:
        return
    found = changed(root, head, experiment.commit, *code(root))
    if found:
        more = [f"and {len(found) - MOST} more"] if len(found) > MOST else []
        raise PromoteError(
            f"an experiment is promoted where its code is that of HEAD, but {experiment.name} started from "
            f"{experiment.base[:7]} with another:\n{listed([*found[:MOST], *more])}\n"
            "Applying it would bring its code too. Run it again here (`dvc exp run` with its -S), or promote it with "
            f"its code on a branch of its own: `git switch -c promoted {experiment.base[:7]}`, then this command."
        )


def demand_clean(root: Path, experiment: Experiment, writes: Iterable[str]) -> None:
    """Demand that nothing is lost: `dvc exp apply` puts every tracked file to what it is in the experiment.

    What `dvc exp run` left in the workspace is no loss: this experiment has it, or the results of another one.

    Raises:
        PromoteError: uncommitted changes that are in no experiment.
    """
    tracked = git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD").stdout.split("\0")
    others = git(root, "ls-files", "--others", "--exclude-standard", "-z").stdout.split("\0")
    meant = {*writes, *(name for name in others if SEEN.match(name))}
    dirty = [name for name in tracked if name] + [name for name in others if name in meant]
    kept = _kept(root, experiment, dirty)
    if lost := [name for name in dirty if name not in kept]:
        raise PromoteError(
            "promoting writes tracked files and a fingerprint of conf/, but these have changes that no commit has:\n"
            f"{listed(lost)}\nNothing was changed. Type `git commit` or `git stash`, then again."
        )


def _kept(root: Path, experiment: Experiment, names: list[str]) -> set[str]:
    """Return the files whose content the experiment has, or another one as its result."""
    there = [name for name in names if (root / name).is_file()]
    hashes = git(root, "hash-object", "--", *there).stdout.split() if there else []
    results = {*made_by_stages(root), paths.PARAMS.as_posix(), paths.LOCK.as_posix()}
    asked = [(one.commit, name) for one in experiments(root) for name in there if one == experiment or name in results]
    told = subprocess.run(
        ["git", "cat-file", "--batch-check=%(objectname)"], cwd=root, env=without("GIT_"), text=True, check=False,
        input="".join(f"{commit}:./{name}\n" for commit, name in asked), capture_output=True,
    ).stdout.splitlines()  # fmt: skip
    now = dict(zip(there, hashes, strict=False))
    return {name for (_, name), blob in zip(asked, told, strict=False) if now.get(name) == blob}
