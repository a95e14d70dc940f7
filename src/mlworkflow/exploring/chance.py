"""Whether anything tells the target at all: a target whose rows were mixed up has nothing to do with its inputs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlworkflow.exploring.associations import as_numbers, commonest
from mlworkflow.exploring.findings import Data, Finding, many
from mlworkflow.pages.templates import score
from mlworkflow.rows.sampling import thin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.rows.schema import Column

FEWEST_ROWS = 100  # with fewer, chance cannot be told from a weak signal
MOST_TRIED = 5000  # evenly spaced rows
MOST_WORDS = 20  # categories told apart
LEVEL = 0.001  # of all columns together: how often a target without signal is taken for one with


def nothing_tells(data: Data) -> list[Finding]:
    """A target that no column tells alone, and no forest from all of them, better than chance.

    Each column alone: Kruskal and Wallis (1952), Spearman (1904) or chi squared, by Bonferroni. Then extremely
    randomised trees (Geurts, Ernst and Wehenkel 2006), out of fold. Free text is not judged, so a table with it is
    not either.
    """
    if data.target is None or any(column.kind == "text" for column in data.inputs) or not data.inputs:
        return []
    table = thin(data.train, MOST_TRIED)
    if len(table) < FEWEST_ROWS:
        return []
    truth = table[str(data.schema.target)].to_numpy()
    if len(np.unique(truth)) < 2:
        return []
    matrix = np.column_stack([_numbers(table[column.name], column) for column in data.inputs])
    chances = [_alone(matrix[:, at], column, truth, data) for at, column in enumerate(data.inputs)]
    least = min(chances)
    if least < LEVEL / len(chances) or (together := _together(matrix, truth, data)) < LEVEL:
        return []
    what = (
        f"Nothing tells {data.schema.target!r}: of {many(len(chances), 'column')} none has to do with it beyond chance "
        f"(least p-value {score(least)}), and a forest of all of them does no better (p-value {score(together)}). "
        "Were the rows of the target mixed up, or are the inputs of other rows?"
    )
    return [Finding("nothing_tells", "high", data.schema.target, what, 2)]


def _numbers(values: pd.Series, column: Column) -> NDArray[np.float64]:
    """Return numbers as they are and the commonest categories as codes; what is missing is a value of its own."""
    if column.kind != "category":
        return as_numbers(values)
    top = commonest(values.value_counts()).index[:MOST_WORDS]
    return top.get_indexer(pd.Index(values)).astype("float64")


def _alone(numbers: NDArray[np.float64], column: Column, truth: NDArray[Any], data: Data) -> float:
    """Return how often chance makes so strong an association of one column and the target; 1 for a constant."""
    from scipy import stats

    known = ~np.isnan(numbers)
    numbers, truth = numbers[known], truth[known]
    if len(np.unique(numbers)) < 2 or len(np.unique(truth)) < 2:
        return 1.0
    if column.kind == "category" and data.schema.classes:
        return float(stats.chi2_contingency(pd.crosstab(numbers, truth).to_numpy()).pvalue)
    if column.kind == "category":
        return float(stats.kruskal(*(truth[numbers == code] for code in np.unique(numbers))).pvalue)
    if data.schema.classes:
        return float(stats.kruskal(*(numbers[truth == code] for code in np.unique(truth))).pvalue)
    return float(stats.spearmanr(numbers, truth).pvalue)


def _together(matrix: NDArray[np.float64], truth: NDArray[Any], data: Data) -> float:
    """Return how often chance makes so good a forest, out of fold."""
    from scipy import stats
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.model_selection import KFold, cross_val_predict

    filled = np.where(np.isnan(matrix), np.nanmin(matrix, axis=0, initial=0.0) - 1, matrix)
    folds = KFold(5, shuffle=True, random_state=0)
    settings: dict[str, Any] = {"n_estimators": 100, "min_samples_leaf": 3, "random_state": 0}
    if not data.schema.classes:
        told = cross_val_predict(ExtraTreesRegressor(**settings), filled, truth, cv=folds)
        return float(stats.spearmanr(told, truth, alternative="greater").pvalue)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a rare class may be in no fold
        forest = ExtraTreesClassifier(**settings)
        told = cross_val_predict(forest, filled, truth, cv=folds, method="predict_proba")
    present = np.unique(truth)
    chances = [
        stats.spearmanr(told[:, at], truth == code, alternative="greater").pvalue for at, code in enumerate(present)
    ]
    return float(min(1.0, np.nanmin(chances) * len(present)))
