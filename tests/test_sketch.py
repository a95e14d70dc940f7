"""What a window's columns say: each number against SciPy or one computed by hand, quiet on rows of the same kind."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from mlworkflow.bundling.reference import reference, sample
from mlworkflow.core.params import Monitor
from mlworkflow.core.problem import Rights
from mlworkflow.measures.distances import chance, jensen_shannon, wasserstein
from mlworkflow.monitoring.checks import Check, decide
from mlworkflow.monitoring.columns import checks, numbers, outcome_check
from mlworkflow.monitoring.joint import told_apart
from mlworkflow.monitoring.report import Window, alarms
from mlworkflow.monitoring.sketch import SAMPLED, Grid, Sketch, hashed
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.profile import profile
from mlworkflow.rows.schema import Column
from tests.conftest import make_schema

SETTINGS = Monitor(name="default")
SCHEMA = make_schema(
    Column("age", "number", "input"),
    Column("town", "category", "input"),
    Column("note", "text", "input"),
    Column("when", "time", "time"),
)


def people(rows, seed=0, **changes):
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": random.normal(40, 10, rows),
            "town": pd.Series(random.choice(["Bern", "Genf", "Chur"], rows, p=[0.6, 0.3, 0.1]), dtype="str"),
            "note": pd.Series(random.choice(["a", "a b", "a b c"], rows), dtype="str"),
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "left": random.integers(0, 2, rows),
        }
    )
    return table.assign(**changes)


@pytest.fixture(scope="module")
def told():
    return reference(
        people(4000), SCHEMA, None, None, [{"column": "age", "drop": 0.3}, {"column": "town", "drop": 0.1}]
    )


def sketched(told, table, ids=None):
    made = Sketch.empty(told, ["age", "town", "note"] if ids is not None else [])
    made.add(dict(Arrays(table.drop(columns=["when", "left"]))), hashes=None if ids is None else hashed(ids))
    return made


def beyond(told, table):
    return {"/".join(one.key) for one in decide(checks(told, sketched(told, table), SETTINGS), 0.5) if one.alarm}


def test_distances_are_those_of_scipy(told):
    window = people(1500, seed=1)
    moved = window.assign(age=window["age"] + 4, town="Bern")
    found = numbers(told, sketched(told, moved))
    exact = stats.wasserstein_distance(people(4000)["age"], moved["age"]) / people(4000)["age"].std(ddof=0)
    assert found["drift/age/wasserstein"].value == pytest.approx(exact, rel=0.02)
    shares = [[0.6 * 4000, 0.3 * 4000, 0.1 * 4000], [1500, 0, 0]]
    counts = people(4000)["town"].value_counts()
    assert found["drift/town/js"].value == pytest.approx(jensenshannon([*counts, 0], [1500, 0, 0, 0], base=2))
    assert jensen_shannon(*shares) == pytest.approx(jensenshannon(*shares, base=2))


def test_the_test_of_homogeneity_is_pearsons():
    before, after = [500, 300, 200], [40, 45, 15]
    assert chance(before, after) == pytest.approx(stats.chi2_contingency([before, after], correction=False).pvalue)
    assert chance([10], [20]) is None
    assert chance([0, 0], [1, 2]) is None


def test_a_reference_of_one_value_has_no_unit_to_measure_in():
    assert wasserstein(([0, 5], [0, 5.0]), ([0, 3], [0, 6.0]), 0.0) is None


def test_missing_values_are_told_by_the_beta_binomial(told):
    table = people(500, seed=2)
    table.loc[:59, "age"] = np.nan
    found = {one.key: one for one in checks(told, sketched(told, table), SETTINGS)}
    check = found["quality", "age: missing"]
    assert check.value == pytest.approx(60 / 500)
    assert check.p == pytest.approx(2 * stats.betabinom.sf(59, 500, 0.5, 4000.5))
    assert ("drift", "age") not in found  # one fault, one alarm


@pytest.mark.parametrize(
    ("change", "alarm"),
    [
        ({"age": lambda table: table["age"] + 6}, "drift/age"),
        ({"age": lambda table: 100 * table["age"]}, "quality/age: outside"),
        ({"town": "Basel"}, "quality/town: unseen"),
        ({"age": np.nan}, "quality/age: missing"),
        ({"note": "a b c d e f"}, "quality/note: outside"),
        ({"town": lambda table: table["town"].where(table.index % 2 == 0, "Chur")}, "drift/town"),
    ],
    ids=["shift", "unit", "category", "all missing", "text", "shares"],
)
def test_a_fault_in_one_column_is_one_alarm_that_names_it(told, change, alarm):
    assert beyond(told, people(600, seed=3).assign(**change)) == {alarm}


def test_rows_of_the_same_kind_are_quiet(told):
    assert [beyond(told, people(600, seed=seed)) for seed in range(10, 30)] == [set()] * 20


@pytest.mark.parametrize("rows", [0, 1])
def test_of_hardly_any_row_nothing_is_an_alarm(told, rows):
    assert beyond(told, people(rows, seed=4)) == set()


def test_a_sketch_is_the_same_whatever_the_chunks_and_after_json(told):
    table = people(3000, seed=5)
    ids = [f"id-{number}" for number in range(len(table))]
    whole, parts = sketched(told, table, ids), Sketch.empty(told, ["age", "town", "note"])
    for start in (0, 700, 1400):
        some = table.iloc[start : (start + 700) if start < 1400 else None].drop(columns=["when", "left"])
        parts.add(dict(Arrays(some)), hashes=hashed(ids[start : start + len(some)]))
    one, other = whole.to_dict(), parts.to_dict()
    for made in (one, other):
        made["columns"]["age"].pop("sums"), made["columns"]["note"].pop("sums")  # equal but for rounding
    assert one == other
    assert len(one["sample"]["hashes"]) == SAMPLED
    again = Sketch.empty(told, ["age", "town", "note"]).take(json.loads(json.dumps(whole.to_dict())))
    assert again.to_dict() == whole.to_dict()


def test_what_came_with_the_seasons_of_training_is_no_drift():
    def year(seed, day=None):
        table = people(24 * 7 * 26, seed)
        weekend = table["when"].dt.day_of_week >= 5 if day is None else pd.Series(day, index=table.index)
        return table.assign(age=table["age"] + np.where(weekend, 12, 0))

    plain, knowing = profile(year(0), SCHEMA), reference(year(0), SCHEMA, None, None, [])
    sunday = year(1, day=True).iloc[:600]
    assert knowing["columns"]["age"]["seen"]["psi"] > 0.1
    assert knowing["columns"]["town"]["seen"]["psi"] == 0.0
    assert beyond(plain, sunday) == {"drift/age"}
    assert beyond(knowing, sunday) == set()


def test_columns_that_change_together_alone_are_told_apart_by_all_of_them():
    random = np.random.default_rng(0)
    apart = {f"x{number}": random.normal(size=2000) for number in range(4)}
    tied = {**{f"x{number}": random.normal(size=1000) for number in range(4)}}
    tied["x1"] = tied["x0"] + 0.1 * tied["x1"]
    tied["x1"] /= tied["x1"].std()
    same = {name: random.normal(size=1000) for name in apart}
    told = told_apart(apart, tied)
    assert told.auc > 0.65
    assert set(told.columns[:2]) == {"x0", "x1"}
    assert told_apart(apart, same).auc == pytest.approx(0.5, abs=0.05)


def test_of_persons_no_rows_are_kept(told):
    rights = {"licence": "none", "source": "here"}
    content, about = sample(people(100), told, Rights(personal_data=True, **rights), 0)
    assert content is None
    assert "personal_data" in about["left_out"]
    assert sample(people(100), told, Rights(personal_data=False, **rights), 0)[1] == {"rows": 100}


def test_the_classes_that_came_are_set_against_those_of_training(told):
    assert not outcome_check(told["target"], {"no": 250, "yes": 250}, SETTINGS).beyond
    found = outcome_check(told["target"], {"no": 400, "yes": 100}, SETTINGS)
    assert found.beyond
    assert "'no' makes up 80%" in found.words


def check(p, *, past=True, key="age"):
    return Check("drift", key, 1.0, 0.0, 0.5, past, p, "moved", 100)


def test_the_tests_of_a_window_are_corrected_together_by_holm():
    level = 0.005
    found = decide([check(level / 2 * 1.1), check(level * 0.9), check(1e-9, past=False), check(None)], 0.5)
    assert [one.alarm for one in found] == [False, False, False, True]  # 1e-9 has the first place of three
    assert [one.alarm for one in decide([check(level / 2 * 0.9), check(level * 0.9)], 0.5)] == [True, True]
    assert [one.alarm for one in decide([check(float("nan")), check(1e-9)], 0.5)] == [False, True]


def test_an_alarm_lasts_while_its_effect_does_and_is_over_with_it():
    def window(label, *checks, complete=True):
        return Window(label, None, None, complete, 100, 0, checks=checks)

    begun, lasts, over = decide([check(1e-9)], 0.5)[0], check(0.2), check(0.2, past=False)
    runs = window("d", begun, complete=False)
    lasting = alarms([window("a", over), window("b", begun), window("c", lasts), window("nothing asked"), runs])
    assert [(one.since, one.ended, one.windows) for one in lasting] == [("b", None, 2)]
    ended = alarms([window("b", begun), window("c", lasts), window("d", over)])
    assert [(one.since, one.ended) for one in ended] == [("b", "d")]


@pytest.mark.parametrize("kind", ["normal", "crowded", "whole", "constant", "huge", "none"])
def test_the_grid_finds_the_bins_that_a_search_finds(kind):
    rng = np.random.default_rng(0)
    drawn = {
        "normal": rng.normal(50, 10, 3_000),
        "crowded": np.exp(3 * rng.normal(size=3_000)),
        "whole": rng.integers(0, 30, 3_000).astype("float64"),
        "constant": np.ones(3_000),
        "huge": rng.choice([-1.7e308, 0.0, 1.7e308], 3_000),
        "none": np.empty(0),
    }[kind]
    edges = np.unique(np.quantile(drawn, np.arange(101) / 100)) if len(drawn) else drawn
    beside = [np.nextafter(edges, side) for side in (-np.inf, np.inf)]
    values = np.concatenate([drawn, edges, *beside, [0.0, -1.7e308, 1.7e308]])
    values = values[np.isfinite(values)]
    found = Grid.of(tuple(edges.tolist())).places(values)
    assert (found == np.searchsorted(edges, values, side="right")).all()
