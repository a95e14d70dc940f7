"""Where the values of a column change."""

from __future__ import annotations

import numpy as np
import pytest

from mlworkflow.exploring import shifts


@pytest.mark.parametrize(("rows", "kinds", "digits"), [(50, 1, 0), (400, 3, 1), (90, 12, 3), (40, 2, 0)])
def test_all_cuts_at_once_are_what_each_is_alone(rows, kinds, digits):
    random = np.random.default_rng(rows)
    for _ in range(10):
        values, classes = random.normal(size=rows).round(digits), random.integers(0, kinds, rows)
        values[random.random(rows) < 0.2] = np.nan
        values[classes == kinds - 1] *= np.nan if kinds > 2 else 1
        alone = [shifts.sides(values, classes, float(cut)) for cut in shifts.CUTS]
        assert shifts._over_noise(values, classes) == pytest.approx([one.apart() - one.noise for one in alone])
