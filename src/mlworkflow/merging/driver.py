"""`python -m mlworkflow.merging KIND %O %A %B %P %L`: Git's side of the drivers; the merged text replaces the file %A.

Exit code 0: merged. 1: a conflict, left as Git leaves one, with both sides between marks: what no driver understands is
no driver's to decide.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

KINDS = ("lock", "params", "results", "readme")
USAGE = f"python -m mlworkflow.merging {{{','.join(KINDS)}}} ANCESTOR OURS THEIRS [PATH] [SIZE OF MARKS]"
MOST = 5  # keys that are named
MAKE = "type `mlworkflow compose && dvc repro`, and commit what they change"


def main(words: Sequence[str] | None = None) -> int:
    """Merge one file; return 0, 1 for a conflict, 2 for words that are no call."""
    given = [*(sys.argv[1:] if words is None else words)]
    if len(given) < 4 or given[0] not in KINDS:
        print(USAGE, file=sys.stderr)
        return 2
    kind, files = given[0], [Path(name) for name in given[1:4]]
    path = given[4] if len(given) > 4 else files[1].name
    size = given[5] if len(given) > 5 else "7"
    try:
        return _merge(kind, files, path, size)
    except Exception as error:  # whatever it is, both sides must reach the user
        print(f"{path}: {error}; merged line by line, as without a driver.", file=sys.stderr)
        _by_lines(files, size)
        return 1


def _merge(kind: str, files: Sequence[Path], path: str, size: str) -> int:
    """Merge by the driver of the kind, and tell what it left to be made again."""
    from mlworkflow.core import io

    base, ours, theirs = (io.read_bytes(file).decode() for file in files)
    if kind == "readme":
        from mlworkflow.merging import readme

        for file, text in zip(files, readme.alike(base, ours, theirs), strict=True):
            io.write_text(text, file)
        code = _by_lines(files, size)
        print(f"{path}: when `dvc repro` has ended, type `mlworkflow readme` for its numbers.", file=sys.stderr)
        return min(code, 1)
    merged, told = _merged(kind, base, ours, theirs, path)
    io.write_text(merged, files[1])
    print(f"{path}: {told}.", file=sys.stderr)
    return 0


def _merged(kind: str, base: str, ours: str, theirs: str, path: str) -> tuple[str, str]:
    """Return (the merged text, what to tell of it)."""
    if kind == "lock":
        from mlworkflow.merging import lockfile

        text, dropped = lockfile.merge(base, ours, theirs)
        left = f"; both sides changed {', '.join(dropped)}, which it leaves out" if dropped else ""
        return text, f"merged stage by stage{left}; {MAKE}"
    if kind == "params":
        from mlworkflow.merging import params

        text, clashes = params.merge(base, ours, theirs)
        more = f" and {len(clashes) - MOST} more" if len(clashes) > MOST else ""
        left = f"; both sides changed {', '.join(clashes[:MOST])}{more}: conf/ decides" if clashes else ""
        return text, f"merged key by key{left}; {MAKE}"
    from mlworkflow.merging import results

    text, side = results.merge(ours, theirs, path)
    return text, f"{side} until `dvc repro` makes it again"


def _by_lines(files: Sequence[Path], size: str) -> int:
    """Merge as Git does by itself; return the number of conflicts."""
    base, ours, theirs = map(str, files)
    labels = ["-L", "ours", "-L", "ancestor", "-L", "theirs"]
    command = ["git", "merge-file", "--quiet", f"--marker-size={size}", *labels, ours, base, theirs]
    return subprocess.run(command, check=False).returncode
