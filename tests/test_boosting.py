"""Boosters that stop by themselves: on rows held out, the last ones by time; then all rows are fitted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from xgboost import XGBClassifier, XGBRegressor

from mlworkflow.core.problem import Data, Split
from mlworkflow.learning import modelfile
from mlworkflow.learning.augment import Oversample
from mlworkflow.learning.boosting import EarlyStoppedClassifier, EarlyStoppedRegressor
from mlworkflow.preparing.prepare import prepare
from mlworkflow.rows.split import folds
from tests.conftest import make_problem


def rows(count: int = 400, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 4))
    return X, X[:, 0] + X[:, 1] ** 2 + noise * rng.normal(size=count)


def classes(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    X, values = rows(count)
    return X, np.digitize(values, [0.0, 2.0])


BOOSTERS = {
    "xgboost, values": EarlyStoppedRegressor(XGBRegressor(n_estimators=300, learning_rate=0.1, random_state=0)),
    "xgboost, classes": EarlyStoppedClassifier(XGBClassifier(n_estimators=300, learning_rate=0.1, random_state=0)),
    "scikit-learn, values": EarlyStoppedRegressor(HistGradientBoostingRegressor(max_iter=300, random_state=0)),
    "scikit-learn, classes": EarlyStoppedClassifier(HistGradientBoostingClassifier(max_iter=300, random_state=0)),
}


def fitted(name: str, **changes):
    booster = clone(BOOSTERS[name]).set_params(**changes)
    return booster.fit(*(classes() if "classes" in name else rows())), (classes() if "classes" in name else rows())


def grown(booster) -> int:
    """Return how many trees were really grown."""
    inner = booster.estimator_
    return inner.n_iter_ if hasattr(inner, "n_iter_") else inner.get_booster().num_boosted_rounds()


@pytest.mark.parametrize("name", BOOSTERS)
def test_no_more_trees_are_grown_than_help_on_rows_held_out(name):
    booster, _ = fitted(name)
    assert 1 < booster.trees_ == grown(booster) < 250


@pytest.mark.parametrize("name", BOOSTERS)
def test_all_rows_are_fitted_at_last(name):
    """The last fit is what the booster alone makes of all rows, with so many trees."""
    booster, (X, y) = fitted(name)
    size = "max_iter" if "scikit" in name else "n_estimators"
    alone = clone(booster.estimator).set_params(**{size: booster.trees_}).fit(X, y)
    np.testing.assert_array_equal(booster.predict(X), alone.predict(X))


@pytest.mark.parametrize("name", BOOSTERS)
def test_noise_alone_grows_few_trees(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    y = rng.integers(0, 2, 400) if "classes" in name else rng.normal(size=400)
    assert clone(BOOSTERS[name]).fit(X, y).trees_ < 20


@pytest.mark.parametrize("name", BOOSTERS)
def test_threads_and_a_second_fit_change_no_bit(name):
    changes = [{"estimator__n_jobs": count} for count in (1, 2)] if "xgboost" in name else [{}, {}]
    (one, (X, _)), (two, _) = (fitted(name, **change) for change in changes)
    said = "predict_proba" if "classes" in name else "predict"
    np.testing.assert_array_equal(getattr(one, said)(X), getattr(two, said)(X))
    if "scikit" in name:
        assert modelfile.dumps(one) == modelfile.dumps(two)


@pytest.mark.parametrize("name", BOOSTERS)
def test_of_few_rows_none_is_held_out(name):
    X, y = classes(49) if "classes" in name else rows(49)
    assert clone(BOOSTERS[name]).fit(X, y).trees_ == 200
    small = {"estimator__max_iter" if "scikit" in name else "estimator__n_estimators": 7}
    assert clone(BOOSTERS[name]).set_params(**small).fit(X, y).trees_ == 7


class Recorder(BaseEstimator):
    """A booster that grows one tree, and notes the rows that it is fitted with and those it watches."""

    seen: list = []

    def __init__(self, n_estimators: int = 9, early_stopping_rounds: int | None = None) -> None:
        self.n_estimators = n_estimators
        self.early_stopping_rounds = early_stopping_rounds

    def fit(self, X, y, sample_weight=None, eval_set=None, sample_weight_eval_set=None):
        self.seen.append((X[:, 0], None if eval_set is None else eval_set[0][0][:, 0]))
        self.weights_ = (sample_weight, sample_weight_eval_set)
        self.classes_, self.best_iteration = np.unique(y), 2
        return self


def recorded(y: np.ndarray, **changes) -> list:
    Recorder.seen = []
    EarlyStoppedClassifier(Recorder(), **changes).fit(np.arange(len(y))[:, None], y)
    return Recorder.seen


def test_the_rows_held_out_are_of_every_class_by_its_share_and_depend_on_the_seed():
    y = np.array([0] * 160 + [1] * 40)
    (fit, held), (whole, nothing) = recorded(y, share=0.1, seed=1)
    assert sorted([*fit, *held]) == sorted(whole) == list(range(200))
    assert nothing is None
    assert np.bincount(y[held]).tolist() == [16, 4]
    assert recorded(y, share=0.1, seed=1)[0][1].tolist() == held.tolist()
    assert recorded(y, share=0.1, seed=2)[0][1].tolist() != held.tolist()


def test_by_time_the_last_rows_are_held_out_but_none_of_a_class_that_is_new():
    y = np.array([0, 1] * 90 + [2] * 20)
    (fit, held), _ = recorded(y, share=0.2, scheme="time")
    assert held.tolist() == list(range(160, 180))
    assert fit.tolist() == [*range(160), *range(180, 200)]


def test_a_class_of_one_row_is_fitted():
    (fit, held), _ = recorded(np.array([0] * 99 + [1]))
    assert 99 in fit
    assert 99 not in held


def test_rows_are_added_to_those_fitted_on_and_not_to_those_held_out():
    y = np.array([0] * 180 + [1] * 20)
    (fit, held), (whole, _) = recorded(y, share=0.1, rows=Oversample(ratio=1.0))
    assert len(np.unique(held)) == len(held) == 20
    assert set(fit).isdisjoint(held)
    assert np.bincount(y[fit]).tolist() == [162, 162]
    assert np.bincount(y[whole]).tolist() == [180, 180]


def test_balanced_classes_weigh_the_same_also_where_they_are_watched():
    y = np.array([0] * 150 + [1] * 50)
    booster = EarlyStoppedClassifier(Recorder(), class_weight="balanced").fit(np.zeros((200, 1)), y)
    weights, _ = booster.estimator_.weights_
    assert np.isclose(weights[y == 0].sum(), weights[y == 1].sum())
    for name in ("xgboost, classes", "scikit-learn, classes"):
        plain, (X, _) = fitted(name)
        balanced, _ = fitted(name, class_weight="balanced")
        assert not np.array_equal(plain.predict_proba(X), balanced.predict_proba(X))


def test_by_time_the_rows_reach_a_fit_in_the_order_of_time():
    """So the last rows are the newest: in each fold and in all, whatever the order of the table."""
    import pandas as pd

    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d").to_numpy()
    raw = pd.DataFrame({"day": rng.permutation(days), "x": rng.normal(size=120).astype(str)}, dtype="str")
    raw["left"] = rng.choice(["yes", "no"], 120)
    problem = make_problem(data={"time": "day", "key": []}, split={"scheme": "time", "folds": 4})
    train = prepare(raw, problem).train
    assert train["day"].is_monotonic_increasing
    data, split = Data(target="left", positive="yes", time="day"), Split(scheme="time", folds=4)
    shuffled = train.sample(frac=1.0, random_state=1)
    for fit, check in folds(shuffled, shuffled["left"].to_numpy(), data, split, "binary", 0):
        ordered = shuffled["day"].to_numpy()[fit]
        assert (np.diff(ordered) >= np.timedelta64(0)).all()
        assert shuffled["day"].to_numpy()[check].min() > ordered.max()
