"""Rows added at fit: of rare classes, or a little moved; inside the folds, and never to what an estimator holds out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC, LinearSVC

from mlworkflow.core.params import Augment
from mlworkflow.learning import models
from mlworkflow.learning.augment import Augmented, Noise, Oversample, augmented
from mlworkflow.learning.boosting import EarlyStoppedClassifier
from mlworkflow.learning.crossval import check_folds, fit, rows_of
from tests.test_models import SHELF, table


def numbered(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows that hold their own number, and their classes."""
    y = np.repeat(np.arange(len(counts)), counts)
    return np.arange(len(y), dtype=float)[:, None], y


def dense(matrix) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def test_rare_classes_are_drawn_until_they_have_their_share():
    X, y = numbered([100, 30, 70])
    more, labels = Oversample(ratio=0.5).added(X, y)
    assert np.bincount(labels).tolist() == [100, 50, 70]
    assert more[: len(X)].tolist() == X.tolist()
    np.testing.assert_array_equal(y[more[:, 0].astype(int)], labels)


def test_no_row_is_drawn_twice_as_long_as_another_of_its_class_is_left():
    X, y = numbered([90, 20])
    times = np.bincount(Oversample(ratio=1.0).added(X, y)[0][:, 0].astype(int))[90:]
    assert sorted(set(times)) == [4, 5]


def test_other_seeds_draw_other_rows():
    X, y = numbered([90, 20])
    drawn = [Oversample(ratio=0.3, seed=seed).added(X, y)[0].tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_numbers_are_moved_by_their_own_spread_and_nothing_else_is():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(0, 100, 4000), rng.normal(0, 0.01, 4000), rng.integers(0, 2, 4000), np.ones(4000)])
    X[::5, 0] = np.nan
    more, labels = Noise(size=0.2, copies=2).added(X, np.arange(4000))
    assert more.shape == (12_000, 4)
    np.testing.assert_array_equal(more[:4000], X)
    np.testing.assert_array_equal(labels, np.tile(np.arange(4000), 3))
    moved = more[4000:8000] - X
    assert np.nanstd(moved[:, 0]) == pytest.approx(20, rel=0.05)
    assert np.nanstd(moved[:, 1]) == pytest.approx(0.002, rel=0.05)
    assert (moved[:, 2:] == 0).all()
    np.testing.assert_array_equal(np.isnan(moved[:, 0]), np.isnan(X[:, 0]))
    assert not np.array_equal(more[4000:8000, 0], more[8000:, 0])


def test_the_zeros_of_a_sparse_matrix_stay():
    X = sparse.random(500, 6, density=0.3, format="csr", random_state=0)
    more, _ = Noise(size=0.5).added(X, np.arange(500))
    assert more.shape == (1000, 6)
    assert (more[:500] != X).nnz == 0
    np.testing.assert_array_equal(dense(more)[500:] != 0, dense(X) != 0)
    assert (more[500:] != X).nnz == X.nnz
    assert dense(more)[500:].std() < 2 * dense(X).std()
    flags = sparse.csr_array((dense(X) != 0).astype(float))
    assert (Noise().added(flags, np.arange(500))[0][500:] != flags).nnz == 0


def test_an_estimator_is_as_it_is_but_for_its_rows():
    X, y = numbered([40, 20])
    inner = LogisticRegression(max_iter=500)
    found = Augmented(inner, Oversample(ratio=1.0)).fit(X, y)
    again = clone(inner).fit(*Oversample(ratio=1.0).added(X, y))
    np.testing.assert_array_equal(found.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(found.classes_, [0, 1])
    assert not hasattr(Augmented(LinearSVC(), Oversample()), "predict_proba")
    assert not hasattr(Augmented(Ridge(), Noise()), "decision_function")


def test_what_an_estimator_holds_out_has_no_copies():
    """Calibration, early stopping and the scaled target come first, the rows are added inside of them."""
    found = augmented(CalibratedClassifierCV(SVC(), ensemble=False), Oversample())
    assert isinstance(found.estimator, Augmented)
    found = augmented(TransformedTargetRegressor(Ridge()), Noise())
    assert isinstance(found.regressor, Augmented)
    found = augmented(EarlyStoppedClassifier(LogisticRegression()), Oversample())
    assert isinstance(found.rows, Oversample)
    assert isinstance(found.estimator, LogisticRegression)
    assert isinstance(augmented(LogisticRegression(), Oversample()), Augmented)


OVERSAMPLE = Augment.model_validate(
    {"name": "oversample", "rows": {"_target_": "mlworkflow.learning.augment.Oversample", "ratio": 1.0}}
)
NOISE = Augment.model_validate({"name": "noise", "rows": {"_target_": "mlworkflow.learning.augment.Noise"}})


@pytest.mark.parametrize("name", ["linear", "random_forest", "svm_linear", "xgboost"])
def test_a_rare_class_is_seen_more_often_when_its_rows_are_drawn_again(name):
    made, schema = table("binary")
    rare = made["z"] > 1.0
    made["y"] = rare.astype("int64")
    rows = rows_of(made[["x", *made.columns.drop("x")]], schema, "binary")
    plain, more = (
        fit(models.pipeline(SHELF[name], schema, "binary", augment=augment), rows) for augment in (None, OVERSAMPLE)
    )
    assert not np.array_equal(plain.predict_proba(rows.table), more.predict_proba(rows.table))
    np.testing.assert_array_equal(*(dense(one[:-1].transform(rows.table)) for one in (plain, more)))


def test_rows_are_added_inside_of_the_folds(monkeypatch):
    """The rows that a fold is checked on are none that were added, nor is a copy of them fitted on."""
    made, schema = table("regression")
    rows, pipe = (
        rows_of(made, schema, "regression"),
        models.pipeline(SHELF["linear"], schema, "regression", None, NOISE),
    )
    given = []
    added = Noise.added
    monkeypatch.setattr(Noise, "added", lambda self, X, y: given.append(len(y)) or added(self, X, y))
    order = np.arange(len(rows))
    parts = [(order[order % 3 != part], order[order % 3 == part]) for part in range(3)]
    scored = check_folds(pipe, rows, parts)
    assert given == [80, 80, 80]
    assert [len(part) for part in scored] == [40, 40, 40]


@pytest.mark.parametrize("name", ["linear", "lasso", "mlp"])
def test_a_sparse_or_scaled_model_takes_moved_rows(name):
    made, schema = table("regression")
    rows = rows_of(made, schema, "regression")
    said = fit(models.pipeline(SHELF[name], schema, "regression", augment=NOISE), rows).predict(rows.table)
    assert np.isfinite(said).all()
