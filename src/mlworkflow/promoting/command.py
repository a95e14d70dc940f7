"""`mlworkflow promote EXPERIMENT`: its choices into conf/, its results into the workspace, all in one commit.

The order is that of least harm: everything is asked and composed in a copy before the first file is written, and what
fails later puts every file back.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from mlworkflow.checking import upkeep
from mlworkflow.config import conf
from mlworkflow.core import io, paths
from mlworkflow.core.params import read_params
from mlworkflow.core.processes import DVC, git, started, stoppable, without
from mlworkflow.promoting import experiments
from mlworkflow.promoting.experiments import Experiment, PromoteError
from mlworkflow.promoting.message import message
from mlworkflow.promoting.plan import Plan, PlanError, differences, plan

tell = partial(print, flush=True)
WRITTEN = (paths.PARAMS, paths.LOCK, upkeep.README)
IDLE = r"didn't change, skipping|To track the changes|^\s+git add|auto staging|core.autostage|`dvc push`|^\s*> "
LEFT = "the files are as they were before"


def promote(word: str, *, commit: bool = False) -> int:
    """Promote the experiment that `word` names; return the exit code.

    Raises:
        PromoteError, PlanError: it cannot be promoted; nothing was changed.
        ProjectError: DVC or Git failed; every file is as it was.
    """
    root = Path.cwd()
    head = _head(root)
    experiment = experiments.find(root, word)
    experiments.demand_same_code(root, experiment, head)
    own = experiments.own_files(root, experiment)
    touched = {*own, *experiments.changed(root, head, experiment.commit), *experiments.made_by_stages(root)}
    experiments.demand_clean(root, experiment, touched | {path.as_posix() for path in WRITTEN})
    wanted = experiments.params_of(root, experiment)
    made = _planned(root, experiment, wanted, own)
    said = message(root, head, experiment.commit, experiment.name, made.lines)
    _announce(experiment, made)
    if later := git(root, "diff", "--name-only", experiment.base, head, "--", "conf").stdout.split():
        tell(f"  (conf/ changed since it started, and what differs goes back to the experiment's: {', '.join(later)})")
    touched |= {path.as_posix() for path in (*WRITTEN, *made.texts)}
    with stoppable(), _put_back_on_failure(root, touched):
        _apply(root, experiment, head, own)
        _write(made, wanted)
        _dvc(root, ["repro"], show=True)
        _readme()
    files = _uncommitted(root, touched)
    if other := git(root, "diff", "--name-only", experiment.commit, "--", "metrics").stdout.split():
        tell(f"These numbers are others than in the experiment, so its code or data were: {', '.join(other)}")
    _show(root, files)
    if commit:
        _commit(root, files, said)
    elif files:
        tell(f"Undo: git stash push -u -- {shlex.join(files)} && dvc checkout")
        tell(f"Keep: git add -A -- {shlex.join(files)} && git commit -m {shlex.quote(said.splitlines()[0])}")
    return 0


def _head(root: Path) -> str:
    head = git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if head.returncode:
        raise PromoteError("an experiment belongs to a commit, but there is none. Type `git init`, and commit.")
    return head.stdout.strip()


def _planned(root: Path, experiment: Experiment, wanted: Mapping[str, Any], own: Sequence[str]) -> Plan:
    """Return the edits, made and composed in a copy of conf/ that has what the experiment changed there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        # what HEAD has: an experiment may have left its conf/ in the workspace
        packed = _git_bytes(root, "archive", "HEAD", "conf", "plugins")
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        for file in own:
            if file.startswith("conf/"):
                _copy(root, experiment.commit, file, folder)
        if (root / "data").is_dir():
            (folder / "data").symlink_to(root / "data")  # a problem's snapshot must be there
        with contextlib.chdir(folder):
            return plan(wanted)


def _copy(root: Path, commit: str, file: str, folder: Path) -> None:
    """Write a file of a commit into another folder; one that the commit lacks is removed there."""
    if git(root, "cat-file", "-e", f"{commit}:./{file}").returncode:
        (folder / file).unlink(missing_ok=True)
    else:
        io.write_bytes(_git_bytes(root, "show", f"{commit}:./{file}"), folder / file)


def _git_bytes(root: Path, *words: str) -> bytes:
    return subprocess.run(
        ["git", *words], cwd=root, env=without("GIT_"), capture_output=True, check=False
    ).stdout  # fmt: skip


def _announce(experiment: Experiment, made: Plan) -> None:
    tell(f"{experiment.name} ({experiment.commit[:7]}) becomes what a plain run means:")
    for line in made.lines or ["conf/ says it already"]:
        tell(f"  {line}")
    for sections in sorted({tuple(sections) for sections in made.others.values()}):
        names = [name for name, theirs in made.others.items() if tuple(theirs) == sections]
        tell(f"  (other problems run with it too: {', '.join(names)}, in {', '.join(sections)})")


# ---- what changes files ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _put_back_on_failure(root: Path, files: set[str]) -> Iterator[None]:
    """Put files back to what they hold now where the block fails or is interrupted."""
    before = {name: (root / name).read_bytes() if (root / name).is_file() else None for name in files}
    try:
        yield
    except BaseException:
        tell(f"It failed; {LEFT}.")
        for name, content in before.items():
            if content is None:
                (root / name).unlink(missing_ok=True)
            else:
                io.write_bytes(content, root / name)
        with contextlib.suppress(Exception):
            _dvc(root, ["checkout"])
        raise


def _apply(root: Path, experiment: Experiment, head: str, own: Sequence[str]) -> None:
    """Bring the experiment's results; of another commit's experiment only what it changed itself."""
    named = [one for one in experiments.experiments(root) if one.name == experiment.name]
    _dvc(root, ["exp", "apply", experiment.name if len(named) == 1 else experiment.commit])
    kept = {*own, *experiments.made_by_stages(root), *(path.as_posix() for path in WRITTEN)} - {
        upkeep.README.as_posix()
    }
    theirs = [name for name in experiments.changed(root, head, experiment.commit) if name not in kept]
    there = git(root, "ls-tree", "-r", "-z", "--name-only", "HEAD", "--", *theirs).stdout.split("\0") if theirs else []
    if there := [name for name in there if name]:  # DVC brings the whole of the other commit
        _git(root, ["restore", "--source=HEAD", "--", *there])
    for name in [name for name in theirs if name not in there]:
        (root / name).unlink(missing_ok=True)


def _write(made: Plan, wanted: Mapping[str, Any]) -> None:
    for path, text in made.texts.items():
        io.write_text(text, path)
    conf.write_params()
    if left := [*differences(read_params(), wanted)]:  # conf/ was edited meanwhile
        raise PlanError([str(change) for change in left])


def _readme() -> None:
    """Write the numbers into the README, where it has a place for them: `mlworkflow check` asks for it."""
    text = io.read_bytes(upkeep.README).decode() if upkeep.README.is_file() else ""
    if upkeep.BEGIN in text and upkeep.with_numbers(text) != text:
        tell("$ mlworkflow readme")
        upkeep.readme()


def _dvc(root: Path, words: Sequence[str], *, show: bool = False) -> None:
    """Run a command of DVC, told as one would type it; `show` what it prints while it runs."""
    tell(f"$ {shlex.join(['dvc', *words])}")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    lines = []
    with started([*DVC, *words], root, without("GIT_") | {"PATH": path}, -1) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if show and line.strip() and not re.search(IDLE, line):
                tell(f"  {line.rstrip()}")
        code = process.wait()
    if code:
        said = "" if show else ":\n" + "".join(lines).strip()
        raise PromoteError(f"`{shlex.join(['dvc', *words])}` ended with exit code {code}; {LEFT}{said}")


def _git(root: Path, words: Sequence[str], told: Sequence[str] | None = None) -> str:
    tell(f"$ {shlex.join(['git', *(told or words)])}")
    done = git(root, *words)
    if done.returncode:
        raise PromoteError(f"`git {words[0]}` ended with exit code {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


# ---- what is shown and committed -------------------------------------------------------------------------------------


def _uncommitted(root: Path, files: set[str]) -> list[str]:
    """Return those of the files that are not as HEAD has them."""
    told = git(root, "status", "--porcelain", "--no-renames", "--untracked-files=all", "-z", "--", *sorted(files))
    prefix = git(root, "rev-parse", "--show-prefix").stdout.strip()
    return [line[3:].removeprefix(prefix) for line in told.stdout.split("\0") if line]


def _show(root: Path, files: Sequence[str]) -> None:
    if not files:
        tell("HEAD has all of it already.")
        return
    tell(_git(root, ["diff", "--stat", "HEAD", "--", *files], ["diff", "--stat", "HEAD"]).rstrip())
    shown = [name for name in files if name.startswith("conf/") or name == paths.PARAMS.as_posix()]
    if shown:
        tell(_git(root, ["diff", "HEAD", "--", *shown]).rstrip())
    known = git(root, "ls-files", "-z", "--", *files).stdout.split("\0")
    for name in [name for name in files if name not in known]:
        tell(f"new: {name}")


def _commit(root: Path, files: Sequence[str], said: str) -> None:
    """Commit these files alone; what else is staged stays so."""
    if not files:
        return
    _git(root, ["add", "-A", "--", *files])
    subject, _, body = said.partition("\n")
    words = ["commit", "-q", "-m", subject, "-m", body.strip(), "--", *files]
    done = _git(root, words, ["commit", "-m", subject, "--", *files])
    tell(done.rstrip() or f"Committed: {subject}")
    tell("Undo: git revert HEAD && dvc checkout")
