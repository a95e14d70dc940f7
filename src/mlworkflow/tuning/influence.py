"""How much each parameter decides the score of a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlworkflow.tuning.trials import Trial

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 8  # trials from which on it can be told


def influence(trials: Sequence[Trial], spaces: Mapping[str, Mapping[str, Any]], maximise: bool) -> pd.DataFrame:
    """Return parameter, share: of the variance among the better trials (PED-ANOVA: Watanabe et al. 2023), sorted.

    Args:
        trials: of one or more families; those that count tell.
        spaces: family -> parameter -> Optuna distribution. Parameters of several families carry the family's name.
        maximise: whether a larger score is better.
    """
    import pandas as pd

    lines = []
    for family, space in spaces.items():
        theirs = [trial for trial in trials if trial.counts and trial.asked.family == family]
        for name, share in _of_one(theirs, space, maximise).items():
            lines.append({"parameter": name if len(spaces) == 1 else f"{family} {name}", "share": share})
    table = pd.DataFrame(lines, columns=["parameter", "share"])
    return table.sort_values(["share", "parameter"], ascending=[False, True], kind="stable", ignore_index=True)


def _of_one(trials: Sequence[Trial], space: Mapping[str, Any], maximise: bool) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    study = optuna.create_study(direction="maximize" if maximise else "minimize")
    for trial in trials:
        inside = {name: trial.asked.parameters[name] for name in space if name in trial.asked.parameters}
        if len(inside) == len(space) and all(
            space[name]._contains(space[name].to_internal_repr(inside[name])) for name in inside
        ):
            study.add_trial(optuna.trial.create_trial(params=inside, distributions=dict(space), value=trial.score))
    if not space or len(study.trials) < FEWEST:
        return {}
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(share) for name, share in found.items()}
