"""A revision whose predictions are nowhere, run again in a worktree of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.core.processes import DVC, git, run, shown, without
from mlworkflow.reviewing.files import Files
from mlworkflow.reviewing.revisions import ReviewError


@contextmanager
def run_again(files: Files, say: Callable[[str], None]) -> Iterator[Files]:
    """Yield the files of the revision after `dvc repro` in a temporary worktree, which shares the cache.

    Raises:
        ReviewError: the workspace has nothing to run again.
        ProjectError: Git or DVC failed; the worktree is removed.
    """
    commit = files.revision.commit
    if commit is None:
        raise ReviewError("the workspace's own results are not here", "Type `dvc repro`, or `dvc checkout`.")
    prefix = git(files.root, "rev-parse", "--show-prefix").stdout.strip()
    with tempfile.TemporaryDirectory() as there:
        top = Path(there) / "worktree"
        _told(["git", "worktree", "add", "--quiet", "--detach", str(top), commit], files.root, without("GIT_"), say)
        try:
            root = top / prefix
            io.write_text(f"[cache]\n    dir = {files.cache}\n", root / ".dvc/config.local")
            subprocess.run(
                [*DVC, "checkout", "--quiet"], cwd=root, env=_environment(root), capture_output=True, check=False
            )
            _told([*DVC, "repro", "--quiet"], root, _environment(root), say)
            yield Files(root, files.revision, say, workspace=True)
        finally:
            git(files.root, "worktree", "remove", "--force", str(top))


def _told(command: list[str], folder: Path, env: dict[str, str], say: Callable[[str], None]) -> None:
    say(f"$ {shown(command)}")
    run(command, folder, env)


def _environment(root: Path) -> dict[str, str]:
    """Return the surroundings in which the code of the worktree comes before any other."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return without("GIT_", "DVC_") | {"PATH": path, "PYTHONPATH": str(root / "src"), "DVC_NO_ANALYTICS": "1"}
