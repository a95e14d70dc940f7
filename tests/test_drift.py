"""Drift: told of rows that moved, not of rows that did not."""

import numpy as np
import pandas as pd
import pytest

from mlworkflow.measures.distances import noise, psi
from mlworkflow.reviewing.causes import moved
from mlworkflow.rows.profile import bin_counts, column_profile
from mlworkflow.rows.schema import Column, Schema


def normal(size, shift=0.0, seed=0):
    return pd.Series(np.random.default_rng(seed).normal(shift, 1, size))


def words(size, shares, seed=0):
    return pd.Series(np.random.default_rng(seed).choice(list(shares), size, p=list(shares.values())), dtype="str")


def found(before, after, kind="number"):
    """What is told of the columns of two tables; series are a table of one column."""
    then, now = (pd.DataFrame({"age": one}) if isinstance(one, pd.Series) else one for one in (before, after))
    kinds = {name: kind if name == "age" else "category" if then[name].dtype == "str" else "number" for name in then}
    schema = Schema("clustering", None, [], [Column(name, what, "input") for name, what in kinds.items()], [""])
    return moved(schema, schema, then, now)


def test_the_index_is_that_of_siddiqi():
    before, after = [5000, 3000, 2000], [4000, 3000, 3000]
    by_hand = (0.4 - 0.5) * np.log(0.4 / 0.5) + (0.3 - 0.2) * np.log(0.3 / 0.2)
    assert psi(before, after) == pytest.approx(by_hand, rel=1e-3)


def test_equal_shares_have_an_index_of_zero():
    assert psi([500, 300, 0], [500, 300, 0]) == 0.0


@pytest.mark.parametrize(("before", "after"), [([], []), ([0, 0], [0, 0]), ([10], [20]), ([8, 2], [0, 0])])
def test_nothing_to_compare_is_no_drift(before, after):
    assert psi(before, after) == 0.0
    assert noise(before, after) >= 0.0


def test_a_bin_that_was_empty_gives_a_large_but_finite_index():
    assert 1 < psi([1000, 0], [0, 1000]) < 100


def test_rows_without_drift_pass_the_noise_as_often_as_stated():
    then = column_profile(normal(2000))
    told = [bin_counts(normal(200, seed=seed).to_numpy(), np.array(then["edges"])) for seed in range(1, 401)]
    above = np.mean([psi(then["counts"], now) > noise(then["counts"], now) for now in told])
    assert 0.02 < above < 0.11


def test_shifted_rows_are_far_over_their_noise():
    (told,) = found(normal(2000), normal(200, shift=1.0, seed=1))
    assert told.psi > 0.25
    assert told.psi > 2 * told.noise


def test_missing_values_that_come_up_are_drift():
    (told,) = found(normal(1000), normal(1000, seed=1).where(np.arange(1000) % 2 == 0))
    assert told.psi > 0.25


def test_the_furthest_column_comes_first_and_still_ones_are_left_out():
    then = pd.DataFrame({"still": normal(1000), "age": normal(1000, seed=1), "city": words(1000, {"a": 0.5, "b": 0.5})})
    now = pd.DataFrame({"still": normal(500, seed=2), "age": normal(500, shift=2.0, seed=3)})
    told = found(then, now.assign(city=words(500, {"a": 0.9, "b": 0.1}, seed=1)))
    assert [one.column for one in told] == ["age", "city"]


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row_have_not_moved(rows):
    assert found(normal(100), normal(rows)) == []


def test_numbers_unknown_before_have_moved():
    (told,) = found(pd.Series([None, None] * 20, dtype="float64"), normal(40))
    assert told.psi > 1


def test_texts_that_become_longer_drift_and_others_do_not():
    rng = np.random.default_rng(0)
    short, again, long = (
        pd.Series([" ".join(["word"] * count) for count in rng.integers(3, 9, 500) + more], dtype="str")
        for more in (0, 0, 5)
    )
    (told,) = found(short, long, kind="text")
    assert told.psi > 1
    assert found(short, again, kind="text") == []
