"""Shares of classes: a shift is told whenever it began, and chance, spelling and the order of the file are no shift."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlworkflow.exploring.findings import Data, Finding
from mlworkflow.exploring.shares import label_shift
from mlworkflow.rows.schema import Column, Schema

ROWS = 600


def told(words: np.ndarray, days: pd.DatetimeIndex | None = None, test: np.ndarray | None = None) -> list[Finding]:
    """What the check says of rows with these classes, a row a day if nothing else is said."""
    times = pd.date_range("2024-01-01", periods=len(words)) if days is None else days
    raw = pd.DataFrame({"day": times, "left": words})
    columns = [Column("day", "time", "time"), Column("left", "category", "target", spelling={"yes": "yes", "no": "no"})]
    return label_shift(Data(raw, raw, Schema("binary", "left", ["no", "yes"], columns, ["", "?"]), test))


def answers(share: float, seed: int = 0, rows: int = ROWS) -> np.ndarray:
    """Words, of which `share` are yes."""
    return np.where(np.random.default_rng(seed).random(rows) < share, "yes", "no")


def test_a_shift_in_the_newest_quarter_is_told_with_both_shares() -> None:
    words = np.where(np.arange(ROWS) < 0.75 * ROWS, answers(0.3), answers(0.6, seed=1))
    (one,) = told(words)
    assert one.kind == "label_shift"
    assert one.severity == "medium"
    assert one.column == "left"
    assert "of the earliest 75% of the rows but" in one.what


def test_a_shift_in_the_oldest_quarter_is_told() -> None:
    (one,) = told(np.where(np.arange(ROWS) < 0.25 * ROWS, answers(0.6), answers(0.3, seed=1)))
    assert "of the earliest 25% of the rows but" in one.what


def test_shares_that_chance_moves_are_not_told() -> None:
    assert [seed for seed in range(100) if told(answers(0.3, seed, rows=200))] == []


def test_a_share_that_moves_too_little_to_matter_is_not_told_however_many_rows_there_are() -> None:
    assert told(np.where(np.arange(20_000) < 10_000, answers(0.3, 0, 20_000), answers(0.35, 1, 20_000))) == []


def test_test_rows_with_other_shares_are_told() -> None:
    test = np.random.default_rng(2).random(ROWS) < 0.3
    (one,) = told(np.where(test, answers(0.6), answers(0.3, seed=1)), test=test)
    assert "of the training but" in one.what
    assert "of the test rows:" in one.what


def test_a_class_that_is_spelt_in_another_way_from_some_day_on_is_no_shift() -> None:
    words = answers(0.4)
    late = np.arange(ROWS) >= ROWS // 2
    assert told(np.where(late & (words == "yes"), " YES", words)) == []


def test_rows_of_one_day_are_not_parted_by_the_order_of_the_file() -> None:
    words = np.sort(answers(0.4))
    assert told(words), "a row a day, sorted by class, shifts"
    assert told(words, days=pd.DatetimeIndex(["2024-01-01"] * ROWS)) == []


def test_rows_without_a_time_or_a_class_are_left_out() -> None:
    words, place = answers(0.4).astype(object), np.arange(ROWS)
    words[place < 200], words[place >= 400] = None, "yes"
    days = pd.DatetimeIndex(pd.date_range("2024-01-01", periods=ROWS).where(place < 400))
    assert told(words, days=days) == []
    assert told(np.full(ROWS, None, dtype=object)) == []
