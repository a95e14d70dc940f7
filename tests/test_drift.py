"""Drift: fires on rows that moved, is quiet on rows that did not."""

import numpy as np
import pandas as pd
import pytest

from mlworkflow.measures.distances import noise, psi
from mlworkflow.rows.profile import column_profile, text_profile
from mlworkflow.serving.drift import column_drift, drift


def normal(size, shift=0.0, seed=0):
    return pd.Series(np.random.default_rng(seed).normal(shift, 1, size))


def words(size, shares, seed=0):
    return pd.Series(np.random.default_rng(seed).choice(list(shares), size, p=list(shares.values())), dtype="str")


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
    reference = column_profile(normal(2000))
    told = [column_drift(reference, normal(200, seed=seed)) for seed in range(1, 401)]
    above = np.mean([line["psi"] > line["noise"] for line in told])
    assert 0.02 < above < 0.11


def test_shifted_rows_are_far_over_their_noise():
    told = column_drift(column_profile(normal(2000)), normal(200, shift=1.0, seed=1))
    assert told["psi"] > 0.25
    assert told["psi"] > 2 * told["noise"]


def test_values_outside_the_range_of_training_are_counted():
    told = column_drift(column_profile(pd.Series([0.0, 1.0, 2.0])), pd.Series([-1.0, 0.0, 2.0, 3.0, None]))
    assert told["out_of_range"] == 0.5
    assert column_drift(column_profile(pd.Series([0.0, 1.0, 2.0])), pd.Series([0.0, 2.0]))["out_of_range"] == 0.0


def test_new_categories_are_named_most_frequent_first():
    told = column_drift(
        column_profile(words(500, {"Bern": 0.5, "Genf": 0.5})), pd.Series(["Basel", "Chur", "Chur", "Bern"])
    )
    assert (told["new"], told["new_words"]) == (0.75, "Chur, Basel")


def test_known_categories_are_not_new():
    told = column_drift(column_profile(words(500, {"Bern": 0.5, "Genf": 0.5})), pd.Series(["Bern", None], dtype="str"))
    assert (told["new"], told["new_words"]) == (0.0, "")


def test_missing_values_that_come_up_are_drift():
    told = column_drift(column_profile(normal(1000)), normal(1000, seed=1).where(np.arange(1000) % 2 == 0))
    assert told["missing_change"] == 0.5
    assert told["psi"] > 0.25


def test_the_furthest_column_comes_first_with_the_predictions_among_them():
    then = pd.DataFrame({"still": normal(1000), "moved": normal(1000, seed=1)})
    now = pd.DataFrame({"still": normal(500, seed=2), "moved": normal(500, shift=2.0, seed=3)})
    reference = {
        "columns": {name: column_profile(then[name]) for name in then},
        "predictions": column_profile(words(1000, {"yes": 0.5, "no": 0.5})),
    }
    told = drift(reference, now, predictions=words(500, {"yes": 0.9, "no": 0.1}, seed=1))
    assert told["column"].tolist() == ["moved", "(predictions)", "still"]


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row_are_no_crash(rows):
    reference = {"columns": {"age": column_profile(normal(100))}, "predictions": None}
    told = drift(reference, pd.DataFrame({"age": normal(rows)}))
    assert len(told) == 1
    assert told["psi"].notna().all()
    assert (told["psi"] <= told["noise"]).all() or rows == 1


def test_numbers_unknown_in_training_are_no_crash():
    told = column_drift(column_profile(pd.Series([None, None], dtype="float64")), normal(10))
    assert told["out_of_range"] == 0.0


def test_texts_that_become_longer_drift_and_others_do_not():
    rng = np.random.default_rng(0)
    short, again, long = (
        pd.Series([" ".join(["word"] * count) for count in rng.integers(3, 9, 500) + more], dtype="str")
        for more in (0, 0, 5)
    )
    reference = text_profile(short)
    told = column_drift(reference, long)
    assert (told["kind"], told["out_of_range"] > 0.5) == ("text", True)
    assert told["psi"] > 1
    assert column_drift(reference, again)["psi"] < 0.05
