"""Some rows of many: evenly spaced, first and last among them."""

from __future__ import annotations

import pandas as pd

from mlworkflow.rows.sampling import thin, thinned


def test_of_many_rows_the_first_and_the_last_are_kept_and_no_more_than_asked_for():
    kept = thinned(9000, 2000)
    assert len(kept) == 2000
    assert kept[0] == 0
    assert kept[-1] == 8999
    assert set(kept[1:] - kept[:-1]) == {4, 5}


def test_of_few_rows_all_are_kept_and_of_none_none():
    assert thinned(3, 2000).tolist() == [0, 1, 2]
    assert thinned(1, 2000).tolist() == [0]
    table = pd.DataFrame({"a": [1, 2, 3]})
    pd.testing.assert_frame_equal(thin(table, 5), table)
    pd.testing.assert_frame_equal(thin(table[:0], 5), table[:0])
