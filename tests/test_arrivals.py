"""Arrivals: new rows like the old ones are quiet; new categories, bursts of missing values and drift are named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.exploring.arrivals import arrivals
from mlworkflow.exploring.findings import Finding
from mlworkflow.rows.profile import profile
from mlworkflow.serving.drift import drift
from tests.test_findings import people, schema_of

NEW = people().sample(frac=0.5, random_state=0).reset_index(drop=True)


def said(new: pd.DataFrame, old: pd.DataFrame | None = None) -> list[Finding]:
    """What is said of new rows beside the clean table, or beside others."""
    old = people() if old is None else old
    reference = profile(old, schema_of(old, "binary", "left"))
    return arrivals(reference, drift(reference, new))


def test_rows_like_those_learnt_from_are_quiet() -> None:
    assert said(NEW) == []
    assert said(NEW.head(3)) == []
    assert said(NEW.head(0)) == []


@pytest.mark.parametrize(("share", "severity"), [(0.2, "medium"), (0.9, "high")])
def test_a_burst_of_missing_values_is_named(share: float, severity: str) -> None:
    gone = np.random.default_rng(0).random(len(NEW)) < share
    (finding,) = said(NEW.assign(age=NEW["age"].mask(gone)))
    assert (finding.kind, finding.severity, finding.column) == ("missing_burst", severity, "age")


def test_a_new_category_is_named_but_not_a_slip_of_the_pen() -> None:
    assert said(NEW.assign(city=NEW["city"].mask(NEW.index < 2, "Bonn"))) == []
    (finding,) = said(NEW.assign(city=NEW["city"].mask(NEW.index < 9, "Bonn")))
    assert finding.kind == "new_category"
    assert "in 3.0% of the new rows: Bonn" in finding.what


def test_names_that_never_repeat_are_expected_to_be_new() -> None:
    old = people().assign(city=[f"street {number}" for number in range(600)])
    assert said(NEW.assign(city=[f"road {number}" for number in range(len(NEW))]), old) == []


def test_a_column_that_moved_is_named() -> None:
    (finding,) = said(NEW.assign(age=NEW["age"] * 1.8 + 32))
    assert (finding.kind, finding.column) == ("drift", "age")
    assert "are outside the range of training" in finding.what
