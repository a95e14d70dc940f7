"""What one worker does with rows: scored by the champion or the challenger, recorded, answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

from mlworkflow.api import meters
from mlworkflow.api.problems import RefusedError, report
from mlworkflow.api.served import Served, served
from mlworkflow.api.settings import Settings
from mlworkflow.api.shape import Asked
from mlworkflow.core.errors import ProjectError
from mlworkflow.recording.errors import LogFullError, LogUnwritableError
from mlworkflow.recording.log import Log
from mlworkflow.recording.record import Record, Role, new_id
from mlworkflow.recording.retention import Keep
from mlworkflow.recording.routing import share_of

QUICK_ROWS = 100  # as many are scored on the event loop
Answers = list[dict[str, Any]]
Done = TypeVar("Done")


class Service:
    """The models, the log and the threads of one worker."""

    def __init__(self, settings: Settings, champion: Served, challenger: Served | None = None) -> None:
        self.settings, self.champion, self.challenger = settings, champion, challenger
        off = settings.log == "off"
        self.log = (
            None if off else Log(settings.log_folder, sync=settings.log == "sync", keep=Keep(days=settings.keep_days))
        )
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="scoring")
        self._waiting = 0
        self._beside: set[asyncio.Task[None]] = set()
        meters.BUNDLE.labels(champion.model.name, champion.version).set(1)

    async def predict(self, asked: Asked, most_reasons: int, started: float, champion: Served) -> tuple[str, Answers]:
        """Return (version, answers) of rows; with `--log sync` they are on disk.

        `champion`: the one whose shape the rows were read by, though another may have taken its place since.

        Raises:
            RefusedError: 503, too many wait, it took too long, or it could not be recorded.
        """
        chosen = self._routed(asked, champion)
        answers = await self._score(champion, asked, most_reasons, chosen)
        records = self._records(asked, answers, chosen, champion, started)
        await self._record(records)
        if self.settings.shadow and self.challenger is not None and _alike(champion, self.challenger):
            self._start_beside(self._shadow(asked, answers, started))
        return champion.version, answers

    def _routed(self, asked: Asked, champion: Served) -> list[bool]:
        """Return for each row whether the challenger answers it; a row without a key is routed by chance."""
        if self.challenger is None or self.settings.shadow or not _alike(champion, self.challenger):
            return []
        keys = (champion.shape.key(values) or new_id() for values in asked.values)
        return [share_of(key) < self.settings.share for key in keys]

    async def _score(self, champion: Served, asked: Asked, most: int, chosen: list[bool]) -> Answers:
        other = self.challenger
        if other is None or not any(chosen):
            return await self._run(champion, len(asked), lambda: champion.answers(asked, most))

        def both() -> Answers:
            mine = iter(champion.answers(_part(champion, asked, [not one for one in chosen]), most))
            theirs = iter(other.answers(_part(other, asked, chosen), most))
            return [{**next(theirs), "version": other.version} if one else next(mine) for one in chosen]

        return await self._run(champion, len(asked), both)

    async def _run(self, by: Served, rows: int, work: Callable[[], Done]) -> Done:
        """Do the work here where it takes microseconds, else in a thread, for which only so many may wait."""
        if by.quick and rows <= QUICK_ROWS:
            return work()
        limits = self.settings.limits
        if self._waiting >= limits.waiting:
            raise RefusedError(503, f"{limits.waiting} requests wait already. Ask again.", retry_after=1)
        self._waiting += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        running.add_done_callback(self._finished)
        try:
            return await asyncio.wait_for(asyncio.shield(running), limits.seconds)
        except TimeoutError:
            raise RefusedError(
                503, f"The prediction took longer than {limits.seconds:g} seconds. Send fewer rows.", retry_after=5
            ) from None

    def _finished(self, running: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not running.cancelled():
            running.exception()  # seen, though nobody waits any longer

    def _records(
        self, asked: Asked, answers: Answers, chosen: list[bool], champion: Served, started: float
    ) -> list[Record]:
        if not any(chosen):
            meters.rows(champion.version, "champion").inc(len(answers))
            return champion.records(asked, answers, "champion", started) if self.log else []
        found = champion.records(asked, answers, "champion", started)
        for record, other, answer in zip(found, chosen, answers, strict=True):
            if other:
                record.version, record.role = answer["version"], "challenger"
            meters.rows(record.version, record.role).inc()
        return found

    async def _record(self, records: list[Record]) -> None:
        if self.log is None or not records:
            return
        try:
            written = self.log.put(records)
            if written is not None:
                await written
        except LogFullError:
            raise RefusedError(503, "Predictions come faster than they are kept. Ask again.", retry_after=1) from None
        except LogUnwritableError as error:
            report(str(error))
            raise RefusedError(503, "The prediction could not be recorded. Ask again.", retry_after=5) from None

    def _start_beside(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _shadow(self, asked: Asked, answers: Answers, started: float) -> None:
        """Ask the challenger the same, and record what it says under the ids that were answered."""
        other = self.challenger
        if other is None or self.log is None:
            return
        try:
            began = time.perf_counter()
            told = await self._run(other, len(asked), lambda: other.answers(_part(other, asked, [True] * len(asked))))
            same = [{**said, "id": answer["id"]} for said, answer in zip(told, answers, strict=True)]
            role: Role = "shadow"
            await self._record(other.records(asked, same, role, began))
            meters.rows(other.version, role).inc(len(same))
        except (RefusedError, ProjectError):
            self.log.count("shadow failed", len(asked))

    def take(self, version: str, folder: Any) -> None:
        """Put another bundle in the champion's place; requests in flight keep the one that they began with."""
        made = served(folder, version, self.settings.limits.rows)
        meters.BUNDLE.labels(self.champion.model.name, self.champion.version).set(0)
        self.champion = made
        meters.BUNDLE.labels(made.model.name, version).set(1)

    def meter(self) -> None:
        """Tell how the log fares."""
        if self.log is not None:
            state = self.log.state
            meters.QUEUED.set(state.queued)
            meters.LAG.set(state.lag)
            meters.LOST.set(state.lost)
            meters.BROKEN.set(state.error is not None)

    @property
    def ready(self) -> bool:
        """Whether it can answer: with `--log sync` it cannot while the log cannot be written."""
        return self.log is None or not (self.log.sync and self.log.state.error)

    async def close(self) -> None:
        """Finish what was begun, and write the log."""
        if self._beside:
            await asyncio.wait(self._beside, timeout=self.settings.limits.seconds)
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self.log is not None:
            with contextlib.suppress(ProjectError):
                self.log.close()


@lru_cache(maxsize=4)
def _alike(champion: Served, challenger: Served) -> bool:
    """Return whether the challenger can be asked what the champion is; a release may have brought other fields."""
    return not champion.model.fields.otherwise(challenger.model.fields)


def _part(by: Served, asked: Asked, chosen: list[bool]) -> Asked:
    """Return some of the rows as `by` reads them: its fields may be others."""
    rows = [line for line, one in zip(asked.inputs, chosen, strict=True) if one]
    values = [[row.get(name) for name in by.shape.names] for row in rows]
    return Asked(by.shape.typed(values), by.shape.names, values)
