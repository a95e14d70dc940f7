"""The points of each plot as small tables, for DVC plots and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.judging import calibration
from mlworkflow.measures.metrics import Scored
from mlworkflow.rows.sampling import thin

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 2000
COLUMNS = {
    "roc.csv": ["false_positive_rate", "true_positive_rate"],
    "precision_recall.csv": ["recall", "precision"],
    "confusion.csv": ["actual", "predicted"],
    "calibration.csv": ["predicted", "observed", "rows"],
    "residuals.csv": ["predicted", "residual"],
    "clusters.csv": ["first", "second", "cluster"],
    "importance.csv": ["column", "drop"],
}


def tables(scored: Scored, classes: Sequence[Any], importance: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Return file name -> table; plots that do not fit the task have no rows, since DVC asks for every file."""
    import pandas as pd

    found = {name: pd.DataFrame(columns=columns) for name, columns in COLUMNS.items()}
    found["importance.csv"] = importance[["column", "drop"]]
    if scored.probabilities is not None:
        names = np.asarray([str(name) for name in classes], dtype=object)
        said = pd.DataFrame({"actual": names[scored.truth], "predicted": names[scored.labels]})
        found |= {"confusion.csv": said, "calibration.csv": calibration.curve(scored)} | curves(scored)
    elif scored.truth.ndim == 1:
        lines = pd.DataFrame({"predicted": scored.labels, "residual": scored.truth - scored.labels})
        found["residuals.csv"] = thin(lines, MOST_POINTS)
    else:
        found["clusters.csv"] = thin(_plane(scored, seed), MOST_POINTS)
    return found


def curves(scored: Scored) -> dict[str, pd.DataFrame]:
    """ROC and precision-recall of the positive class; for more classes over all (row, class) pairs (micro average)."""
    import pandas as pd
    from sklearn.metrics import precision_recall_curve, roc_curve

    assert scored.probabilities is not None
    said, true = scored.probabilities.ravel(), (scored.truth[:, None] == np.arange(scored.k)).ravel()
    if scored.k == 2:
        said, true = scored.probabilities[:, 1], scored.truth == 1
    false_positive, true_positive, _ = roc_curve(true, said)
    precision, recall, _ = precision_recall_curve(true, said, drop_intermediate=True)
    roc = pd.DataFrame({"false_positive_rate": false_positive, "true_positive_rate": true_positive})
    precision_recall = pd.DataFrame({"recall": recall, "precision": precision})
    return {"roc.csv": thin(roc, MOST_POINTS), "precision_recall.csv": thin(precision_recall, MOST_POINTS)}


def _plane(scored: Scored, seed: int) -> pd.DataFrame:
    """Return the rows on their first two principal components."""
    import pandas as pd
    from sklearn.decomposition import PCA

    count = min(2, scored.truth.shape[1])
    plane = PCA(count, random_state=seed).fit_transform(scored.truth)
    second = plane[:, 1] if count == 2 else np.zeros(len(plane))
    return pd.DataFrame({"first": plane[:, 0], "second": second, "cluster": scored.labels})
