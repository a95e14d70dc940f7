"""A search that is killed and started again ends as if nothing had happened: `make bench-killed`.

Takes the features of the last run, searches 40 trials once without interruption, then with 1 process, 2 processes and
Dask, each killed with SIGKILL at three random moments (a number of finished fits drawn with a seed), and compares the
bytes of what the tune stage leaves.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
JOURNAL = Path("tuning/journal/jobs.jsonl")
TRIALS = 40
WAYS = {
    "1 process": {"name": "local", "backend": "threads", "workers": 1},
    "2 processes": {"name": "local", "backend": "processes", "workers": 2},
    "Dask, 2 workers": {"name": "dask", "backend": "dask", "workers": 2},
}


def setting(folder: Path, compute: dict[str, object]) -> Path:
    """Return a folder in which the tune stage runs: the features, and params.yaml with the budget and the workers."""
    shutil.copytree(ROOT / "data/features", folder / "data/features")
    shutil.copy(ROOT / "dvc.yaml", folder)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["problem"]["stopping"] = {"trials": TRIALS}
    params["compute"] = compute
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return folder


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the tune stage in a process group of its own."""
    command = [sys.executable, "-m", "mlworkflow.stages", "tune"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def finish(folder: Path) -> str:
    """Return the SHA-256 of all that the stage leaves, run to its end."""
    process = start(folder)
    _, told = process.communicate()
    if process.returncode:
        sys.exit(f"the tune stage failed:\n{told.decode()}")
    files = sorted(path for path in (folder / "tuning").rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


def kill_after(folder: Path, fits: int) -> bool:
    """Start the stage and kill it once so many fits are in the journal; return whether it was still running."""
    process = start(folder)
    while process.poll() is None and _lines(folder) < fits:
        time.sleep(0.01)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return running


def _lines(folder: Path) -> int:
    path = folder / JOURNAL
    return max(0, path.read_bytes().count(b"\n") - 1) if path.is_file() else 0


def main() -> int:
    """Print a line a killed search; return 1 if one differs."""
    draw, same = random.Random(0), True
    with tempfile.TemporaryDirectory() as there:
        whole = finish(setting(Path(there) / "whole", WAYS["1 process"]))
        print(f"uninterrupted, 1 process: {whole[:16]}")
        for way, compute in WAYS.items():
            print(f"uninterrupted, {way}: {finish(setting(Path(there) / way, compute))[:16]}")
            for fits in sorted(draw.sample(range(5, 90), 3)):
                folder = setting(Path(there) / f"{way} {fits}", compute)
                killed = kill_after(folder, fits)
                left, again = _lines(folder), finish(folder)
                same = same and killed and again == whole
                word = "the same" if again == whole else "DIFFERS"
                print(f"{way}, killed after {left} fits, resumed: {again[:16]} {word}", flush=True)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
