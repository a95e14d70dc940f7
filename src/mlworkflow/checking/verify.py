"""Everything again from nothing: clone a revision, run it with an empty cache, compare every output with dvc.lock.

A map for the next reader: `recorded` knows what the outputs were, `variations` what is changed around a run, `clones`
makes one and runs it, `processes` ends whatever was started, `differences` says where two contents part.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mlworkflow.checking.clones import Clone, make_clone, repro
from mlworkflow.checking.differences import shorten
from mlworkflow.checking.recorded import Recorded, changed, stages_of
from mlworkflow.checking.variations import Variation, chosen
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError
from mlworkflow.core.processes import git, stoppable

IDENTICAL, DIFFERS, FAILED = 0, 1, 2
WIDTH = 80
Say = Callable[[str], None]


@dataclass
class Outcome:
    """What one run of the pipeline showed: the outputs that differ, or why it could not run."""

    name: str
    outputs: int = 0
    differing: list[str] = field(default_factory=list)
    failure: str | None = None
    skipped: str | None = None

    @property
    def code(self) -> int:
        """The exit code that this outcome asks for."""
        if self.failure is not None:
            return FAILED
        return DIFFERS if self.differing else IDENTICAL

    @property
    def words(self) -> str:
        """The outcome in a few words."""
        if self.skipped:
            return f"skipped: {self.skipped}"
        if self.failure is not None:
            return f"could not run: {self.failure}"
        if self.differing:
            return f"{len(self.differing)} of {self.outputs} differ: {', '.join(self.differing)}"
        return f"identical, {self.outputs} output{'s' if self.outputs != 1 else ''}"


def verify(
    revision: str = "HEAD", vary: bool | Sequence[str] = False, *, root: Path | None = None, say: Say | None = None
) -> int:
    """Run `revision` again from nothing and compare every output with its dvc.lock; return the exit code.

    Args:
        revision: any name of a commit.
        vary: also under each variation; or the names of those to try alone, `together` for all of them in one run.
        root: the repository; the current folder by default.
        say: where lines of progress go; printed by default.

    Returns:
        0 identical, 1 an output differs, 2 the pipeline could not be run.

    Raises:
        RevisionError: no such commit, or it has no dvc.lock.
        ProjectError: a variation of no known name.
    """
    tell = say or partial(print, flush=True)
    original = Recorded((root or Path.cwd()).resolve(), revision)
    wanted, outcomes = chosen(vary), []
    _note_workspace(original, revision, tell)
    with stoppable():
        for variation in wanted:
            outcomes.append(attempt(original, variation, tell))
            tell(f"{variation.name}: {outcomes[-1].words}")
    if len(outcomes) > 1:
        tell("\n" + table_of(outcomes))
    return max(outcome.code for outcome in outcomes)


def table_of(outcomes: Sequence[Outcome]) -> str:
    """Return variation and result as a table of at most 80 columns."""
    lines = [("variation", "result"), *((outcome.name, outcome.words) for outcome in outcomes)]
    wide = max(len(name) for name, _ in lines)
    return "\n".join(shorten(f"{name:<{wide}}  {words}", WIDTH) for name, words in lines)


def _note_workspace(original: Recorded, revision: str, say: Say) -> None:
    count = len(git(original.root, "status", "--porcelain").stdout.splitlines())
    if count:
        files = "1 uncommitted change" if count == 1 else f"{count} uncommitted changes"
        say(f"verify looks at the commit {original.commit[:10]} ({revision}), not at the workspace: {files} left out.")


def attempt(original: Recorded, variation: Variation, say: Say) -> Outcome:
    """Clone, run and compare once, in a temporary folder that is removed after."""
    outcome = Outcome(variation.name, len(original.outputs), skipped=variation.needs)
    if outcome.skipped:
        return outcome
    say(f"\n{variation.name}: a clone of {original.commit[:10]} with an empty cache")
    with tempfile.TemporaryDirectory(prefix="verify-", ignore_cleanup_errors=True) as folder:
        try:
            clone = make_clone(original, Path(folder).resolve(), variation, say)
            run_stages(original, clone, outcome, say)
        except ProjectError as error:
            outcome.failure = str(error).splitlines()[0]
            say(str(error))
    return outcome


def run_stages(original: Recorded, clone: Clone, outcome: Outcome, say: Say) -> None:
    """Run the pipeline in the clone and compare each stage when it has finished.

    Raises:
        ProjectError: a stage failed.
    """
    say("$ " + " ".join([*clone.variation.prefix, "dvc repro"]))
    waiting, wide = dict(original.stages), max(map(len, original.stages))
    with closing(repro(clone)) as stages:
        for name, seconds in stages:
            found = compare_stage(original, clone.folder, name, waiting.pop(name, None), outcome)
            say(f"  {name:<{wide}} {seconds:7.1f} s  {'identical' if not found else 'differs'}")
            for line in found:
                say(f"    {line}")
    frozen = _frozen(clone.folder)
    for name, stage in waiting.items():
        if name not in frozen:
            outcome.differing += [out["path"] for out in stage.get("outs", [])]
        told = "frozen: it was not run" if name in frozen else "differs: it is in dvc.lock, but was not run"
        say(f"  {name:<{wide}}            {told}")


def _frozen(clone: Path) -> set[str]:
    stages = (io.read_yaml(clone / paths.PIPELINE) or {}).get("stages", {})
    return {name for name, stage in stages.items() if stage.get("frozen")}


def compare_stage(
    original: Recorded, clone: Path, name: str, before: dict[str, Any] | None, outcome: Outcome
) -> list[str]:
    """Return a line for each way in which a stage's new entry in dvc.lock is not the recorded one; note the outputs."""
    after = stages_of(io.read_yaml(clone / paths.LOCK)).get(name, {}) if (clone / paths.LOCK).exists() else {}
    if before is None:
        outcome.differing.append(name)
        return ["dvc.lock does not know this stage: type `dvc repro`, and commit dvc.lock"]
    differing = changed(before.get("outs", []), after.get("outs", []))
    outcome.differing += differing
    lines = [f"{path}: {original.where(clone, path, *hashes)}" for path, hashes in differing.items()]
    if stale := _stale(original, before, after):
        outcome.differing += [] if lines else [f"dvc.lock of {name}"]
        lines.append(f"dvc.lock was not written by this commit's {', '.join(stale)}")
    return lines


def _stale(original: Recorded, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the inputs that are others than those recorded, but for outputs of other stages: these are told there."""
    inputs = changed(before.get("deps", []), after.get("deps", []))
    found = [path for path in inputs if path not in original.outputs]
    found += ["parameters"] if before.get("params") != after.get("params") else []
    return found + (["command"] if before.get("cmd") != after.get("cmd") else [])
