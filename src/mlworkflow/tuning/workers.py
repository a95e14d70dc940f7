"""Who does the jobs: threads or processes of this machine, or the workers of a Dask cluster; results are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from mlworkflow.learning.cluster import connected
from mlworkflow.tuning.jobs import Job, Outcome, Plan, run

if TYPE_CHECKING:
    from mlworkflow.core.params import Compute
    from mlworkflow.tuning.encoded import Encoded
    from mlworkflow.tuning.journal import Run

    Parts = Mapping[tuple[str, float], Sequence[Encoded]]  # (family, share of the rows) -> one a fold

LONG = 0.2  # seconds of a job from which on a process of its own pays
IDLE = 30  # seconds after which a process whose search was killed ends


@contextmanager
def crew(compute: Compute, plan: Plan, parts: Parts) -> Iterator[Run]:
    """Yield the function that runs jobs and yields their outcomes as they come, in any order.

    Raises:
        ClusterError: Dask is not installed, its scheduler does not answer, or its workers compute in another way.
    """
    with ExitStack() as stack:
        if compute.backend == "dask":
            yield _OnDask(stack.enter_context(connected(compute)), plan, parts)
        else:
            yield _Local(compute, plan, parts, stack)


def _calls(jobs: Sequence[Job], plan: Plan, parts: Parts) -> Iterator[Any]:
    from joblib import delayed

    return (delayed(run)(job, parts[job.asked.family, job.asked.share][job.fold], plan) for job in jobs)


class _Local:
    """Threads of this machine, and processes once jobs turn out long enough to be worth starting them."""

    def __init__(self, compute: Compute, plan: Plan, parts: Parts, stack: ExitStack) -> None:
        from joblib import Parallel, cpu_count

        self._plan, self._parts, self._stack = plan, parts, stack
        self._count = compute.workers or cpu_count()
        self._parallel = Parallel(n_jobs=self._count, prefer="threads", return_as="generator_unordered")
        self._may_change = compute.backend == "auto" and self._count > 1
        if compute.backend == "processes":
            self._start_processes()

    def __call__(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        longest = 0.0
        for outcome in self._parallel(_calls(jobs, self._plan, self._parts)):
            longest = max(longest, outcome.seconds)
            yield outcome
        if longest > LONG and self._may_change:
            self._start_processes()

    def _start_processes(self) -> None:
        """Take one pool for all that follows, so that a large matrix is written once for all workers to read."""
        from joblib import Parallel

        pool = Parallel(n_jobs=self._count, backend="loky", return_as="generator_unordered", idle_worker_timeout=IDLE)
        self._parallel, self._may_change = self._stack.enter_context(pool), False


class _OnDask:
    """The workers of a Dask cluster. The folds are sent to them once; again only where a worker that held them died.

    Plain futures, not joblib's backend for Dask: that one ends when the only copy of what it sent is lost.
    """

    def __init__(self, client: Any, plan: Plan, parts: Parts) -> None:
        self._client, self._plan, self._parts = client, plan, parts
        self._sent: dict[int, Any] = {}

    def __call__(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        from distributed import KilledWorker, as_completed
        from distributed.client import FutureCancelledError

        waiting = {self._submit(job): job for job in jobs}
        coming = as_completed(waiting, loop=self._client.loop)
        for future in coming:
            try:
                yield future.result()
            except KilledWorker:
                job = waiting[future]
                yield Outcome(job.asked.number, job.fold, None, "each worker that tried it died: out of memory?")
            except FutureCancelledError:
                job = waiting.pop(future)
                self._sent.pop(id(self._part(job)), None)
                again = self._submit(job)
                waiting[again] = job
                coming.add(again)

    def _part(self, job: Job) -> Encoded:
        return self._parts[job.asked.family, job.asked.share][job.fold]

    def _submit(self, job: Job) -> Any:
        part = self._part(job)
        if id(part) not in self._sent:
            self._sent[id(part)] = self._client.scatter(part, broadcast=True, hash=False)
        return self._client.submit(run, job, self._sent[id(part)], self._plan, pure=False)
