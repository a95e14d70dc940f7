"""Do the columns drift together, though none does alone? A classifier that tells new rows from those of training.

Where it tells them apart better than a coin, the rows come from two distributions (Lopez-Paz and Oquab 2017, Revisiting
classifier two-sample tests). Extremely randomised trees (Geurts, Ernst and Wehenkel 2006) are fitted on two thirds of
both tables and asked about the last third, three times. Not out of bag: where one of two classes is rare, a row that is
left out makes its own class rarer, and the AUC of rows that are the same falls far below 0.5.

Columns that came and went with the seasons of the training rows are left out: a window is one part of that pattern, so
the rows of a Saturday are told from those of all days, and nothing drifts. Each has its own check, with a limit of its
own for that reason (columns.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.monitoring.checks import Check
from mlworkflow.pages.templates import score

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.monitoring.sketch import Sample
    from mlworkflow.rows.arrays import Columns

TREES, LEAF, FOLDS = 40, 10, 3
WIDER = 1.3  # the AUCs of three folds hang together: over 90 tables without drift they strayed 1.2 times as far
MOST_TOLD = 3  # columns that tell most
SEASONAL = 0.02  # population stability index of a part of the training rows, from which on a column has seasons


@dataclass(frozen=True)
class Told:
    """How well the rows are told apart.

    Attributes:
        auc: ROC AUC, 0.5 where they are not.
        p: the chance of as much by chance (Mann and Whitney 1947, normal approximation).
        columns: that tell most.
    """

    auc: float
    p: float
    columns: list[str]


def told_apart(reference: Columns, window: Columns, seed: int = 0) -> Told:
    """Return how well the rows of two tables of the same columns are told apart."""
    from sklearn.ensemble import ExtraTreesRegressor  # of 0 and 1: the trees of a classifier, sooner grown
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    matrix = _matrix(reference, window)
    sizes = len(_first(reference)), len(_first(window))
    is_new = np.repeat([0, 1], sizes)
    aucs, weights = [], []
    for fitted, asked in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(matrix, is_new):
        forest = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, max_features=0.5, random_state=seed)
        forest.fit(matrix[fitted], is_new[fitted])
        aucs.append(roc_auc_score(is_new[asked], forest.predict(matrix[asked])))
        weights.append(forest.feature_importances_)
    auc, spread = float(np.mean(aucs)), WIDER * ((sum(sizes) + FOLDS) / (12 * sizes[0] * sizes[1])) ** 0.5
    order = np.argsort(-np.mean(weights, axis=0), kind="stable")[:MOST_TOLD]
    return Told(auc, _upper_tail((auc - 0.5) / spread), [[*reference][place] for place in order])


def steady(profile: Mapping[str, Any]) -> list[str]:
    """Return the columns that did not come and go with the seasons of the training rows."""
    apart = {name: (spread.get("seen") or {}).get("psi", 0.0) for name, spread in profile["columns"].items()}
    return [name for name, index in apart.items() if index < SEASONAL]


def check(
    reference: Columns | None, sample: Sample | None, settings: Monitor, columns: Sequence[str] | None = None
) -> tuple[Check | None, str]:
    """Return (the check, ""), or (None, why there is none).

    Args:
        reference: rows of training; None where the bundle holds none.
        sample: rows of the window.
        settings: how far is too far.
        columns: that are looked at; all by default.
    """
    if reference is None or sample is None:
        return None, "joint drift is not judged: the bundle holds no rows of training to set new ones against"
    rows = len(sample.hashes)
    if min(rows, len(_first(reference))) < max(settings.fewest_rows, FOLDS * LEAF):
        return None, ""
    asked = [name for name in reference if columns is None or name in columns]
    if not asked:
        return None, "joint drift is not judged: all columns came and went with the seasons in training"
    told = told_apart({name: reference[name] for name in asked}, {name: sample.columns[name] for name in asked})
    words = (
        f"new rows are told from those of training with a ROC AUC of {score(told.auc)} (0.5: not at all), "
        f"most by {', '.join(told.columns)}"
    )
    return Check("joint", "rows", told.auc, 0.5, settings.joint, told.auc > settings.joint, told.p, words, rows), ""


def _matrix(reference: Columns, window: Columns) -> np.ndarray:
    """Return both tables below each other as numbers: categories by their rank in training, missing far below all."""
    return np.column_stack([np.concatenate(_numbers(reference[name], window[name])) for name in reference])


def _numbers(then: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if then.dtype.kind != "O":
        lowest = np.nanmin([*then, *now, 0.0]) - 1.0
        return np.where(np.isfinite(then), then, lowest), np.where(np.isfinite(now), now, lowest)
    words, counts = np.unique([str(word) for word in then if word is not None], return_counts=True)
    ranked: Sequence[Any] = [words[place] for place in np.argsort(-counts, kind="stable")]
    codes: Mapping[Any, int] = {word: place for place, word in enumerate(ranked)}
    return (_codes(then, codes), _codes(now, codes))


def _codes(values: np.ndarray, codes: Mapping[Any, int]) -> np.ndarray:
    """Return -1 where missing, and one past the last where training never saw the word."""
    return np.array([-1 if word is None else codes.get(str(word), len(codes)) for word in values], dtype="float64")


def _upper_tail(z: float) -> float:
    from scipy.stats import norm

    return float(norm.sf(z))


def _first(columns: Columns) -> np.ndarray:
    return next(iter(columns.values()))
