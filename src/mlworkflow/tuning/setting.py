"""What is searched: the families of a model, their spaces, their samplers, their folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate

from mlworkflow.core.params import families, family
from mlworkflow.learning.models import own_parameters
from mlworkflow.measures import metrics
from mlworkflow.tuning import samplers
from mlworkflow.tuning.encoded import Encoded, encode
from mlworkflow.tuning.turns import Turns

if TYPE_CHECKING:
    from mlworkflow.core.params import Model, Search
    from mlworkflow.core.problem import Problem
    from mlworkflow.learning.crossval import Fold, Rows
    from mlworkflow.rows.schema import Schema

Spaces = Mapping[str, Mapping[str, Any]]  # family -> parameter -> Optuna distribution


@dataclass(frozen=True)
class Setting:
    """What is searched, and how it is judged."""

    models: Mapping[str, Model]
    spaces: Spaces
    problem: Problem
    maximise: bool


def setting(model: Model, problem: Problem) -> Setting:
    """Return the families of the model with their spaces."""
    models = families(model, problem.task)
    kind = family(problem.task)
    spaces = {
        name: {key: instantiate(item.config()) for key, item in getattr(one.space, kind).items()}
        for name, one in models.items()
    }
    return Setting(models, spaces, problem, metrics.METRICS[problem.metrics.primary].greater_is_better)


def sampler(how: Search, what: Setting) -> samplers.Sampler:
    """Return the sampler of the whole search: of one model, or of several under one budget."""
    trials = what.problem.stopping.trials
    each = {
        name: samplers.begin(
            instantiate(how.sampler.config()) if how.sampler else None,
            name,
            own_parameters(model, what.problem.task),
            what.spaces[name],
            trials=trials // len(what.models) or 1,
            maximise=what.maximise,
        )
        for name, model in what.models.items()
    }
    return Turns(each, maximise=what.maximise) if len(each) > 1 else next(iter(each.values()))


def encoded(
    what: Setting, schema: Schema, rows: Rows, parts: Sequence[Fold], shares: Sequence[float], seed: int | None
) -> dict[tuple[str, float], list[Encoded]]:
    """Return the folds as each family wants them, for each share of the rows; families that want the same share one."""
    made: dict[Any, list[Encoded]] = {}
    for share in shares:
        for model in what.models.values():
            if (key := (model.wants.model_dump_json(), share)) not in made:
                made[key] = encode(schema, model.wants, rows, parts, share, seed)
    return {
        (name, share): made[model.wants.model_dump_json(), share]
        for name, model in what.models.items()
        for share in shares
    }
