"""`mlworkflow sweep NAME`: plan, queue, wait, and tell which experiment is better than the baseline."""

from __future__ import annotations

import contextlib
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlworkflow.config.conffiles import content, file_of, names
from mlworkflow.core import io, paths
from mlworkflow.core.processes import stoppable
from mlworkflow.measures import many
from mlworkflow.sweeping import board, workspace
from mlworkflow.sweeping.board import Board, Failure
from mlworkflow.sweeping.outcome import Outcome, outcome
from mlworkflow.sweeping.plan import Experiment, SweepError, key_of
from mlworkflow.sweeping.planned import Planned, planned
from mlworkflow.sweeping.progress import Progress
from mlworkflow.sweeping.queue import Queue, shown
from mlworkflow.sweeping.run import Runner, alone, finished

if TYPE_CHECKING:
    import pandas as pd

tell = partial(print, flush=True)
SEEDS = "seeds"  # the sweep whose spread stands beside every difference
MOST_NAMES = 5


def sweeps() -> str:
    """Return the sweeps that there are, a line each."""
    there = {name: content(file_of("sweep", name)).get("question", "") for name in names("sweep")}
    return "\n".join(f"{name:<16}{question}" for name, question in there.items())


def sweep(name: str, overrides: Sequence[str], *, jobs: int = 1, dry_run: bool = False) -> int:
    """Run a sweep to its end and show the leaderboard; return 1 where an experiment failed.

    Raises:
        SweepError, ConfError: it cannot be planned; nothing was queued.
    """
    if jobs < 1:
        raise SweepError(f"--jobs must be 1 or more, but is {jobs}: it is how many experiments run side by side.")
    root = Path.cwd()
    if dry_run:
        return _dry(planned(name, overrides, root), Queue(root, tell), jobs)
    with alone(root), stoppable():
        workspace.recover(root, tell)
        plan = planned(name, overrides, root)
        seeds = seeds_of(plan, root)  # now, as conf/ may be edited while the sweep runs
        _announce(plan)
        failures = _run(plan, root, jobs)
        made = show(plan, seeds, root, failures)
    return int(made.failed > 0)


def _announce(plan: Planned) -> None:
    count = len(plan.experiments)
    _say(f"{plan.sweep.name}: {plan.sweep.question} {count} experiment{'s' if count != 1 else ''}.")
    if plan.why:
        _say(f"The baseline is run too: {plan.why}.")
    if plan.state.changed:
        listed = ", ".join(plan.state.changed[:MOST_NAMES])
        more = f" and {len(plan.state.changed) - MOST_NAMES} more" if len(plan.state.changed) > MOST_NAMES else ""
        _say(
            f"The workspace has uncommitted changes ({listed}{more}): DVC takes them along into each experiment, and "
            "leaves them here as they are. Do not edit while it queues."
        )


def _say(words: str) -> None:
    tell(textwrap.fill(words, board.WIDTH, subsequent_indent="  "))


def _dry(plan: Planned, queue: Queue, jobs: int) -> int:
    """Print the commands that a run would give to DVC."""
    _announce(plan)
    done = finished(queue, plan.state.commit)
    left = [one for one in plan.wanted if one.digest not in done]
    for one in left:
        tell(f"$ {shown(one.command)}")
    tell(f"$ {shown(['queue', 'start', '--jobs', str(jobs)])}" if left else "Nothing is left to run.")
    return 0


def _run(plan: Planned, root: Path, jobs: int) -> Mapping[str, Failure]:
    """Bring what is not finished to its end; return {digest: why it failed}."""
    queue, commit = Queue(root, tell), plan.state.commit
    done = finished(queue, commit)
    left = [one for one in plan.wanted if one.digest not in done]
    if len(left) < len(plan.wanted):
        tell(f"{len(plan.wanted) - len(left)} of {len(plan.wanted)} to run are finished already.")
    if not left:
        return {}
    with _progress(plan, len(plan.wanted) - len(left)) as progress:
        queue.say = progress.say

        def ended(one: Experiment, sha: str | None, cause: str) -> None:
            value = outcome(root, sha, plan.task).tested.get(plan.metric) if sha else None
            progress.ended(one.label, value, cause)

        failed = Runner(queue, commit, jobs, ended).run(left, progress.now)
    return {name.rpartition("-")[2]: failure for name, failure in failed.items()}


@contextlib.contextmanager
def _progress(plan: Planned, done: int) -> Iterator[Progress]:
    progress = Progress(plan.sweep.name, plan.metric, len(plan.wanted), done)
    try:
        yield progress
    finally:
        progress.close()


# ---- the leaderboard -------------------------------------------------------------------------------------------------


def seeds_of(plan: Planned, root: Path) -> Planned | None:
    """Return the sweep over seeds of the same configuration, whose spread stands beside each difference."""
    if plan.sweep.name == SEEDS or SEEDS not in names("sweep"):
        return plan if plan.sweep.name == SEEDS else None
    return planned(SEEDS, _all_but_seed(plan), root)


def _all_but_seed(plan: Planned) -> list[str]:
    own = [] if plan.sweep.name == SEEDS else plan.sweep.always
    return [one for one in (*own, *plan.overrides) if key_of(one) != "seed"]


def show(plan: Planned, seeds: Planned | None, root: Path, failures: Mapping[str, Failure]) -> Board:
    """Print the leaderboard, write its page and its table; return it."""
    from mlworkflow.sweeping.page import page

    made = board_of(plan, seeds, root, failures)
    tell("\n" + board.text(made))
    io.write_text(page(made, plan.params["problem"]["name"], next_commands(plan, made)), root / paths.SWEEP_PAGE)
    io.write_table(_frame(made), root / paths.SWEEP_TABLE)
    tell(f"Page: {paths.SWEEP_PAGE}   Table: {paths.SWEEP_TABLE}")
    return made


def board_of(plan: Planned, seeds: Planned | None, root: Path, failures: Mapping[str, Failure]) -> Board:
    """Return the leaderboard of what is finished.

    Raises:
        SweepError: the baseline itself left nothing, so there is nothing to be set against.
    """
    done = finished(Queue(root, tell), plan.state.commit)
    base = _baseline(plan, root, done, failures)
    tried: dict[str, tuple[str | None, Outcome | Failure | None]] = {}
    for one in plan.experiments:
        if plan.is_baseline(one):
            tried[one.label] = (None, None)
        elif one.digest in done:
            named, sha = done[one.digest]
            tried[one.label] = (named, outcome(root, sha, plan.task))
        else:
            tried[one.label] = (one.name, failures.get(one.digest, Failure("it has not run")))
    rows = board.rows_of(tried, base, plan.metric, plan.least_gain, seed=int(plan.params["seed"]))
    compared = sum(row.difference is not None for row in rows)
    spread, count = _spread(plan, seeds, root, done, base)
    return Board(
        sweep=plan.sweep.name,
        question=plan.sweep.question,
        metric=plan.metric,
        baseline=plan.against,
        rows=rows if _in_order(plan) else board.ranked(rows, plan.metric),
        base=base.tested.get(plan.metric),
        level=many.level_of(compared),
        compared=compared,
        least_gain=plan.least_gain,
        spread=spread,
        seeds=count,
        measure=shlex.join(["mlworkflow", "sweep", SEEDS, *_words(_all_but_seed(plan))]),
        notes=_notes(plan),
    )


def _baseline(
    plan: Planned, root: Path, done: Mapping[str, tuple[str, str]], failures: Mapping[str, Failure]
) -> Outcome:
    if plan.baseline is None:
        return outcome(root, plan.state.commit, plan.task)
    digest = plan.baseline.digest
    if digest not in done:
        why = failures[digest].cause if digest in failures else "it has not run"
        raise SweepError(
            f"the baseline of the sweep must have run, but it has not: {why} Mend this, then run the sweep again: what "
            "is finished is kept."
        )
    return outcome(root, done[digest][1], plan.task)


def _spread(
    plan: Planned, seeds: Planned | None, root: Path, done: Mapping[str, tuple[str, str]], base: Outcome
) -> tuple[float | None, int]:
    """Return (standard deviation of the metric over seeds, how many) of the configuration that the sweep changes."""
    tried = seeds.experiments if seeds is not None else ()
    found = [outcome(root, done[one.digest][1], plan.task) for one in tried if one.digest in done]
    if not found:
        return None, 0
    own = [base.tested.get(plan.metric)] if _is_plain(plan) else []
    return board.spread_of([*own, *(one.tested.get(plan.metric) for one in found)])


def _is_plain(plan: Planned) -> bool:
    """Return whether the baseline is the very configuration that the sweep changes, not another that HEAD records."""
    return plan.baseline is not None or not (plan.overrides or plan.sweep.always or plan.state.changes)


def _in_order(plan: Planned) -> bool:
    """Return whether the order of the plan says more than a rank: sizes, seeds."""
    return plan.sweep.seeds is not None or (plan.sweep.grid is not None and len(plan.sweep.grid) == 1)


def _notes(plan: Planned) -> list[str]:
    notes = []
    if plan.state.changes and plan.baseline is None:
        notes.append("The experiments have the workspace's uncommitted changes, which the recorded baseline has not.")
    if plan.baseline is None and (plan.overrides or plan.sweep.always):
        notes.append("The experiments have the overrides of -S, which the recorded baseline has not.")
    return notes


def _words(overrides: Sequence[str]) -> list[str]:
    return [word for one in overrides for word in ("-S", one)]


def next_commands(plan: Planned, made: Board) -> list[str]:
    """Return what to type next: the winner into conf/, the losers away, the spread over seeds."""
    top, again = board.best(made), ["mlworkflow", "sweep", plan.sweep.name]
    again += _words(plan.overrides)
    winner = [shlex.join(["mlworkflow", "promote", top.name])] if top is not None and top.name else []
    return [*winner, shlex.join([*again, "--prune", "--keep", "3"]), *([made.measure] if made.spread is None else [])]


def _frame(made: Board) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(board.table(made))
