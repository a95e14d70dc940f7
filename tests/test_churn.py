"""The simulated stream: its probabilities are the formula's, its months stand alone, its blemishes are counted."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mlworkflow import blemishes
from mlworkflow.churn import CONTRACTS, PLANS, REGIONS, TONES, batches, month, stream
from mlworkflow.core.errors import ConfError
from tests.conftest import ROOT


def months_of(days: pd.Series) -> pd.Series:
    """Return the number of the month of each day."""
    dates = pd.to_datetime(days)
    return dates.dt.year * 12 + dates.dt.month


def terms(clean: pd.DataFrame, drift: float) -> pd.DataFrame:
    """Return the terms of the formula at the head of churn.py, by the visible columns alone."""
    when = months_of(clean["month"])
    before = clean.assign(when=when).set_index(["customer", "when"])["minutes"]
    last = before.reindex(pd.MultiIndex.from_arrays([clean["customer"], when - 1])).to_numpy()
    tenure, years = when - months_of(clean["signup"]), drift * (when - when.min()) / 12
    tone = {phrase: tone.effect for tone in TONES.values() for phrase in tone.phrases}
    said = clean["note"].str.extract(f"({'|'.join(tone)})")[0]
    return pd.DataFrame(
        {
            "words": clean["contract"].map(CONTRACTS) + clean["region"].map(REGIONS) + said.map(tone),
            "plan": clean["plan"].map({name: plan.effect for name, plan in PLANS.items()}),
            "calls": (0.25 + 0.25 * years) * clean["support_calls"],
            "charges": 0.02 * (clean["charges"] - 30),
            "tenure": -0.4 * np.log1p(tenure) + 0.5 * ((clean["contract"] == "monthly") & (tenure < 6)),
            "fall": -0.5 * np.log((clean["minutes"] + 10) / (last + 10)),
        }
    )


@pytest.mark.parametrize("drift", [0.0, 3.0])
def test_the_true_probability_is_the_documented_function_of_the_columns_that_one_sees(drift):
    clean = stream(400, 6, drift, blemishes=0)
    told = terms(clean, drift)
    known = (told["fall"].notna() | (months_of(clean["signup"]) == months_of(clean["month"]) - 1)) & (
        clean["month"] > "2023-01-01"
    )
    odds = -1.0 + told.fillna({"fall": 0}).sum(axis=1)
    assert known.sum() == 5 * 400
    np.testing.assert_allclose(1 / (1 + np.exp(-odds[known])), clean["true_probability"][known], atol=2e-6)


def test_the_outcomes_are_as_frequent_as_they_are_probable_at_every_level():
    clean = stream(4000, 12, 1.0, blemishes=0)
    left, probability = clean["churned"] == "yes", clean["true_probability"]
    for _, rows in clean.groupby(pd.qcut(probability, 10)).groups.items():
        noise = np.sqrt((probability[rows] * (1 - probability[rows])).sum())
        assert abs(left[rows].sum() - probability[rows].sum()) < 4 * noise


def test_who_leaves_is_gone_the_month_after_and_another_one_signs_up():
    clean = stream(300, 8, blemishes=0)
    months = [rows for _, rows in clean.groupby("month")]
    for now, after in pairwise(months):
        left = set(now["customer"][now["churned"] == "yes"])
        new = after[~after["customer"].isin(now["customer"])]
        assert left.isdisjoint(after["customer"])
        assert len(new) == len(left)
        assert (months_of(new["signup"]) == months_of(now["month"]).iloc[0]).all()
        assert new["customer"].min() > now["customer"].max()


def test_a_month_alone_is_the_month_of_the_stream_whatever_its_length():
    whole = stream(200, 5, seed=7)
    for number in (1, 4):
        alone = month(number, 200, seed=7)
        pd.testing.assert_frame_equal(alone, whole[whole["month"] == f"2023-0{number}-01"].reset_index(drop=True))
    given = {"customers": 200, "months": 2, "drift": 1.0, "seed": 7, "blemishes": 1.0, "turn": None}
    pd.testing.assert_frame_equal(stream(**given), pd.concat(batches(**given), ignore_index=True))


def test_the_same_arguments_are_the_same_bytes_and_another_seed_is_another_table():
    table = stream(50, 3, seed=1)
    told = hashlib.sha256(table.to_csv(index=False, lineterminator="\n").encode()).hexdigest()
    assert told[:16] == "7409d95693271e44"
    assert not stream(50, 3, seed=2).equals(table)


def test_without_drift_nothing_moves_and_with_drift_prices_usage_and_churn_do():
    def change(drift: float) -> pd.Series:
        clean = stream(4000, 24, drift, blemishes=0)
        means = clean.groupby("month")[["charges", "minutes", "data_gb", "true_probability"]].mean()
        return means.tail(3).mean() / means.head(3).mean()

    assert (change(0.0) - 1).abs().max() < 0.05
    moved = change(1.0)
    assert moved["charges"] > 1.08
    assert moved["minutes"] < 0.9
    assert moved["data_gb"] > 1.4
    assert moved["true_probability"] > 1.2


def test_the_blemishes_have_their_rates_and_touch_no_outcome():
    clean, table = stream(2000, 12, blemishes=0), stream(2000, 12)
    table = table[~table.duplicated()].reset_index(drop=True)
    unseen = ["customer", "month", "support_calls", "churned", "true_probability"]
    pd.testing.assert_frame_equal(table[unseen], clean[unseen])
    rows = len(table)

    def near(count: int, share: float) -> bool:
        return bool(abs(count - share * rows) < 4 * np.sqrt(share * rows))

    assert near(table["minutes"].isna().sum(), 0.02)
    assert near((table["minutes"] == -1).sum(), 0.98 * 0.003)
    assert near((table["data_gb"] == 99999).sum(), 0.98 * 0.002)
    assert near((table["region"] == "unknown").sum(), 0.01)
    for name, right in (("plan", PLANS), ("contract", CONTRACTS), ("region", REGIONS)):
        written = table[name][table[name] != "unknown"]
        assert 0.02 < (~written.isin(right)).mean() < 0.05
        mended = {wrong.lower(): word.lower() for word, wrong in blemishes.TYPING_ERRORS.items()}
        assert set(written.str.strip().str.lower().replace(mended)) == {word.lower() for word in right}
    disputed = table["charges"].isna().groupby(table["support_calls"] >= blemishes.MANY_CALLS).mean()
    assert disputed[False] < 0.02 < 0.08 < disputed[True]


def test_some_rows_are_there_twice():
    table = stream(2000, 6)
    assert 0.003 < table.duplicated().mean() < 0.008
    assert not table[~table.duplicated()].duplicated(["customer", "month"]).any()


def test_arguments_that_make_no_stream_are_all_told_at_once():
    with pytest.raises(
        ConfError, match=r"customers must be at least 1, but is 0\n.*drift must be at least 0, but is -1"
    ):
        stream(0, drift=-1.0)
    with pytest.raises(ConfError, match="number must be at least 1"):
        month(0)


@pytest.mark.parametrize("place", [0, 1])
def test_the_page_shows_what_its_commands_print(place, capsys):
    page = (ROOT / "docs/churn.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[place]
    exec(compile(code, "docs/churn.md", "exec"), {})
    assert capsys.readouterr().out == re.findall(r"```text\n(.*?)```", page, re.DOTALL)[place]
