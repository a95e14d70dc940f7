"""Where retraining happens: a clone of the repository beside it, so that nobody's workspace is touched.

It shares DVC's cache with the repository, so that what was computed there is found here, and the other way round.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.core.alone import alone as one_at_a_time
from mlworkflow.core.errors import ProjectError
from mlworkflow.core.processes import DVC, git, shown, started, without

FOLDER = Path(".mlworkflow/retrain")
CLONE, RUNNING = "clone", "running"


class RetrainError(ProjectError):
    """Nothing can be retrained, or a step of it failed."""


@dataclass(frozen=True)
class Place:
    """A clone in which commands are typed.

    Attributes:
        folder: that holds its dvc.yaml.
        home: the repository's own root.
        env: of the commands.
        say: takes each command as it is typed.
    """

    folder: Path
    home: Path
    env: Mapping[str, str]
    say: Callable[[str], None]

    def type(self, *words: str) -> str:
        """Return what a command prints. Raises RetrainError where it fails."""
        command = [*DVC, *words[1:]] if words[0] == "dvc" else [*words]
        if words[0] == "mlworkflow":
            command = [sys.executable, "-m", "mlworkflow.cli", *words[1:]]
        self.say(f"$ {shlex.join(words)}")
        running = self.home / FOLDER / RUNNING
        with started(command, self.folder, self.env, -1) as process:
            io.write_text(f"{process.pid} {_begun(process.pid)}", running)
            assert process.stdout is not None
            text, code = process.stdout.read(), process.wait()
        running.unlink(missing_ok=True)
        if code:
            told = "\n".join(text.strip().splitlines()[-15:])
            raise RetrainError(f"`{shown(words)}` in {self.folder} ended with exit code {code}:\n{told}")
        return text

    def git(self, *words: str) -> str:
        """Return what a command of Git prints, without showing it. Raises RetrainError where it fails."""
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=dict(self.env), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RetrainError(f"`git {shlex.join(words)}` in {self.folder} says: {done.stderr.strip()}")
        return done.stdout.strip()

    def first_since(self, commit: str) -> str | None:
        """Return the first commit that was made here on top of one of the repository, None where none was."""
        return next(iter(self.git("rev-list", "--reverse", "--first-parent", f"{commit}..HEAD").splitlines()), None)

    def experiments(self) -> dict[str, str]:
        """Return {name: commit} of the experiments that were made on its HEAD."""
        head = self.git("rev-parse", "HEAD")
        told = self.git("for-each-ref", "--format=%(refname) %(objectname)", f"refs/exps/{head[:2]}/{head[2:]}")
        pairs = (line.split() for line in told.splitlines())
        return {name.rpartition("/")[2]: commit for name, commit in pairs}


@contextmanager
def alone() -> Iterator[None]:
    """Let one retraining at a time run in a repository. Raises RetrainError where another runs."""
    io.write_text("*\n", FOLDER / ".gitignore")
    words = "one retraining runs in a repository at a time, and another runs here. Wait for its end."
    with one_at_a_time(FOLDER / "lock", RetrainError(words)):
        _end_what_was_left()
        yield


def _end_what_was_left() -> None:
    """End the command of a retraining that was killed: it would write where this one works."""
    import psutil

    running = FOLDER / RUNNING
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        pid, begun = running.read_text(encoding="utf-8").split()
        if _begun(int(pid)) == begun:  # no other process, or machine, that has its number
            os.killpg(int(pid), signal.SIGKILL)
            psutil.Process(int(pid)).wait(10)
    if running.is_dir():
        shutil.rmtree(running)
    running.unlink(missing_ok=True)


def _begun(pid: int) -> str:
    """Return when a process began, with the name of its machine; empty where it is gone."""
    import psutil

    try:
        return f"{platform.node()}/{psutil.Process(pid).create_time()}"
    except psutil.Error:
        return ""


def place(branch: str, say: Callable[[str], None]) -> Place:
    """Return the clone for a branch at HEAD; one that was begun before is gone on with."""
    root = Path.cwd().resolve()
    top = root / FOLDER / branch.rpartition("/")[2] / CLONE
    prefix = git(root, "rev-parse", "--show-prefix").stdout.strip()
    home = git(root, "rev-parse", "--show-toplevel").stdout.strip()
    found = Place(top / prefix, root, _environment(top / prefix, top), say)
    if top.is_dir() and not _is_whole(found, top):
        shutil.rmtree(top)  # Git would take the repository around it for its own
    if not top.is_dir():
        _clone(found, top, Path(home), branch)
    for left in (top / ".git").rglob("*.lock"):  # of a command of Git that was killed: nothing else runs here
        left.unlink(missing_ok=True)
    return found


def _is_whole(made: Place, top: Path) -> bool:
    """Return whether a folder still is a repository with a commit."""
    try:
        return Path(made.git("rev-parse", "--show-toplevel")).samefile(top) and bool(made.git("rev-parse", "HEAD"))
    except (RetrainError, OSError):
        return False


def _clone(made: Place, top: Path, home: Path, branch: str) -> None:
    half = top.with_name(f"{CLONE}.half")
    shutil.rmtree(half, ignore_errors=True)  # what a killed run left of it
    half.parent.mkdir(parents=True, exist_ok=True)
    outside = Place(half.parent, made.home, made.env, made.say)
    outside.type("git", "clone", "--quiet", str(home), half.name)
    inside = Place(half / made.folder.relative_to(top), made.home, made.env, made.say)
    io.write_text(_local_config(made.home), inside.folder / ".dvc/config.local")
    for name in ("user.name", "user.email"):
        said = os.environ.get(f"GIT_COMMITTER_{name.rpartition('.')[2].upper()}")
        if value := said or git(made.home, "config", name).stdout.strip():
            inside.git("config", name, value)
    inside.git("checkout", "--quiet", "-B", branch, git(made.home, "rev-parse", "HEAD").stdout.strip())
    half.rename(top)


def _local_config(root: Path) -> str:
    """Return what DVC must know in the clone: what this machine alone knows, and where a relative remote really is."""
    from configobj import ConfigObj

    from mlworkflow.reviewing.files import Files
    from mlworkflow.reviewing.revisions import WORKSPACE, revision

    there = ConfigObj(str(root / ".dvc/config.local"))
    told = ConfigObj()
    told.merge(there)
    for name, section in [*ConfigObj(str(root / ".dvc/config")).items(), *there.items()]:
        url = str(section.get("url", "")) if name.startswith("remote ") else ""
        if url and "://" not in url and not os.path.isabs(url):
            told[name] = {**told.get(name, {}), "url": str((root / ".dvc" / url).resolve())}
    told["cache"] = {**told.get("cache", {}), "dir": str(Files(root, revision(root, WORKSPACE)).cache)}
    return "\n".join(told.write()) + "\n"


def _environment(folder: Path, top: Path) -> dict[str, str]:
    env = without("GIT_", "DVC_")
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    inside = {"PYTHONPATH": str(folder / "src"), "DVC_NO_ANALYTICS": "1"}
    return {**env, **inside, "GIT_CEILING_DIRECTORIES": str(top.parent)}  # it never is the repository around
