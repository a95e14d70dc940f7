"""Search the model's parameters on the training rows: train -> tuning/."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections, family
from mlworkflow.learning.crossval import Rows, check_folds, rows_of
from mlworkflow.learning.models import pipeline
from mlworkflow.learning.search import Parameters, Trial, search, table, taken_of
from mlworkflow.measures import metrics
from mlworkflow.rows.schema import Schema
from mlworkflow.rows.split import folds

if TYPE_CHECKING:
    from mlworkflow.core.params import Model
    from mlworkflow.core.problem import Problem
    from mlworkflow.learning.crossval import Fold


def judge(
    model: Model, schema: Schema, rows: Rows, parts: list[Fold], metric: str
) -> Callable[[Parameters], tuple[float, float]]:
    """Return the function parameters -> (mean, standard deviation) of the metric over the folds."""
    import numpy as np

    def evaluate(parameters: Parameters) -> tuple[float, float]:
        checked = check_folds(pipeline(model, schema, rows.task, parameters), rows, parts)
        scores = [metrics.score([metric], part)[metric] for part in checked]
        return float(np.mean(scores)), float(np.std(scores))

    return evaluate


def progress(trials: int) -> Callable[[Trial, Trial | None], None]:
    """Return what shows a bar with the best so far and the time left; on no terminal, a plain line every quarter."""
    from tqdm import tqdm

    live = sys.stderr.isatty()
    bar = tqdm(total=trials, desc="tune", unit="trial", disable=not live)

    def tell(trial: Trial, best: Trial | None) -> None:
        words = f"best so far {best.score:.5g} (trial {best.number})" if best else "none worked so far"
        bar.set_postfix_str(words, refresh=False)
        bar.update()
        if not live and (trial.number + 1) % max(trials // 4, 1) == 0:
            print(f"tune: trial {trial.number + 1} of at most {trials}, {words}", flush=True)

    return tell


def main(sections: Sections) -> None:
    """Write one row a trial, and the best parameters."""
    from hydra.utils import instantiate

    problem: Problem = sections.problem
    model, how, seed = sections.model, sections.search, sections.seed
    schema, train = Schema.from_dict(io.read_json(paths.FEATURES)), io.read_table(paths.TRAIN)
    rows = rows_of(train, schema, problem.task)
    parts = folds(train, rows.target, problem.data, problem.split, problem.task, seed)
    space = {name: instantiate(item.config()) for name, item in getattr(model.space, family(problem.task)).items()}
    sampler: Any = instantiate(how.sampler.config()) if how.sampler else None
    pipeline(model, schema, problem.task)  # a model that cannot be built is told before anything long starts
    own = getattr(model, family(problem.task)).config()
    maximise = metrics.METRICS[problem.metrics.primary].greater_is_better
    trials = search(
        judge(model, schema, rows, parts, problem.metrics.primary),
        space,
        {name: own[name] for name in space if name in own},
        sampler=sampler,
        stopping=problem.stopping,
        batch=how.batch,
        maximise=maximise,
        tell=progress(problem.stopping.trials),
    )
    if sampler is not None and space and len(trials) < problem.stopping.trials:
        print(
            f"tune: ended after {len(trials)} of at most {problem.stopping.trials} trials, as no gain came", flush=True
        )
    taken = taken_of(trials, maximise, space, problem.metrics.least_gain)
    io.write_table(table(trials, taken), paths.TRIALS)
    io.write_yaml(taken.parameters if taken else {}, paths.BEST_PARAMS)
