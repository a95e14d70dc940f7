"""What metrics.py promises: scikit-learn's names and values, one direction each, NaN where there is no answer."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference

from mlworkflow.measures import metrics
from mlworkflow.measures.metrics import METRICS, Scored, gain, metrics_for, score, without_value
from mlworkflow.measures.stability import stability


def classified(k: int, n: int = 200, seed: int = 0) -> Scored:
    """Rows of k classes with probabilities that know something."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, k, n)
    noise = generator.random((n, k)) + 0.5 * np.eye(k)[truth]
    probabilities = np.round(noise / noise.sum(axis=1, keepdims=True), 2)
    probabilities[:, 0] += 1 - probabilities.sum(axis=1)
    return Scored(truth, probabilities.argmax(axis=1), probabilities)


def measured(n: int = 100, seed: int = 0) -> Scored:
    generator = np.random.default_rng(seed)
    truth = generator.normal(5, 2, n)
    return Scored(truth, truth + generator.normal(0, 1, n), columns=3)


def clustered(n: int = 90) -> Scored:
    space = np.random.default_rng(0).normal(size=(n, 2)) + 6 * (np.arange(n)[:, None] // (n // 3))
    return Scored(space, np.arange(n) // (n // 3))


def test_every_name_of_the_design_is_there_and_belongs_to_one_kind_of_task() -> None:
    both = metrics_for("binary")
    assert both == metrics_for("multiclass")
    assert both + metrics_for("regression") + metrics_for("clustering") == list(METRICS)
    assert len(METRICS) == 20


def test_the_direction_of_each_metric_is_that_of_scikit_learns_scorers() -> None:
    scorers = {"rmse": "neg_root_mean_squared_error", "mae": "neg_mean_absolute_error", "log_loss": "neg_log_loss"}
    scorers |= {"mape": "neg_mean_absolute_percentage_error", "median_absolute_error": "neg_median_absolute_error"}
    scorers |= {"brier_score": "neg_brier_score", "roc_auc": "roc_auc", "r2": "r2", "f1": "f1", "accuracy": "accuracy"}
    for name, scorer in scorers.items():
        assert METRICS[name].greater_is_better == (reference.get_scorer(scorer)._sign == 1), name


def test_a_gain_is_above_zero_when_the_candidate_is_better_whatever_the_direction() -> None:
    assert gain("roc_auc", 0.9, 0.8) == pytest.approx(0.1)
    assert gain("rmse", 2.0, 3.0) == 1.0


def test_no_metric_hides_a_minus_sign() -> None:
    for scored, task in ((classified(2), "binary"), (measured(), "regression")):
        values = score(metrics_for(task), scored)  # type: ignore[arg-type]
        assert all(values[name] >= 0 for name in values if not METRICS[name].greater_is_better)


def test_two_classes_are_scored_as_scikit_learn_does() -> None:
    s = classified(2)
    assert s.probabilities is not None
    values, one = score(metrics_for("binary"), s), s.probabilities[:, 1]
    assert values["roc_auc"] == reference.roc_auc_score(s.truth, one)
    assert values["average_precision"] == reference.average_precision_score(s.truth, one)
    assert values["log_loss"] == reference.log_loss(s.truth, s.probabilities)
    assert values["brier_score"] == pytest.approx(reference.brier_score_loss(s.truth, one))
    assert values["precision"] == reference.precision_score(s.truth, s.labels)
    assert values["matthews_corrcoef"] == reference.matthews_corrcoef(s.truth, s.labels)


def test_several_classes_are_the_plain_mean_of_each_against_the_rest() -> None:
    s = classified(4)
    values = score(metrics_for("multiclass"), s)
    rest = {"multi_class": "ovr", "average": "macro"}
    assert values["roc_auc"] == pytest.approx(reference.roc_auc_score(s.truth, s.probabilities, **rest))
    assert values["average_precision"] == pytest.approx(
        reference.average_precision_score(np.eye(4)[s.truth], s.probabilities, average="macro")
    )
    assert values["recall"] == reference.recall_score(s.truth, s.labels, average="macro")
    assert values["f1"] == reference.f1_score(s.truth, s.labels, average="macro")


def test_adjusted_r2_is_below_r2_and_needs_the_number_of_columns() -> None:
    s = measured()
    values = score(["r2", "adjusted_r2"], s)
    assert values["adjusted_r2"] == pytest.approx(1 - (1 - values["r2"]) * 99 / 96)
    assert np.isnan(score(["adjusted_r2"], Scored(s.truth, s.labels))["adjusted_r2"])
    assert np.isnan(score(["adjusted_r2"], s.take(np.arange(4)))["adjusted_r2"])


DEGENERATE = {
    "no rows": (classified(2).take(np.arange(0)), "binary"),
    "one class": (Scored(np.ones(9, int), np.ones(9, int), np.tile([0.2, 0.8], (9, 1))), "binary"),
    "one of three classes": (Scored(np.ones(9, int), np.ones(9, int), np.tile([0.2, 0.7, 0.1], (9, 1))), "multiclass"),
    "probabilities that are NaN": (Scored(np.arange(4) % 2, np.zeros(4, int), np.full((4, 2), np.nan)), "binary"),
    "a constant truth": (Scored(np.ones(5), np.arange(5.0)), "regression"),
    "an infinite prediction": (Scored(np.arange(3.0), np.array([0, 1, np.inf])), "regression"),
    "one row": (Scored(np.ones(1), np.ones(1), columns=2), "regression"),
    "one cluster": (Scored(np.random.default_rng(0).normal(size=(9, 2)), np.zeros(9, int)), "clustering"),
    "a cluster a row": (Scored(np.random.default_rng(0).normal(size=(9, 2)), np.arange(9)), "clustering"),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_rows_without_an_answer_give_nan_and_no_warning(case: str) -> None:
    scored, task = DEGENERATE[case]
    values = score(metrics_for(task), scored)  # type: ignore[arg-type]
    no_answer = set(values) - {"accuracy", "log_loss", "brier_score", "rmse", "mae", "mape", "median_absolute_error"}
    assert no_answer
    assert np.isnan([values[name] for name in no_answer]).all(), values


@pytest.mark.parametrize(
    ("name", "scored", "why"),
    [
        ("roc_auc", Scored(np.zeros(4, int), np.zeros(4, int), np.full((4, 2), 0.5)), "all have the class 'no'"),
        ("roc_auc", Scored(np.arange(4) % 2, np.zeros(4, int), np.full((4, 2), 0.5)), None),
        ("r2", Scored(np.ones(4), np.arange(4.0)), "all have the same target"),
        ("adjusted_r2", Scored(np.arange(4.0), np.arange(4.0), columns=9), "they are too few for 9 columns"),
        (
            "rmse",
            Scored(np.arange(4.0), np.full(4, np.inf)),
            "some have a truth or a prediction that is no finite number",
        ),
        ("silhouette", Scored(np.eye(4), np.zeros(4, int)), "they fall into one group, or into one each"),
    ],
)
def test_why_a_metric_has_no_value_is_told_in_words(name: str, scored: Scored, why: str | None) -> None:
    assert without_value(name, scored, ["no", "yes"] if name == "roc_auc" else []) == why


def test_one_class_still_has_an_accuracy_and_a_log_loss() -> None:
    values = score(["accuracy", "log_loss"], DEGENERATE["one class"][0])
    assert values == {"accuracy": 1.0, "log_loss": pytest.approx(-np.log(0.8))}


def test_predictions_of_a_class_that_no_row_shows_and_sums_other_than_one_give_no_warning() -> None:
    odd = Scored(np.array([0, 1, 0, 1]), np.array([0, 2, 2, 1]), np.array([[0.5, 0.2, 0.2]] * 4))
    values = score(metrics_for("multiclass"), odd)
    assert values["balanced_accuracy"] == 0.5
    assert values["log_loss"] == pytest.approx(-(np.log(0.5) + np.log(0.2)) / 2)


def test_a_constant_prediction_is_worth_half_an_area_and_no_correlation() -> None:
    truth = np.arange(10) % 2
    values = score(["roc_auc", "matthews_corrcoef", "precision"], Scored(truth, truth * 0, np.full((10, 2), 0.5)))
    assert values == {"roc_auc": 0.5, "matthews_corrcoef": 0.0, "precision": 0.0}


def test_a_slice_of_three_classes_that_shows_two_is_still_scored_as_three() -> None:
    s = classified(3)
    two = Scored(s.truth, s.labels).take((s.truth < 2) & (s.labels < 2))
    assert two.k == 3
    assert score(["recall"], two)["recall"] == pytest.approx(
        reference.recall_score(two.truth, two.labels, average="macro", zero_division=0)
    )


def test_a_class_that_no_row_shows_is_left_out_of_the_mean_of_areas() -> None:
    two = classified(3).take(classified(3).truth < 2)
    assert two.probabilities is not None
    areas = [reference.roc_auc_score(two.truth == code, two.probabilities[:, code]) for code in (0, 1)]
    assert score(["roc_auc"], two)["roc_auc"] == pytest.approx(np.mean(areas))


def test_stability_is_left_out_unless_its_value_is_passed() -> None:
    s = clustered()
    assert list(score(metrics_for("clustering"), s)) == ["silhouette", "davies_bouldin", "calinski_harabasz"]
    assert score(["stability"], s, stability=0.7) == {"stability": 0.7}


def test_clear_clusters_are_stable_and_noise_is_not() -> None:
    from sklearn.cluster import AgglomerativeClustering, KMeans

    s, noise = clustered(), np.random.default_rng(1).normal(size=(90, 2))
    model = KMeans(3, n_init=3, random_state=0)
    assert stability(model, s.truth, s.labels, seed=0, resamples=5) > 0.95
    assert stability(model, noise, model.fit_predict(noise), seed=0, resamples=5) < 0.8
    without_predict = stability(AgglomerativeClustering(3), pd.DataFrame(s.truth), s.labels, seed=0, resamples=5)
    assert without_predict > 0.95
    assert np.isnan(stability(model, noise, np.zeros(90), seed=0))


def test_stability_repeats_with_its_seed_and_leaves_the_pipeline_unfitted() -> None:
    from sklearn.cluster import KMeans

    noise, model = np.random.default_rng(1).normal(size=(90, 2)), KMeans(4, n_init=1, random_state=0)
    labels = np.arange(90) % 4
    first, again, other = (stability(model, noise, labels, seed=seed, resamples=3) for seed in (0, 0, 1))
    assert first == again != other
    assert not hasattr(model, "labels_")


def test_importing_the_names_imports_no_scikit_learn() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import mlworkflow.measures.metrics; print('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_of_very_many_rows_the_silhouette_measures_some(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score(["silhouette"], clustered())["silhouette"]
    monkeypatch.setattr(metrics, "SILHOUETTE_ROWS", 45)
    some = score(["silhouette"], clustered())["silhouette"]
    assert some != whole
    assert some == pytest.approx(whole, abs=0.1)
