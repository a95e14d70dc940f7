"""The Dask cluster that conf/compute names: a scheduler elsewhere, or workers of its own on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from mlworkflow.core.arithmetic import FIXED
from mlworkflow.core.errors import ProjectError

if TYPE_CHECKING:
    from mlworkflow.core.params import Compute

ANSWER = 20  # seconds in which a scheduler must answer
CRITICAL = 50  # of the cluster's own words, those about its end alone: what matters is told by the stages

LEAN = {  # a cluster without a dashboard: together these took a tenth of a fit's time (bench/tuning.py)
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 27,
}


class ClusterError(ProjectError):
    """The Dask cluster of conf/compute cannot be used."""

    def __init__(self, found: str, next_step: str) -> None:
        super().__init__(f"the Dask cluster that conf/compute names must answer, but {found}. {next_step}")


@contextmanager
def connected(compute: Compute) -> Iterator[Any]:
    """Yield a `distributed.Client` of the cluster; one that was started here ends afterwards.

    Raises:
        ClusterError: Dask is not installed, the scheduler does not answer, or workers compute in another way.
    """
    with ExitStack() as stack:
        client = stack.enter_context(_client(compute, stack))
        _demand_same_arithmetic(client)
        yield client


def _client(compute: Compute, stack: ExitStack) -> Any:
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ClusterError("Dask is not installed", "Type `make extras`, or choose -S compute=local.") from error
    try:
        if compute.address:
            return Client(compute.address, timeout=ANSWER, set_as_default=False)
        stack.enter_context(dask.config.set(LEAN))
        cluster = LocalCluster(
            n_workers=compute.workers, threads_per_worker=1, dashboard_address=None, silence_logs=CRITICAL
        )
        return Client(stack.enter_context(cluster), set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"the scheduler at {compute.address} has not answered within {ANSWER} seconds",
            "Start it, mend the address, or choose -S compute=local.",
        ) from error


def _demand_same_arithmetic(client: Any) -> None:
    """Demand that workers were started with the environment of the stages, without which the last bits differ."""
    try:
        client.wait_for_workers(1, timeout=ANSWER)
    except TimeoutError as error:
        raise ClusterError("it has no worker", "Start workers, or choose -S compute=local.") from error
    for worker, found in client.run(lambda: {name: os.environ.get(name) for name in FIXED}).items():
        wrong = [f"{name}={value}" for name, value in FIXED.items() if found[name] != value]
        if wrong:
            raise ClusterError(
                f"its worker {worker} was started without {' '.join(wrong)}",
                "Start the workers with these in their environment: without them the last bits of results differ.",
            )
