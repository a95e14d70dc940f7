"""The best possible score: what the true probabilities or means, which only a simulation knows, reach on the same rows.

`problem.reference.best` names their column. No model sees it, serving does not ask for it; evaluate alone scores it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.learning.crossval import decide
from mlworkflow.learning.threshold import by_expected_worth
from mlworkflow.measures import metrics, worth
from mlworkflow.measures.compare import paired
from mlworkflow.measures.metrics import Scored

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem
    from mlworkflow.rows.schema import Schema


def possible(test: pd.DataFrame, scored: Scored, problem: Problem, schema: Schema) -> Scored | None:
    """Return the test rows as one would score them who knows the truth; None where nobody does.

    Classes are decided as for a model, by what the outcomes are worth: the largest expected worth, and without values
    the likelier class. `scored`: what the model says of the same rows.
    """
    if problem.reference.best is None:
        return None
    truth = test[problem.reference.best].to_numpy(dtype=float)
    if not schema.classes:
        return replace(scored, labels=truth)
    probabilities = np.column_stack([1 - truth, truth])
    value = problem.value
    rule = by_expected_worth(value, schema.classes) if value is not None and value.outcomes else None
    return replace(scored, labels=decide(probabilities, rule), probabilities=probabilities)


def told(best: Scored | None, scored: Scored, problem: Problem, schema: Schema, seed: int) -> dict[str, Any] | None:
    """Return what findings.json tells: the best possible metrics, how far the model is from the first, the money."""
    if best is None:
        return None
    return {
        "metrics": metrics.score(problem.metrics.names, best),
        "ahead": paired(problem.metrics.primary, best, scored, seed=seed).to_dict(),
        "money": worth.total(best, problem.value, schema.classes) if problem.value else None,
    }
