"""`mlworkflow predict INPUT -o OUTPUT`: read, score, keep, join; exit code 3 where rows were rejected."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlworkflow.batch.parts import SUFFIXES, Parts
from mlworkflow.batch.scoring import How, has_key, loaded, score
from mlworkflow.batch.sources import Chunk, Source, source
from mlworkflow.core import paths
from mlworkflow.core.errors import ProjectError, SuffixError, TableError, UnreadableError
from mlworkflow.origins.addresses import without_secrets
from mlworkflow.origins.databases import DatabaseError

CHUNK = 50_000  # rows
THREADS = 2  # that score; more wait for each other
REJECTED = 3  # the exit code
EVERY = 10.0  # seconds between two lines of progress where there is no terminal
Scored = tuple[Any, Any]


@dataclass(frozen=True)
class Wanted:
    """What `mlworkflow predict` was asked for; see its --help."""

    rows: str
    output: Path
    bundle: Path = paths.BUNDLE
    query: str | None = None
    backend: str = "auto"
    reasons: int = 0
    chunk: int = CHUNK
    compute: str = "local"


def predict(wanted: Wanted, here: Path = Path(), say: Callable[[str], object] = print) -> int:
    """Write a prediction for each row that can be read; return the exit code: 0, or 3 where rows were rejected.

    The rows have the columns of the raw table; the target may be absent, further columns are ignored and named. A run
    that was stopped goes on where it stopped when it is asked for the same.

    Raises:
        SuffixError: the output has another suffix.
        UnreadableError: a file cannot be read.
        TableError: columns are missing; all of them. Nothing is written.
        DamagedBundleError: the bundle is not the one of its manifest; nothing of it is loaded.
    """
    _demand_options(wanted)
    bundle = loaded(wanted.bundle.resolve(), wanted.backend)
    parts = Parts(wanted.output)
    rows = source(wanted.rows, here, wanted.query, parts)
    how = How(wanted.bundle.resolve(), wanted.backend, wanted.reasons, rows.folder is not None)
    finished, anew = parts.begin(_asked(wanted, rows, bundle.manifest))
    if anew:
        say("A run that was stopped had other rows, another bundle or other options: it is begun anew.")
    if finished:
        say(f"{finished} chunks of a run that was stopped are finished; it goes on there.")
    if bundle.model.look_back is not None:
        say("Features of this model look back at earlier rows, so each file is read whole.")
    size = None if bundle.model.look_back is not None else wanted.chunk
    extra: dict[str, None] = {}
    try:
        count, scored = _run(rows.chunks(size), how, parts, finished, wanted.compute, extra)
    except (TableError, UnreadableError, DatabaseError):
        parts.forget()  # who mends the input begins anew
        raise
    empty, _ = score(Chunk("", bundle.empty(extra), _no_numbers()), how)
    rejected = parts.join(count, empty)
    for line in _told(wanted, parts, scored, rejected, bundle, [name for name in extra if name not in bundle.known]):
        say(line)
    return REJECTED if rejected else 0


def _demand_options(wanted: Wanted) -> None:
    if wanted.output.suffix.lower() not in SUFFIXES:
        raise SuffixError(wanted.output, SUFFIXES)
    if wanted.chunk < 1 or wanted.reasons < 0:
        raise ProjectError("--chunk must be 1 or more and --reasons 0 or more. Nothing was written.")
    if wanted.compute not in ("local", "dask") and ":" not in wanted.compute:
        told = f"--compute must be local, dask or the address of a scheduler (tcp://host:8786), not {wanted.compute!r}."
        raise ProjectError(f"{told} Nothing was written.")


def _no_numbers() -> Any:
    import numpy as np

    return np.zeros(0, dtype="int64")


def _asked(wanted: Wanted, rows: Source, manifest: Any) -> Any:
    """Return what must be the same for a run to go on: rows, bundle, options."""
    options = {**asdict(wanted), "rows": without_secrets(wanted.rows), "bundle": "", "output": wanted.output.suffix}
    options.pop("compute")  # whoever does it, the result is the same
    return [options, rows.fingerprint(), manifest["files"]]


def _run(
    chunks: Iterator[Chunk], how: How, parts: Parts, finished: int, compute: str, extra: dict[str, None]
) -> tuple[int, int]:
    """Score what is not finished; return how many chunks and rows there are."""
    count = rows = 0
    keyed: set[bool] = set()
    with ExitStack() as stack:
        progress = stack.enter_context(_Progress())

        def noted() -> Iterator[Chunk]:
            nonlocal count, rows
            for chunk in chunks:
                _demand_as_before(loaded(how.bundle, how.backend), chunk, keyed)
                extra.update(dict.fromkeys(map(str, chunk.rows)))
                count, rows = count + 1, rows + len(chunk.rows) + len(chunk.ragged)
                if count > finished:
                    yield chunk
                progress.at(rows)

        for number, (said, rejects) in enumerate(_scorer(compute, stack)(noted(), how), start=finished):
            parts.add(number, said, rejects)
    return count, rows


def _demand_as_before(bundle: Any, chunk: Chunk, keyed: set[bool]) -> None:
    """Demand that all files have the key, or none: else a column would hold keys of some and numbers of others."""
    keyed.add(has_key(bundle, chunk))
    if len(keyed) > 1:
        found = ["some have the key's columns, others have not: " + ", ".join(bundle.schema.with_role("key"))]
        raise TableError(f"the files up to {chunk.file}", found, "Add the key to all of them, or score them apart.")


def _scorer(compute: str, stack: ExitStack) -> Callable[[Iterator[Chunk], How], Iterator[Scored]]:
    """Return what scores chunks: threads, while this one reads and writes, or the workers of Dask."""
    if compute == "local":
        pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        return lambda chunks, how: _in_order(pool.submit, THREADS, chunks, how)
    from mlworkflow.core.params import Compute
    from mlworkflow.learning.cluster import connected

    address = None if compute == "dask" else compute
    client = stack.enter_context(connected(Compute(name="dask", backend="dask", workers=2, address=address)))
    return lambda chunks, how: _in_order(partial(client.submit, pure=False), len(client.nthreads()), chunks, how)


def _in_order(submit: Callable[..., Any], workers: int, chunks: Iterator[Chunk], how: How) -> Iterator[Scored]:
    """Yield what workers make of chunks, in their order; only a few are on their way at a time."""
    waiting: deque[Any] = deque()
    for chunk in chunks:
        waiting.append(submit(score, chunk, how))
        if len(waiting) > workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Progress:
    """Rows and rows a second: a bar on a terminal, a line now and then elsewhere."""

    def __enter__(self) -> _Progress:
        from tqdm import tqdm

        self._bar = tqdm(unit=" rows", disable=None, leave=False, unit_scale=True)
        self._said = time.monotonic()
        return self

    def at(self, rows: int) -> None:
        """Tell that so many rows are done."""
        self._bar.update(rows - self._bar.n) if not self._bar.disable else self._line(rows)

    def _line(self, rows: int) -> None:
        if time.monotonic() - self._said > EVERY:
            self._said = time.monotonic()
            print(f"{rows:,} rows", file=sys.stderr, flush=True)

    def __exit__(self, *of: object) -> None:
        self._bar.close()


def _told(wanted: Wanted, parts: Parts, rows: int, rejected: int, bundle: Any, extra: list[str]) -> Iterator[str]:
    yield f"{rows - rejected} rows of {without_secrets(wanted.rows)} are scored in {wanted.output}."
    if rejected:
        yield f"{rejected} rows could not be read: {parts.rejects} says why. The exit code is {REJECTED}."
    if extra:
        yield f"Ignored, as the model does not know them: {', '.join(map(repr, extra))}."
    if others := bundle.other_versions():
        yield f"Other packages than in training, so the numbers may differ: {'; '.join(others)}."
