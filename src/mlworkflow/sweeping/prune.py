"""`mlworkflow sweep NAME --prune`: remove the losers of a sweep, then what only they needed of DVC's cache."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mlworkflow.core.processes import DVC, run, stoppable
from mlworkflow.sweeping.board import SAME, Board, ranked
from mlworkflow.sweeping.command import board_of
from mlworkflow.sweeping.plan import PREFIX, SweepError
from mlworkflow.sweeping.planned import planned
from mlworkflow.sweeping.queue import Queue, shown
from mlworkflow.sweeping.run import alone

tell = partial(print, flush=True)
KEPT = [
    "--workspace",
    "--all-branches",
    "--all-tags",
    "--all-commits",
    "--all-experiments",
]  # whatever these need stays


def losers(made: Board, keep: int) -> list[str]:
    """Return the names of the experiments of this sweep after the best `keep`; the baseline is none of them."""
    finished = [row for row in ranked(made.rows, made.metric) if row.value is not None and row.word != SAME]
    return [str(row.name) for row in finished[keep:] if str(row.name).startswith(f"{PREFIX}-{made.sweep}-")]


def prune(name: str, overrides: Sequence[str], *, keep: int, yes: bool, ask: Callable[[str], str] = input) -> int:
    """Remove the losers and their cache, after a yes; return 0.

    Raises:
        SweepError: nothing to keep, tasks in the queue, or nobody there to say yes.
    """
    if keep < 1:
        raise SweepError(f"--keep must be 1 or more, but is {keep}: it is how many of the best experiments stay.")
    root = Path.cwd()
    with alone(root), stoppable():
        queue = Queue(root, tell)
        _demand_rest(queue)
        plan = planned(name, overrides, root)
        gone = losers(board_of(plan, None, root, {}), keep)
        if not gone:
            tell(f"{name}: nothing to remove, no more than {keep} finished experiments of this commit.")
            return 0
        if _agreed(gone, keep, yes, ask):
            _remove(gone, root, queue)
    return 0


def _demand_rest(queue: Queue) -> None:
    """Demand an idle queue: what a running experiment has put into the cache is needed by no commit yet."""
    busy = [name for name, status in queue.tasks().items() if status in ("Queued", "Running")]
    if busy:
        raise SweepError(
            f"the cache is cleared only while no experiment waits or runs, but these do: {', '.join(busy)}. Wait for "
            "their end (`dvc queue status`), or end them (`dvc queue kill`, `dvc queue remove`)."
        )


def _agreed(gone: Sequence[str], keep: int, yes: bool, ask: Callable[[str], str]) -> bool:
    tell(f"The best {keep} stay; {len(gone)} experiment{'s' if len(gone) != 1 else ''} will be removed, for good:")
    tell(f"$ {shown(['exp', 'remove', *gone])}")
    tell(f"$ {shown(['gc', *KEPT, '--force'])}")
    tell("The second keeps whatever the workspace, a branch, a tag, a commit or an experiment that is left needs.")
    if yes:
        return True
    if not sys.stdin.isatty():
        raise SweepError("nothing is removed without a yes, and there is no terminal to ask on. Type it with --yes.")
    agreed = ask("Type y to go on: ").strip().lower() in ("y", "yes")
    if not agreed:
        tell("Nothing was removed.")
    return agreed


def _remove(gone: Sequence[str], root: Path, queue: Queue) -> None:
    for words in (["exp", "remove", *gone], ["gc", *KEPT, "--force"]):
        said = run([*DVC, *words], root, queue.env).strip().splitlines()
        tell(said[-1] if said else shown(words))
