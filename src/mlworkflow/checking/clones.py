"""A clone of a commit with an empty cache, and `dvc repro` in it under a variation of its surroundings."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlworkflow.checking.recorded import Recorded
from mlworkflow.checking.variations import Variation
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError
from mlworkflow.core.processes import DVC, git, run, shown, started, without

RUNNING = "Running stage '"
REMOTE = "verify"


@dataclass(frozen=True)
class Clone:
    """Where a pipeline is run: the folder that holds its dvc.yaml, the environment, what is varied."""

    folder: Path
    env: Mapping[str, str]
    variation: Variation


def make_clone(original: Recorded, folder: Path, variation: Variation, say: Callable[[str], None]) -> Clone:
    """Clone the commit into `folder`, without dvc.lock and outputs; fetch what .dvc files track.

    Raises:
        ProjectError: Git or DVC failed.
    """

    def tell(*command: str, folder: Path) -> None:
        say(f"$ {shown(command)}")
        run(command, folder, env, variation.umask)

    top = folder / variation.folder / "clone"
    env = _environment(folder, top, variation)
    top.parent.mkdir(parents=True)
    home = git(original.root, "rev-parse", "--show-toplevel").stdout.rstrip("\n")
    work = top / git(original.root, "rev-parse", "--show-prefix").stdout.rstrip("\n")
    tell("git", "clone", "--quiet", "--no-checkout", home, str(top), folder=top.parent)
    tell("git", "checkout", "--quiet", "--detach", original.commit, folder=top)
    tracked = run(["git", "ls-files", "-z", "*.dvc"], work, env, variation.umask).split("\0")[:-1]
    remote = f"['remote \"{REMOTE}\"']\n    url = {original.cache}\n" if tracked else ""
    io.write_text(f"[cache]\n    dir = cache\n{remote}", work / ".dvc/config.local")
    if tracked:
        tell(*DVC, "pull", "--quiet", "--remote", REMOTE, *tracked, folder=work)
    for path in (paths.LOCK.as_posix(), *original.outputs):
        _remove(work / path)
    return Clone(work, env, variation)


def _environment(folder: Path, clone: Path, variation: Variation) -> dict[str, str]:
    """Return the surroundings of a run: this Python first, the clone's code before any other, nothing of Git or DVC."""
    env = without("GIT_", "DVC_")
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    env["PYTHONPATH"] = str(clone / "src")
    if variation.code:
        io.write_text(variation.code, folder / "first/sitecustomize.py")
        env["PYTHONPATH"] += f"{os.pathsep}{folder / 'first'}"
    env |= {"PYTHONUNBUFFERED": "1", "DVC_SITE_CACHE_DIR": str(folder / "site"), "DVC_NO_ANALYTICS": "1"}
    if variation.home:
        env |= {"HOME": str(folder / "home"), "USERPROFILE": str(folder / "home")}
        (folder / "home").mkdir()
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR"):
            env.pop(name, None)
    return env | dict(variation.env)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def repro(clone: Clone) -> Generator[tuple[str, float], None, None]:
    """Run `dvc repro` in the clone; yield each stage when it has finished, and its seconds.

    Raises:
        ProjectError: a stage failed; its last lines are told.
    """
    command = [*clone.variation.prefix, *DVC, "repro"]
    last: deque[str] = deque(maxlen=20)
    with started(command, clone.folder, clone.env, clone.variation.umask) as process:
        assert process.stdout is not None
        name, since = None, time.monotonic()
        for line in process.stdout:
            last.append(line.rstrip())
            if line.startswith(RUNNING):
                if name is not None:
                    yield name, time.monotonic() - since
                name, since = line.removeprefix(RUNNING).partition("'")[0], time.monotonic()
        code = process.wait()
    if code:
        raise ProjectError(f"`dvc repro` ended with exit code {code} in the stage {name}:\n" + "\n".join(last))
    if name is not None:
        yield name, time.monotonic() - since
