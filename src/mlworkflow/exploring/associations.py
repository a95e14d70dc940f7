"""How far one column tells the target, how far its values moved, which columns are the same: numbers from arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from mlworkflow.rows.profile import lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.rows.schema import Column, Schema

MOST_RANGES = 100  # of a number, in a rule that tells another number
FEWEST_IN_RANGE = 5  # rows of a range, each told by the others
MOST_WORDS = 20  # the commonest, counted in a stability index


class Strength(NamedTuple):
    """How far one column tells the target: the measure's name, its value, and the value on a scale from 0 to 1."""

    measure: str
    value: float
    share: float


def strength(values: pd.Series, column: Column, target: NDArray[Any], schema: Schema) -> Strength | None:
    """Return how far `values` (n,) alone tell the `target` (n,), or None where that cannot be measured.

    - a number against two classes: the area under the ROC curve, at least 0.5 whichever way it points;
    - against several classes, and categories against a number: the share of variance explained (eta squared,
      adjusted for the number of groups);
    - against a number: Spearman's rank correlation;
    - text: as a number, how many words it has;
    - categories against two classes: the area under the ROC curve of the rates of the categories, cross-fitted;
    - categories against several classes: the share of the errors of guessing the commonest class that knowing the
      category takes away (Goodman and Kruskal's lambda, each row told by the other rows alone).
    """
    values = lengths(values) if column.kind == "text" else values
    known = values.notna().to_numpy() & ~pd.isna(target)
    if column.kind == "text" or known.sum() < 10:
        return None
    if values[known].nunique() < 2 or len(np.unique(target[known])) < 2:
        return None
    if column.kind == "category":
        return _strength_of_words(pd.factorize(values[known])[0], target[known], schema)
    return _strength_of_numbers(as_numbers(values[known]), target[known], schema)


def _strength_of_words(groups: NDArray[Any], truth: NDArray[Any], schema: Schema) -> Strength:
    if len(schema.classes) == 2:
        value = _area_of_rates(groups, truth == 1)
        return Strength("AUC", value, 2 * value - 1)
    if schema.classes:
        value = _errors_taken_away(groups, truth)
        return Strength("errors less", value, value)
    value = _explained(truth.astype(float), groups)
    return Strength("variance explained", value, value)


def _strength_of_numbers(numbers: NDArray[np.float64], truth: NDArray[Any], schema: Schema) -> Strength | None:
    if len(schema.classes) == 2:
        value = _area(numbers, truth == 1)
        return None if math.isnan(value) else Strength("AUC", value, 2 * value - 1)
    if schema.classes:
        value = _explained(numbers, truth)
        return Strength("variance explained", value, value)
    value = float(np.corrcoef(_ranks(numbers), _ranks(truth.astype(float)))[0, 1])
    return Strength("rank correlation", value, abs(value))


def rule(values: pd.Series, target: NDArray[Any], schema: Schema) -> Strength:
    """Return how far a rule of ranges of a number (n,) tells the target (n,), whatever the shape of the dependence.

    A decision tree (Breiman et al. 1984) finds the ranges; each row is told by the others of its range. A value is
    told by its rank, so that a few large ones do not make up the variance.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    known = values.notna().to_numpy() & ~pd.isna(target)
    numbers, truth = as_numbers(values[known])[:, None], target[known]
    if not schema.classes:
        truth = _ranks(truth.astype(float))
    tree = (DecisionTreeClassifier if schema.classes else DecisionTreeRegressor)(
        max_leaf_nodes=max(16, 2 * len(schema.classes)) if schema.classes else MOST_RANGES,
        min_samples_leaf=FEWEST_IN_RANGE,
        random_state=0,
    )
    places = np.unique(tree.fit(numbers, truth).apply(numbers), return_inverse=True)[1]
    return _strength_of_words(places, truth, schema)


def as_numbers(values: pd.Series) -> NDArray[np.float64]:
    """Return numbers as they are, and times as seconds."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.to_numpy().astype("datetime64[s]").astype("float64")
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64")


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(pd.Series(values).rank(), dtype="float64")


def _area(numbers: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, at least 0.5; NaN with fewer than 5 rows on a side."""
    if min(positive.sum(), (~positive).sum()) < 5:
        return math.nan
    area = _under_the_curve(numbers, positive)
    return max(area, 1 - area)


def _under_the_curve(numbers: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve by the ranks of the positive rows (Mann and Whitney 1947)."""
    ones, zeros = int(positive.sum()), int((~positive).sum())
    return float((_ranks(numbers)[positive].sum() - ones * (ones + 1) / 2) / max(ones * zeros, 1))


def nearest_classes(values: pd.Series, target: NDArray[Any]) -> float:
    """Return the AUC between the two classes that a column tells apart least, of neighbours by their median."""
    known = values.notna().to_numpy()
    numbers, truth = as_numbers(values[known]), target[known]
    medians = pd.Series(numbers).groupby(truth).median().sort_values(kind="stable")
    areas = []
    for low, high in zip(medians.index, medians.index[1:], strict=False):
        both = (truth == low) | (truth == high)
        areas.append(_area(numbers[both], truth[both] == high))
    return float(np.min(areas)) if areas else math.nan


def _explained(numbers: NDArray[np.float64], groups: NDArray[Any]) -> float:
    """Return the share of the variance of `numbers` that lies between groups, adjusted; at least 0."""
    rows = len(numbers)
    means = pd.Series(numbers).groupby(groups).transform("mean").to_numpy()
    kinds, total = len(np.unique(groups)), float(((numbers - numbers.mean()) ** 2).sum())
    if total == 0 or rows <= kinds:
        return 0.0
    within = float(((numbers - means) ** 2).sum())
    return max(0.0, 1 - within / total * (rows - 1) / (rows - kinds))


def _area_of_rates(groups: NDArray[Any], positive: NDArray[np.bool_], parts: int = 5) -> float:
    """Return the area under the ROC curve of each category's rate of positives, at least 0.5.

    A row's rate comes from the other fifths of the rows, pulled towards the mean by one row, so that a category of few
    rows tells nothing of itself.
    """
    part, rates = np.random.default_rng(0).permutation(len(groups)) % parts, np.zeros(len(groups))
    kinds, mean = int(groups.max()) + 1, float(positive.mean())
    for number in range(parts):
        own = part == number
        count = np.bincount(groups[~own], minlength=kinds)
        hits = np.bincount(groups[~own], weights=positive[~own], minlength=kinds)
        rates[own] = ((hits + mean) / (count + 1))[groups[own]]
    return max(_under_the_curve(rates, positive), 0.5)


def _errors_taken_away(groups: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the share of errors that guessing by group saves; each row is told by the others of its group."""
    classes, codes = np.unique(truth, return_inverse=True)
    kinds = int(groups.max()) + 1
    counts = np.bincount(groups * len(classes) + codes, minlength=kinds * len(classes)).reshape(kinds, -1)[groups]
    own = codes[:, None] == np.arange(len(classes))[None, :]
    others = counts - own
    guess = others + 1e-6 * (own.sum(axis=0) / len(truth))  # alone in its group: the commonest class
    errors = int((classes[guess.argmax(axis=1)] != truth).sum())
    base = len(truth) - int(own.sum(axis=0).max())
    return max(0.0, 1 - errors / base) if base else 0.0


def surprise(target: NDArray[Any], gone: NDArray[np.bool_]) -> float:
    """Return by how many standard deviations chi squared of classes against `gone` is more than chance makes it."""
    table = pd.crosstab(target, gone).to_numpy(dtype="float64")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    freedom = len(table) - 1
    return (float(((table - expected) ** 2 / expected).sum()) - freedom) / math.sqrt(2 * freedom)


def correlations(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the correlation of each two of the columns; a missing value counts as the mean."""
    matrix = table.to_numpy(dtype="float64")
    matrix = matrix - np.nanmean(matrix, axis=0)
    matrix = np.nan_to_num(matrix / np.maximum(np.nanstd(matrix, axis=0), 1e-300))
    squares = (matrix**2).sum(axis=0)
    return np.asarray(matrix.T @ matrix / np.sqrt(np.outer(squares, squares)))


def stability_index(before: pd.Series, after: pd.Series, *, words: bool) -> float:
    """Return the population stability index of (n,) and (m,) values, less what chance alone makes of it; at least 0.

    Numbers are counted in tenths of `before`, words by category (the commonest); missing is a place of its own.
    """
    places = _places_of_words(before, after) if words else _places_of_numbers(as_numbers(before), as_numbers(after))
    kinds = np.unique(np.concatenate(places))
    shares = []
    for place in places:
        counts = (place[:, None] == kinds[None, :]).sum(axis=0) + 0.5
        shares.append(counts / counts.sum())
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    return max(0.0, index - (len(kinds) - 1) * (1 / len(before) + 1 / len(after)))


def commonest(counts: pd.Series) -> pd.Series:
    """Return the counts, the highest first, equals in the order of what is counted."""
    return counts.sort_index().sort_values(ascending=False, kind="stable")


def _places_of_words(before: pd.Series, after: pd.Series) -> list[NDArray[Any]]:
    common = commonest(before.value_counts()).index[:MOST_WORDS]
    return [np.where(values.isna(), -2, common.get_indexer(pd.Index(values))) for values in (before, after)]


def _places_of_numbers(before: NDArray[np.float64], after: NDArray[np.float64]) -> list[NDArray[Any]]:
    tenths = np.arange(1, 10) / 10
    edges = np.zeros(0) if np.isnan(before).all() else np.unique(np.nanquantile(before, tenths))
    return [np.where(np.isnan(one), -2, np.searchsorted(edges, one, side="left")) for one in (before, after)]
