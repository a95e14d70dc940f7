"""The queue of experiments, through DVC's own commands: who waits, who runs, who failed, and what a killed worker left.

A map for the next reader:

- `Queue.tasks` is what `dvc queue status` says; DVC says Running for ever of a task whose worker was killed;
- `Queue.done` is what Git has: an experiment is finished when its commit is there, whatever the queue says;
- `Queue.run_of` and `Queue.workers` read the notes that DVC 3.67 (pinned) leaves in .dvc/tmp/exps: process ids, logs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlworkflow.core import io
from mlworkflow.core.errors import ProjectError
from mlworkflow.core.processes import DVC, git, without
from mlworkflow.sweeping.plan import Experiment
from mlworkflow.sweeping.workspace import guarded

NOTES = Path(".dvc/tmp/exps")
TASK = re.compile(r"^[0-9a-f]{7}\s+(\S+)\s.*\s(Queued|Running|Failed|Success)\s*$", re.MULTILINE)
STAGE = re.compile(r"^(?:Running stage '(\w+)'|Stage '(\w+)' )", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """What DVC notes of one task's latest run: its process, its temporary copy of the repository, its log."""

    pid: int | None
    folder: Path
    log: Path

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.pid is not None and _alive(self.pid, "exec-run")

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""

    @property
    def stage(self) -> str:
        """The stage that it is in, or was in last; empty before the first."""
        found = STAGE.findall(self.text)
        return "".join(found[-1]) if found else ""


def _alive(pid: int, word: str) -> bool:
    """Return whether the process runs, and is the one whose command has the word: an id may have been given anew."""
    import psutil  # DVC brings it

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and word in " ".join(process.cmdline())
    return False


class Queue:
    """DVC's queue in the repository `root`; what changes it is printed as one would type it."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self.root, self.say = root, say
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        self.env = without("GIT_") | {"PATH": path}  # a worker is found, and finds python, by PATH

    # ---- what there is

    def tasks(self) -> dict[str, str]:
        """Return {name: Queued, Running, Failed or Success}; of two tasks of one name, the one that may yet change."""
        order = ("Running", "Queued", "Failed", "Success")
        found = TASK.findall(self._dvc("queue", "status"))
        return dict(sorted(found, key=lambda task: -order.index(task[1])))

    def done(self, commit: str) -> dict[str, str]:
        """Return {name: commit} of the finished experiments that started from a commit."""
        base = f"refs/exps/{commit[:2]}/{commit[2:]}/"
        listed = git(self.root, "for-each-ref", "--format=%(objectname) %(refname)", base).stdout.splitlines()
        return {name.removeprefix(base): commit for commit, _, name in (line.partition(" ") for line in listed)}

    def workers(self) -> int:
        """Return how many workers run."""
        notes = [_json(path) for path in (self.root / NOTES / "celery").glob("dvc-exp-worker-*.json")]
        return sum(_alive(int(note["pid"]), "queue-worker") for note in notes if note.get("pid"))

    def run_of(self, name: str) -> Run | None:
        """Return the latest run of a task, None before it has begun."""
        notes = sorted((self.root / NOTES / "run").glob("*/*.run"), key=_time)
        found = [path for path in notes if _json(path).get("name") == name]
        if not found:
            return None
        note = found[-1]
        return Run(_json(note.with_suffix(".json")).get("pid"), Path(_json(note)["root_dir"]), note.with_suffix(".out"))

    # ---- what changes it

    def add(self, experiment: Experiment) -> None:
        """Queue an experiment; whoever wants to stop waits until the workspace is itself again."""
        self._tell(experiment.command)
        with guarded(self.root):
            self._dvc(*experiment.command)

    def start(self, jobs: int) -> None:
        """Start workers, up to `jobs` in all."""
        self._tell(words := ["queue", "start", "--jobs", str(jobs)])
        self._dvc(*words)

    def forget(self, names: Sequence[str]) -> None:
        """Take tasks out of the queue, waiting or ended."""
        if names:
            self._tell(words := ["queue", "remove", *names])
            self._dvc(*words)

    def kill(self, names: Sequence[str]) -> None:
        """End running tasks; one whose process is gone counts as failed then."""
        if names:
            self._tell(words := ["queue", "kill", *names])
            self._dvc(*words)

    def clear(self, name: str) -> None:
        """Take a task that nobody runs any more out of the queue, with the copy of the repository that it left."""
        run = self.run_of(name)
        self.kill([name])
        self.forget([name])
        if run is not None and (self.root / NOTES).resolve() in run.folder.resolve().parents:
            shutil.rmtree(run.folder, ignore_errors=True)

    # ---- through DVC

    def _tell(self, words: Iterable[str]) -> None:
        self.say(f"$ {shown(words)}")

    def _dvc(self, *words: str) -> str:
        """Return what a command of DVC prints; it is never cut off, and an interrupt waits for its end.

        Raises:
            ProjectError: it failed.
        """
        with tempfile.TemporaryFile() as said:  # no pipe: a worker that is started would keep its end open
            process = subprocess.Popen(
                [*DVC, *words], cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, stdout=said,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                process.wait()
            except KeyboardInterrupt:
                process.wait()
                raise
            said.seek(0)
            text = said.read().decode("utf-8", errors="replace")
        if process.returncode:
            raise ProjectError(f"`{shown(words)}` ended with exit code {process.returncode}:\n{text.strip()}")
        return text


def shown(words: Iterable[str]) -> str:
    """Return a command of DVC as one would type it."""
    return shlex.join(["dvc", *words])


def cause(log: str) -> str:
    """Return why a task failed, on one line: what the stage that ran last said, else DVC's own last error."""
    *_, ran = re.split(r"^Running stage '", log, flags=re.MULTILINE)
    stage = ran.partition("'")[0]
    said = [line.strip() for line in ran.partition("ERROR:")[0].splitlines()[1:] if line.strip()[:2] not in ("", "> ")]
    told = [place for place, line in enumerate(said) if line.startswith(f"{stage}: ")]
    if told:
        return " ".join(line.removeprefix("- ") for line in said[told[-1] :])
    if "Traceback (most recent call last):" in said:
        return f"{stage}: {said[-1]}"
    errors = [line.removeprefix("ERROR:").strip() for line in log.splitlines() if line.startswith("ERROR:")]
    return errors[-1] if errors else (said[-1] if said else "its log says nothing")


def _json(path: Path) -> dict[str, Any]:
    """Return a note of DVC, empty where it is gone or being written."""
    with suppress(ProjectError):
        return io.read_json(path)
    return {}


def _time(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
