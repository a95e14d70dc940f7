"""What compare.py promises: above zero the candidate is better; noise is not taken for a gain, a gain is found."""

from __future__ import annotations

import numpy as np
import pytest

from mlworkflow.measures.compare import Difference, paired
from mlworkflow.measures.metrics import Scored, score


def model(seed: int, n: int = 200, skill: float = 1.0, noise: int = 0) -> Scored:
    """Rows drawn by `seed`, scored by a model of some skill that errs in its own way (`noise`)."""
    rows, own = np.random.default_rng(seed), np.random.default_rng([seed, noise])
    truth = rows.integers(0, 2, n)
    x = skill * truth + rows.normal(0, 0.7, n) + own.normal(0, 0.7, n)
    p = 1 / (1 + np.exp(-(x - skill / 2)))
    return Scored(truth, (p >= 0.5).astype(int), np.column_stack([1 - p, p]))


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "accuracy"])
def test_the_value_is_the_gain_in_the_good_direction(name: str) -> None:
    good, bad = model(0, skill=2, noise=1), model(0, skill=0.5, noise=2)
    found = paired(name, good, bad, seed=0)
    sign = -1 if name == "log_loss" else 1
    assert found.value == pytest.approx(sign * (score([name], good)[name] - score([name], bad)[name]))
    assert 0 < found.low < found.value < found.high
    assert found.clear


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "accuracy"])
def test_swapping_the_two_turns_the_sign_and_nothing_else(name: str) -> None:
    one, two = model(1, noise=1), model(1, noise=2)
    there, back = paired(name, one, two, seed=0), paired(name, two, one, seed=0)
    assert back.value == -there.value
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-6)


def test_a_model_does_not_beat_itself() -> None:
    assert paired("roc_auc", model(0), model(0), seed=0) == Difference(0, 0, 0)
    assert not paired("roc_auc", model(0), model(0), seed=0).clear


def test_the_same_rows_make_a_difference_sharper_than_two_intervals() -> None:
    from mlworkflow.measures.intervals import intervals

    one = model(0, skill=1.0, noise=1)
    assert one.probabilities is not None
    p = np.clip(one.probabilities[:, 1] + np.random.default_rng(9).normal(0, 0.02, 200), 0, 1)
    two = Scored(one.truth, one.labels, np.column_stack([1 - p, p]))
    found = paired("roc_auc", one, two, seed=0)
    alone = intervals(["roc_auc"], one, seed=0)["metrics"]["roc_auc"]
    assert found.high - found.low < (alone["high"] - alone["low"]) / 3


def test_noise_covers_zero_in_about_95_of_100_cases() -> None:
    tables = 150
    for name in ("roc_auc", "accuracy"):
        found = [paired(name, model(i, noise=1), model(i, noise=2), seed=i, resamples=200) for i in range(tables)]
        assert 0.90 <= np.mean([not each.clear for each in found]) <= 0.99, name


def test_a_planted_gain_is_found() -> None:
    found = [paired("roc_auc", model(i, skill=2, noise=1), model(i, skill=1, noise=2), seed=i) for i in range(20)]
    assert sum(each.clear and each.value > 0 for each in found) >= 19


def test_a_planted_gain_of_a_regression_is_found() -> None:
    truth = np.random.default_rng(0).normal(size=200)
    near, far = (truth + np.random.default_rng(seed).normal(0, seed, 200) for seed in (1, 2))
    for name in ("rmse", "mae", "r2", "median_absolute_error"):
        assert paired(name, Scored(truth, near), Scored(truth, far), seed=0).low > 0, name


def test_of_one_class_only_nothing_can_be_said() -> None:
    one = Scored(np.ones(20, int), np.ones(20, int), np.tile([0.1, 0.9], (20, 1)))
    found = paired("roc_auc", one, one, seed=0)
    assert np.isnan([found.value, found.low, found.high]).all()
    assert not found.clear


def test_a_difference_that_never_varies_is_not_certain_of_five_rows() -> None:
    truth = np.array([0, 0, 1, 1, 1])
    perfect = Scored(truth, truth, np.column_stack([1 - truth, truth]).astype(float))
    constant = Scored(truth, truth * 0, np.full((5, 2), 0.5))
    found = paired("roc_auc", perfect, constant, seed=0)
    assert found.value == 0.5
    assert found.low < 0
    assert not found.clear


def test_a_difference_that_never_varies_is_clear_of_many_rows() -> None:
    truth = np.arange(200) % 2
    perfect = Scored(truth, truth, np.column_stack([1 - truth, truth]).astype(float))
    constant = Scored(truth, truth * 0, np.full((200, 2), 0.5))
    found = paired("roc_auc", perfect, constant, seed=0)
    assert found.low == pytest.approx(0.47)
    assert found.clear


def test_clusterings_of_the_same_rows_are_compared_in_pairs() -> None:
    space = np.random.default_rng(0).normal(size=(80, 2)) + 4 * (np.arange(80) % 2)[:, None]
    found = paired("silhouette", Scored(space, np.arange(80) % 2), Scored(space, np.arange(80) // 40), seed=0)
    assert found.low > 0
    assert np.isnan(paired("silhouette", Scored(space, np.zeros(80)), Scored(space, np.zeros(80)), seed=0).value)


def test_two_sets_of_rows_are_no_pair() -> None:
    with pytest.raises(ValueError, match="the same rows, not 200 and 100"):
        paired("roc_auc", model(0), model(0, n=100), seed=0)


def test_a_difference_is_written_as_the_findings_have_it() -> None:
    assert Difference(0.1, 0.0, 0.2).to_dict() == {"value": 0.1, "low": 0.0, "high": 0.2}
