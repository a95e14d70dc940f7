"""Intervals that hold together: as far out as each must be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlworkflow.measures.compare import Difference
from mlworkflow.measures.many import level_of, moved_out


@pytest.mark.parametrize("count", [1, 2, 30, 1000])
def test_ends_are_moved_out_to_those_of_a_normal_distribution(count):
    ends = stats.norm.interval(0.95, loc=0.3, scale=0.1)
    wanted = stats.norm.interval(1 - 0.05 / count, loc=0.3, scale=0.1)
    found = moved_out(Difference(0.3, *ends), 0.95, level_of(count))
    assert (found.value, found.low, found.high) == pytest.approx((0.3, *wanted))


def test_a_lopsided_interval_stays_lopsided_and_what_is_missing_missing():
    found = moved_out(Difference(1.0, 0.5, 3.0), 0.95, level_of(20))
    assert (found.high - 1.0) / (1.0 - found.low) == pytest.approx(4.0)
    assert np.isnan(moved_out(Difference(1.0, np.nan, np.nan), 0.95, 0.99).low)
