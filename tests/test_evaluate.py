"""What evaluate finds beside the metrics: shares of slices, over- and underfitting in words."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from mlworkflow.core.problem import SliceShare
from mlworkflow.rows.schema import Schema
from mlworkflow.stages.evaluate import fit_words, shares

TEST = pd.DataFrame({"age": [30.0, 30.0, 41.0, float("nan")], "left": [1, 0, 0, 0], "plan": ["a", "a", "b", None]})
SCHEMA = Schema("binary", "left", ["no", "yes"], [])


@pytest.mark.parametrize(
    ("column", "value", "share"),
    [("age", 30, 0.5), ("age", 30.0, 0.5), ("plan", "a", 0.5), ("plan", "c", 0.0), ("left", "yes", 0.25)],
)
def test_a_slice_is_found_however_its_value_is_written(column, value, share):
    part = SliceShare(column=column, value=value, smallest_share=0.1)
    assert shares(TEST, [part], SCHEMA) == {column: {str(value): share}}


def test_without_a_value_on_the_test_rows_no_word_is_said_of_overfitting():
    nothing = dict.fromkeys(("value", "low", "high"), math.nan)
    said = fit_words("roc_auc", 0.9, 0.7, nothing)
    assert said.startswith("fitted rows are better than held-out ones by 0.2 in roc_auc; ")
    assert said.endswith("the test rows do not tell how much of it is noise")
