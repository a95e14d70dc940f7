"""Which columns the model rests on: how much a metric loses when one is shuffled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.learning.crossval import Rows, predict
from mlworkflow.measures import metrics
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.sampling import thinned

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 2000  # evenly spaced ones of more


def importance(fitted: Any, rows: Rows, metric: str, seed: int) -> pd.DataFrame:
    """Return how much the metric loses when a column is shuffled (Breiman 2001): column, drop, spread, sorted."""
    import pandas as pd
    from sklearn.inspection import permutation_importance

    some = rows.take(thinned(len(rows), MOST_ROWS))
    if rows.task == "clustering":
        space = fitted[:-1].transform(some.table)

    def goodness(model: Any, table: pd.DataFrame, target: np.ndarray | None) -> float:
        said = predict(model, Rows(table, target, rows.task))
        if rows.task == "clustering":  # the shuffled rows' clusters, judged where the rows really are
            said = Scored(np.asarray(space, dtype=float), said.labels, None)
        return metrics.gain(metric, metrics.score([metric], said)[metric], 0.0)

    found = permutation_importance(fitted, some.table, some.target, scoring=goodness, n_repeats=5, random_state=seed)
    table = pd.DataFrame(
        {"column": some.table.columns, "drop": found["importances_mean"], "spread": found["importances_std"]}
    )
    return table.sort_values(["drop", "column"], ascending=[False, True], kind="stable", ignore_index=True)
