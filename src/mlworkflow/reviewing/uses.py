"""How often the test rows have been used to choose: the different results that the repository knows of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mlworkflow.core import paths
from mlworkflow.core.processes import git, without

HASH = r"path: {}\n(?:\s+hash: md5\n)?\s+md5: ([0-9a-f]{{32}})"


def results(root: Path, rows: str) -> set[str]:
    """Return the MD5 of each set of predictions of the test rows whose MD5 is `rows`, from any commit or experiment.

    Args:
        root: of the repository.
        rows: of data/prepared/test.parquet, as dvc.lock has it.
    """
    of_rows, of_predictions = (re.compile(HASH.format(re.escape(p.as_posix()))) for p in _PATHS)
    found = set()
    for lock in _locks(root):
        if rows in of_rows.findall(lock):
            found.update(of_predictions.findall(lock))
    return found


_PATHS = (paths.TEST_ROWS, paths.PREDICTIONS)


def _locks(root: Path) -> Iterator[str]:
    """Yield each different dvc.lock of all commits and experiments, by one process of Git."""
    listed = git(root, "rev-list", "--all", "--objects", "--", paths.LOCK.as_posix()).stdout
    blobs = {line.split(" ", 1)[0] for line in listed.splitlines() if line.endswith(paths.LOCK.name)}
    if not blobs:
        return
    asked = "\n".join(sorted(blobs)) + "\n"
    done = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=root, env=without("GIT_"), input=asked.encode(), capture_output=True
    )
    content = done.stdout
    while content:
        head, _, content = content.partition(b"\n")
        size = int(head.split()[2])
        yield content[:size].decode("utf-8", errors="replace")
        content = content[size + 1 :]
