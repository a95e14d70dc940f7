"""Search the model's parameters on the training rows: train -> tuning/."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.learning import partitions
from mlworkflow.learning.crossval import Fold, Rows, rows_of
from mlworkflow.learning.models import pipeline
from mlworkflow.rows.schema import Schema
from mlworkflow.rows.split import folds
from mlworkflow.tuning.choosing import Choice, chosen
from mlworkflow.tuning.influence import influence
from mlworkflow.tuning.jobs import Plan
from mlworkflow.tuning.journal import Journal, fingerprint
from mlworkflow.tuning.search import Rules, search
from mlworkflow.tuning.setting import Setting, encoded, sampler, setting
from mlworkflow.tuning.trials import Trial, table
from mlworkflow.tuning.workers import crew

if TYPE_CHECKING:
    from mlworkflow.core.problem import Stopping


def progress(trials: int) -> Callable[[Trial, Trial | None], None]:
    """Return what shows a bar with the best so far and the time left; on no terminal, a plain line every quarter."""
    from tqdm import tqdm

    live = sys.stderr.isatty()
    bar = tqdm(total=trials, desc="tune", unit="trial", disable=not live)

    def tell(trial: Trial, best: Trial | None) -> None:
        words = f"best so far {best.score:.5g} (trial {best.asked.number})" if best else "none worked so far"
        bar.set_postfix_str(words, refresh=False)
        bar.update()
        done = trial.asked.number + 1
        if not live and done % max(trials // 4, 1) == 0:
            print(f"tune: trial {done} of at most {trials}, {words}", flush=True)

    return tell


def told_of_end(trials: Sequence[Trial], stopping: Stopping) -> list[str]:
    """Return why the search ended before its budget of trials, and whether it would end so again."""
    lines = []
    if stopping.seconds is not None:
        lines.append(
            f"tune: the budget is {stopping.seconds:g} seconds, so another run may make other trials; "
            "a budget in problem.stopping.trials alone is repeatable"
        )
    elif 1 < len(trials) < stopping.trials:
        lines.append(f"tune: ended after {len(trials)} of at most {stopping.trials} trials, as no gain came")
    return lines


def searched(
    sections: Sections, what: Setting, schema: Schema, rows: Rows, parts: Sequence[Fold], journal: Journal
) -> list[Trial]:
    """Return the trials; those that a search which was killed has finished are not made again."""
    problem, how, stopping = sections.problem, sections.search, sections.problem.stopping
    if len(journal):
        print(f"tune: a search was stopped here before; {len(journal)} of its fits are not made again", flush=True)
    spent = journal.seconds / (sections.compute.workers or 1) if stopping.seconds else 0.0
    deadline = time.time() + stopping.seconds - spent if stopping.seconds else None
    asker = sampler(how, what)
    drawn = None if problem.split.scheme == "time" else sections.seed
    folded = encoded(what, schema, rows, parts, asker.shares, drawn)
    several = len(what.models) > 1 and problem.task != "clustering"  # clusters of two trials have no mean
    plan = Plan(what.models, problem.task, problem.metrics.primary, sections.augment, several, deadline)
    rules = Rules(stopping, len(parts), what.maximise, how.batch, how.prune)
    with crew(sections.compute, plan, folded) as run, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one trial among many; what a user must know comes up in train
        return search(asker, journal.through(run), rules, progress(stopping.trials), spent)


def rests_on(sections: Sections) -> str:
    """Return a hash of all that a trial's score hangs on beside its parameters."""
    problem = sections.problem
    parts = [
        sections.seed,
        sections.model,
        sections.augment,
        problem.data,
        problem.task,
        problem.split,
        problem.metrics,
    ]
    return fingerprint([str(part) for part in parts], [paths.TRAIN, paths.FEATURES])


def best_params(choice: Choice, trials: Sequence[Trial], what: Setting) -> dict[str, Any]:
    """Return what `train` fits: the parameters of the one model, or the members of several families."""
    members: list[dict[str, Any]] = [
        {"family": one.asked.family, "weight": choice.weights[one.asked.number], "parameters": one.asked.parameters}
        for one in trials
        if one.asked.number in choice.weights
    ]
    if len(what.models) == 1:
        return dict(members[0]["parameters"])
    return {"members": sorted(members, key=lambda member: -member["weight"])}


def main(sections: Sections) -> None:
    """Write one row a trial, what is taken of them, and how much each parameter matters."""
    problem, seed = sections.problem, sections.seed
    what = setting(sections.model, problem)
    schema = Schema.from_dict(io.read_json(paths.FEATURES))
    train = partitions.sample(paths.TRAIN) if sections.model.distributed else io.read_table(paths.TRAIN)
    rows = rows_of(train, schema, problem.task)
    parts = folds(train, rows.target, problem.data, problem.split, problem.task, seed)
    for model in what.models.values():
        pipeline(model, schema, problem.task)  # a model that cannot be built is told before anything long starts
    journal = Journal(paths.JOURNAL, rests_on(sections))
    trials = searched(sections, what, schema, rows, parts, journal)
    for line in told_of_end(trials, problem.stopping):
        print(line, flush=True)
    truth = [rows.target[check] for _, check in parts] if rows.target is not None else []
    choice = chosen(trials, truth, what)
    io.write_table(table(trials, choice.weights), paths.TRIALS)
    io.write_table(influence(trials, what.spaces, what.maximise), paths.INFLUENCE)
    io.write_json(choice.to_dict(), paths.CHOICE)
    io.write_yaml(best_params(choice, trials, what), paths.BEST_PARAMS)
    io.write_json({str(one.asked.number): round(one.seconds, 3) for one in trials}, paths.TIMINGS / "trials.json")
    journal.forget()
