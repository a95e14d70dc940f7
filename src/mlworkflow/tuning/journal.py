"""The journal of a search: each finished job at once on disk, so that a killed search goes on where it was.

Resuming needs no state of the sampler: it is asked the same again, gives the same trials, and the journal answers for
those that were finished. So a resumed search is the uninterrupted one, byte for byte.
"""

from __future__ import annotations

import io as memory
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from mlworkflow.core import io
from mlworkflow.tuning.jobs import LATE, Job, Outcome

Run = Callable[[Sequence[Job]], Iterator[Outcome]]
LINES, SAID = "jobs.jsonl", "said"


class Journal:
    """Outcomes by the key of their job, in a folder of its own.

    Args:
        folder: where it is kept, untracked.
        rests_on: a hash of all that outcomes hang on beside the job; with another one, what was there is forgotten.
    """

    def __init__(self, folder: Path, rests_on: str) -> None:
        self._folder = folder
        self._found: dict[str, dict[str, Any]] = {}
        head, *lines = self._read() or [{}]
        if head == {"rests_on": rests_on}:
            self._found = {line["key"]: line for line in lines}
        else:
            self.forget()
            self._append({"rests_on": rests_on})

    def __len__(self) -> int:
        """Return the number of finished jobs."""
        return len(self._found)

    @property
    def seconds(self) -> float:
        """How long its jobs took, all together."""
        return float(sum(line["seconds"] for line in self._found.values()))

    def through(self, run: Run) -> Run:
        """Return `run` with a memory: finished jobs are answered from the journal, the others are noted in it."""

        def remembering(jobs: Sequence[Job]) -> Iterator[Outcome]:
            keys = {(job.asked.number, job.fold): job.key for job in jobs}
            yield from (self._outcome(job) for job in jobs if job.key in self._found)
            for outcome in run([job for job in jobs if job.key not in self._found]):
                if outcome.cause != LATE:
                    self._note(keys[outcome.number, outcome.fold], outcome)
                yield outcome

        return remembering

    def forget(self) -> None:
        """Remove the journal: its search is over, or was another one."""
        self._found = {}
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> list[dict[str, Any]]:
        """Return the whole lines; the last one may have been cut by a kill, and is cut off here too."""
        path = self._folder / LINES
        content = path.read_bytes() if path.is_file() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            io.write_bytes(whole, path)
        return [json.loads(line) for line in whole.splitlines()]

    def _note(self, key: str, outcome: Outcome) -> None:
        if outcome.said is not None:
            buffer = memory.BytesIO()
            np.save(buffer, outcome.said, allow_pickle=False)
            io.write_bytes(buffer.getvalue(), self._folder / SAID / f"{key}.npy")
        line = {"key": key, "score": outcome.score, "cause": outcome.cause, "seconds": round(outcome.seconds, 3)}
        self._found[key] = {**line, "said": outcome.said is not None}
        self._append(self._found[key])

    def _append(self, line: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / LINES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _outcome(self, job: Job) -> Outcome:
        line = self._found[job.key]
        path = self._folder / SAID / f"{job.key}.npy"
        said = np.load(path, allow_pickle=False) if line["said"] else None
        return Outcome(job.asked.number, job.fold, line["score"], line["cause"], line["seconds"], said)


def fingerprint(parts: Sequence[Any], files: Sequence[Path]) -> str:
    """Return a hash of `parts` (plain values), of the content of `files`, of this package's code and of Python."""
    code = sorted(Path(__file__).parents[1].rglob("*.py"))
    told = [json.dumps(parts, sort_keys=True, default=str), *(io.sha256(path) for path in [*files, *code]), sys.version]
    return sha256("\n".join(told).encode()).hexdigest()
