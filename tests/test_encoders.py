"""Estimators that make numbers of a column: what they learn, what they make of new rows, the same bits always."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from mlworkflow.learning import modelfile
from mlworkflow.learning.encoders import BUCKETS, Clip, Flag, Hash, Words

NOTES = ["parcel came late", "late again, parcel lost", "thank you", "thank you very much", None, "parcel lost"] * 5


def column(values):
    return pd.DataFrame({"note": pd.Series(values, dtype="object")})


def test_numbers_are_clipped_at_the_quantiles_that_were_learnt():
    clip = Clip().fit(pd.DataFrame({"x": np.arange(1001.0)}))
    assert clip.transform(pd.DataFrame({"x": [-5.0, 500.0, 1e9, np.nan]}))[:3, 0].tolist() == [10.0, 500.0, 990.0]
    assert np.isnan(clip.transform([[np.nan]])[0, 0])


def test_outliers_are_flagged_beside_the_numbers_and_missing_ones_are_none():
    flag = Flag().fit(np.arange(1001.0)[:, None])
    np.testing.assert_equal(
        flag.transform([[-5.0], [500.0], [1e9], [np.nan]]), [[-5.0, 1], [500.0, 0], [1e9, 1], [np.nan, 0]]
    )


def test_a_column_without_a_number_has_no_limits():
    values = np.array([[np.nan, 1.0], [np.nan, 2.0]])
    np.testing.assert_equal(Clip().fit(values).transform([[7.0, 9.0]]), [[7.0, 2.0]])


def test_a_category_falls_into_one_column_by_itself_alone():
    words = pd.DataFrame({"a": ["x", "y", "x"], "b": ["x", "z", "w"]}, dtype="object")
    made = Hash().fit(words).transform(words)
    assert made.shape == (3, 2 * BUCKETS)
    assert made.sum(axis=1).tolist() == [2, 2, 2]
    assert (made[0, :BUCKETS] == made[2, :BUCKETS]).all()
    np.testing.assert_array_equal(Hash().fit(words[1:]).transform(words[:1]), made[:1])


def test_texts_that_share_words_are_nearer():
    made = Words(components=3).fit_transform(column(NOTES))
    near = made @ made.T
    assert near[0, 1] > near[0, 2]
    assert near[2, 3] > near[2, 1]
    assert not made[4].any()  # missing


def test_fitting_and_transforming_give_the_same_bits_and_a_row_alone_too():
    rng = np.random.default_rng(0)
    texts = column([*NOTES, *(" ".join(rng.choice([f"w{number}" for number in range(60)], 12)) for _ in range(300))])
    words = Words(components=4).fit(texts)
    made = words.transform(texts)
    np.testing.assert_array_equal(Words(components=4).fit_transform(texts), made)
    np.testing.assert_array_equal(np.vstack([words.transform(texts[at : at + 1]) for at in range(len(texts))]), made)


def test_the_terms_themselves_are_sparse():
    texts = column(NOTES)
    words = Words(components=None).fit(texts)
    made = words.transform(texts)
    assert made.shape == (30, len(words.terms_))
    assert {"parcel", "thank you"} <= set(words.terms_)
    assert (made != words.fit_transform(texts)).nnz == 0


@pytest.mark.parametrize("components", [30, None])
@pytest.mark.parametrize(
    "notes", [[None, None, None], ["", "a", "?"], ["one", "two", "three"], ["same words"] * 3], ids=str
)
def test_a_text_of_few_words_or_none_is_no_trouble(notes, components):
    words = Words(components=components).fit(column(notes))
    made = words.transform(column(["something new", None, "same words"]))
    dense = made if components else made.toarray()
    assert dense.shape[0] == 3
    assert dense.shape[1] >= 1
    assert np.isfinite(dense).all()
    modelfile.loads(modelfile.dumps(words))


def test_a_stored_text_is_small_and_says_the_same():
    rng = np.random.default_rng(0)
    notes = column([" ".join(rng.choice([f"w{number}" for number in range(900)], 12)) for _ in range(600)])
    words = Words().fit(notes)
    stored = modelfile.dumps(words)
    assert len(stored) < 3 * words.directions_.nbytes + 300_000
    np.testing.assert_array_equal(modelfile.loads(stored).transform(notes), words.transform(notes))


def test_one_or_two_threads_give_the_same_bytes():
    rng = np.random.default_rng(0)
    notes = column([" ".join(rng.choice([f"w{number}" for number in range(900)], 12)) for _ in range(3000)])
    found = []
    for threads in (1, 2, 2):
        with threadpool_limits(threads):
            found.append(modelfile.dumps(Words().fit(notes)))
    assert found[0] == found[1] == found[2]


def test_each_column_that_is_made_has_a_name():
    numbers, words = pd.DataFrame({"x": [1.0, 2.0], "z": 0.0}), column(["came late", "came late"])
    for encoder, table in (
        (Clip(), numbers),
        (Flag(), numbers),
        (Hash(), words),
        (Words(), words),
        (Words(None), words),
    ):
        made = encoder.fit(table).transform(table)
        names = encoder.get_feature_names_out(list(table))
        assert len(set(names)) == made.shape[1]
