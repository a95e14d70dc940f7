"""Weights count as repeated rows; intervals cover, and never claim certainty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest

from mlworkflow.measures import bootstrap
from mlworkflow.measures.bootstrap import bca, percentiles, replicates, resamples_for
from mlworkflow.measures.intervals import intervals, proportion, wilson
from mlworkflow.measures.metrics import METRICS, Scored, metrics_for, score
from mlworkflow.measures.weighted import measure_of


def binary(n: int, seed: int, apart: float = 1.2) -> Scored:
    """Rows of two classes, `apart` standard deviations apart; the probabilities are a little too sure."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, n)
    x = generator.normal(size=n) + apart * truth
    p = 1 / (1 + np.exp(-1.3 * (apart * x - apart**2 / 2)))
    return Scored(truth, (p >= 0.5).astype(int), np.column_stack([1 - p, p]))


def several(n: int, seed: int) -> Scored:
    """Rows of three classes, the third rare and never predicted well; probabilities with ties."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(3, n, p=[0.5, 0.4, 0.1])
    raw = generator.random((n, 3)) + 0.6 * np.eye(3)[truth]
    p = np.round(raw / raw.sum(axis=1, keepdims=True), 1)
    p[:, 0] += 1 - p.sum(axis=1)
    return Scored(truth, p.argmax(axis=1), np.clip(p, 0, 1))


def regression(n: int, seed: int) -> Scored:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=n)
    truth = 2 * x + generator.standard_t(8, size=n)
    return Scored(truth, 1.8 * x, columns=1)


def tied(n: int, seed: int) -> Scored:
    """Two classes with only five different probabilities."""
    s = binary(n, seed)
    assert s.probabilities is not None
    p = np.round(s.probabilities[:, 1] * 4) / 4
    return Scored(s.truth, (p >= 0.5).astype(int), np.column_stack([1 - p, p]))


def clusters(n: int, seed: int) -> Scored:
    space = np.random.default_rng(seed).normal(size=(n, 2)) + 3 * (np.arange(n) % 2)[:, None]
    return Scored(space, np.arange(n) % 2)


MAKERS: dict[str, tuple[Callable[[int, int], Scored], list[str]]] = {
    "binary": (binary, metrics_for("binary")),
    "ties": (tied, metrics_for("binary")),
    "several classes": (several, metrics_for("multiclass")),
    "regression": (regression, metrics_for("regression")),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("n", [40, 81])
def test_at_unit_weights_each_metric_is_scikit_learns(kind: str, n: int) -> None:
    make, names = MAKERS[kind]
    scored = make(n, 3)
    found, expected = measure_of(names, scored)(np.ones((2, n))), score(names, scored)
    assert {name: found[name][1] for name in names} == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_weight_counts_as_the_row_standing_there_as_often(kind: str) -> None:
    make, names = MAKERS[kind]
    scored, generator = make(60, 4), np.random.default_rng(0)
    weights = generator.multinomial(60, np.full(60, 1 / 60), size=8).astype(float)
    found = measure_of(names, scored)(weights)
    for line, counts in enumerate(weights):
        repeated = score(names, scored.take(np.repeat(np.arange(60), counts.astype(int))))
        assert {name: found[name][line] for name in names} == pytest.approx(repeated, rel=1e-12), line


def test_resamples_without_an_answer_are_nan_and_the_interval_rests_on_the_others() -> None:
    truth = np.array([1, 0, 0, 0, 0, 0])
    scored = Scored(truth, truth, np.column_stack([1 - truth, truth]) * 0.8 + 0.1)
    drawn = replicates(["roc_auc", "recall"], scored, seed=0)
    assert np.isnan(drawn["roc_auc"]).any()
    assert np.nanmin(drawn["roc_auc"]) == 1.0
    found = intervals(["roc_auc"], scored, seed=0)["metrics"]["roc_auc"]
    assert found["low"] < 1.0 == found["high"]


def test_what_has_no_value_has_no_interval() -> None:
    one = Scored(np.ones(30, int), np.ones(30, int), np.tile([0.4, 0.6], (30, 1)))
    found = intervals(["roc_auc", "log_loss"], one, seed=0)["metrics"]
    assert np.isnan([found["roc_auc"][part] for part in ("value", "low", "high")]).all()
    empty = intervals(metrics_for("binary"), one.take(np.arange(0)), seed=0)["metrics"]
    assert all(np.isnan(part["low"]) for part in empty.values())


def test_the_answer_has_the_shape_of_the_file() -> None:
    found = intervals(["roc_auc", "accuracy"], binary(50, 0), seed=0)
    assert list(found) == ["method", "source", "level", "resamples", "metrics"]
    assert list(found["metrics"]) == ["roc_auc", "accuracy"]
    assert found["level"] == 0.95
    assert found["resamples"] == 1000
    for part in found["metrics"].values():
        assert part["low"] < part["value"] < part["high"]


def test_the_same_seed_gives_the_same_bytes_in_whatever_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    names, scored = metrics_for("binary"), binary(300, 1)
    first, again, other = (intervals(names, scored, seed=seed) for seed in (5, 5, 6))
    assert first == again != other
    whole = replicates(names, scored, seed=5)
    monkeypatch.setattr(bootstrap, "CHUNK", 300 * 7)
    parts = replicates(names, scored, seed=5)
    assert all(np.array_equal(whole[name], parts[name]) for name in names)


def test_more_rows_get_fewer_resamples_but_never_fewer_than_200() -> None:
    assert [resamples_for(rows) for rows in (0, 100, 20_000, 40_000, 10**7)] == [1000, 1000, 1000, 500, 200]


def test_a_wider_level_gives_a_wider_interval() -> None:
    names, scored = ["roc_auc", "accuracy"], binary(80, 2)
    wide, narrow = (intervals(names, scored, seed=0, level=level)["metrics"] for level in (0.99, 0.8))
    for name in names:
        assert wide[name]["low"] < narrow[name]["low"] < narrow[name]["high"] < wide[name]["high"]


@pytest.mark.parametrize(("hits", "rows"), [(0, 9), (9, 9), (3, 9), (450, 1000)])
def test_the_score_interval_is_scipys(hits: int, rows: int) -> None:
    ends = binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson(hits, rows) == pytest.approx((ends.low, ends.high), abs=1e-12)


def test_accuracy_and_binary_precision_and_recall_are_proportions_with_a_score_interval() -> None:
    s = binary(100, 3)
    found = intervals(["accuracy", "precision", "recall"], s, seed=0)["metrics"]
    hits = int(((s.labels == 1) & (s.truth == 1)).sum())
    for name, count, rows in (
        ("accuracy", int((s.labels == s.truth).sum()), 100),
        ("precision", hits, int(s.labels.sum())),
        ("recall", hits, int(s.truth.sum())),
    ):
        assert (found[name]["low"], found[name]["high"]) == wilson(count, rows)


def test_several_classes_have_no_plain_precision() -> None:
    assert proportion("precision", several(60, 0)) is None
    assert proportion("precision", several(60, 0).take(several(60, 0).truth < 2)) is None


@pytest.mark.parametrize("kind", ["binary", "several classes", "regression"])
def test_a_perfect_score_is_not_certain(kind: str) -> None:
    make, names = MAKERS[kind]
    truth = make(100, 0).truth
    probabilities = np.eye(int(truth.max()) + 1)[truth.astype(int)] if truth.dtype.kind == "i" else None
    found = intervals(names, Scored(truth, truth, probabilities, columns=1), seed=0)["metrics"]
    for name in set(names) - {"median_absolute_error"}:
        low, value, high = found[name]["low"], found[name]["value"], found[name]["high"]
        assert low < high, name
        assert value == pytest.approx(high if METRICS[name].greater_is_better else low, abs=1e-12), name


def test_the_pessimistic_end_of_a_perfect_area_is_three_rows_of_the_rarer_class_turned_round() -> None:
    truth = np.array([1] * 10 + [0] * 90)
    scored = Scored(truth, truth, np.column_stack([1 - truth, truth]).astype(float))
    found = intervals(["roc_auc", "balanced_accuracy"], scored, seed=0)["metrics"]
    assert found["roc_auc"]["low"] == pytest.approx(0.7)
    assert found["balanced_accuracy"]["low"] == pytest.approx(0.85)


def test_the_worst_score_is_not_certain_either() -> None:
    truth = np.array([1] * 10 + [0] * 90)
    found = intervals(["f1"], Scored(truth, truth * 0, None), seed=0)["metrics"]["f1"]
    assert found == {"value": 0.0, "low": 0.0, "high": pytest.approx(6 / 13)}


def test_clusters_are_measured_on_rows_drawn_without_replacement() -> None:
    names = metrics_for("clustering")
    found = intervals(names, clusters(120, 0), seed=0)
    assert found["source"] == "Shao and Wu 1989"
    assert list(found["metrics"]) == ["silhouette", "davies_bouldin", "calinski_harabasz"]
    for part in found["metrics"].values():
        assert part["low"] < part["value"] < part["high"]
    few = intervals(["silhouette"], clusters(4, 0), seed=0)["metrics"]["silhouette"]
    assert np.isnan(few["low"])


def test_a_quarter_of_the_rows_gives_a_cluster_interval_twice_as_wide() -> None:
    def width(n: int) -> float:
        found = intervals(["silhouette"], clusters(n, 1), seed=0)["metrics"]["silhouette"]
        return float(found["high"] - found["low"])

    assert width(100) / width(400) == pytest.approx(2, rel=0.35)


def test_a_cluster_interval_is_as_wide_as_the_metric_strays_from_table_to_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strays = np.std([score(["silhouette"], clusters(300, seed))["silhouette"] for seed in range(100)])
    for most in (1000, 60):  # half of the rows; a fifth, so that the spread is scaled
        monkeypatch.setattr(bootstrap, "CLUSTER_ROWS", most)
        found = intervals(["silhouette"], clusters(300, 1), seed=0)["metrics"]["silhouette"]
        assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * strays, rel=0.3), most


def test_percentiles_leave_nan_out() -> None:
    assert percentiles(np.array([np.nan, 1.0, 2.0, 3.0]), 0.5) == (1.5, 2.5)
    assert np.isnan(percentiles(np.array([np.nan]))).all()
    assert np.isnan(bca(1.0, np.array([np.nan]), np.array([1.0]))).all()


def test_without_bias_or_skewness_the_interval_is_that_of_the_percentiles() -> None:
    drawn = np.arange(-500, 501) / 100
    assert bca(0.0, drawn, np.array([-1.0, 0.0, 1.0])) == pytest.approx(percentiles(drawn), abs=1e-9)


@pytest.mark.parametrize(
    ("make", "n", "names"),
    [
        (binary, 200, ["roc_auc", "accuracy", "log_loss"]),
        (lambda n, seed: binary(n, seed, 3.3), 150, ["roc_auc", "accuracy"]),
        (regression, 200, ["rmse", "mae"]),
    ],
    ids=["two classes", "two classes far apart", "regression"],
)
def test_at_least_nine_in_ten_intervals_hold_the_truth(
    make: Callable[[int, int], Scored], n: int, names: list[str]
) -> None:
    truth, tables = score(names, make(400_000, 10**6)), 300
    held = dict.fromkeys(names, 0)
    for seed in range(tables):
        found = intervals(names, make(n, seed), seed=seed, resamples=200)["metrics"]
        for name in names:
            held[name] += found[name]["low"] <= truth[name] <= found[name]["high"]
    assert all(count / tables >= 0.90 for count in held.values()), held
