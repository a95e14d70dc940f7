"""Who does the jobs: threads or processes of this machine, or the workers of a Dask cluster; results are the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import ProjectError
from mlworkflow.tuning.jobs import Job, Outcome, Plan, run

if TYPE_CHECKING:
    from mlworkflow.core.params import Compute
    from mlworkflow.tuning.encoded import Encoded
    from mlworkflow.tuning.journal import Run

    Parts = Mapping[tuple[str, float], Sequence[Encoded]]  # (family, share of the rows) -> one a fold

LONG = 0.2  # seconds of a job from which on a process of its own pays
IDLE = 30  # seconds after which a process whose search was killed ends
ANSWER = 20  # seconds in which a scheduler must answer


class ClusterError(ProjectError):
    """The Dask cluster of conf/compute cannot be used."""

    def __init__(self, found: str, next_step: str) -> None:
        super().__init__(f"the search needs the Dask cluster that conf/compute names, but {found}. {next_step}")


@contextmanager
def crew(compute: Compute, plan: Plan, parts: Parts) -> Iterator[Run]:
    """Yield the function that runs jobs and yields their outcomes as they come, in any order.

    Raises:
        ClusterError: Dask is not installed, its scheduler does not answer, or its workers compute in another way.
    """
    with ExitStack() as stack:
        if compute.backend == "dask":
            yield _OnDask(stack.enter_context(_client(compute, stack)), plan, parts)
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
        _demand_same_arithmetic(client)
        self._client, self._plan, self._parts = client, plan, parts
        self._sent: dict[int, Any] = {}

    def __call__(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        from distributed import as_completed
        from distributed.client import FutureCancelledError

        waiting = {self._submit(job): job for job in jobs}
        coming = as_completed(waiting, loop=self._client.loop)
        for future in coming:
            try:
                yield future.result()
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


def _client(compute: Compute, stack: ExitStack) -> Any:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ClusterError("Dask is not installed", "Type `make extras`, or choose -S compute=local.") from error
    try:
        if compute.address:
            return Client(compute.address, timeout=ANSWER, set_as_default=False)
        cluster = LocalCluster(n_workers=compute.workers, threads_per_worker=1, dashboard_address=None, silence_logs=50)
        return Client(stack.enter_context(cluster), set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"the scheduler at {compute.address} does not answer within {ANSWER} seconds",
            "Start it, mend the address, or choose -S compute=local.",
        ) from error


def _demand_same_arithmetic(client: Any) -> None:
    """Demand that workers were started with the environment of the stages, without which the last bits differ."""
    from mlworkflow.core.arithmetic import FIXED

    client.wait_for_workers(1, timeout=ANSWER)
    for worker, found in client.run(lambda: {name: os.environ.get(name) for name in FIXED}).items():
        wrong = [f"{name}={value}" for name, value in FIXED.items() if found[name] != value]
        if wrong:
            raise ClusterError(
                f"the worker {worker} was started without {' '.join(wrong)}",
                "Start the workers with these in their environment: without them the last bits of results differ.",
            )
