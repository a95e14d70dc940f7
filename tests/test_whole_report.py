"""One report with everything in it: each number computed a second time, from the rows themselves."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from mlworkflow.api.command import version_of
from mlworkflow.core import paths
from mlworkflow.measures.recalibration import mended
from mlworkflow.monitoring.concept import HIGHEST, Detector, threshold
from mlworkflow.monitoring.confidence import ASSUMPTIONS
from mlworkflow.monitoring.money import FLATTERING
from mlworkflow.watch.spans import number_of, span
from tests.conftest import ROOT, mlworkflow
from tests.promised import MONEY
from tests.watched import DAY, asked, desk, packaged, truths

START = span("week", number_of("week", time.time()) - 4).start
ROWS, KNOWN = 400, 300  # of a week; those whose outcome is known
HIGHEST_AGE = 70  # that the problem allows
EVERY = 600.0  # seconds between two rows


@dataclass(frozen=True)
class Run:
    """What a test planted, and the report of it."""

    report: dict[str, Any]
    rows: list[pd.DataFrame]  # of each week: what was asked, said, told, how long it took; truth is None: not known
    train: pd.DataFrame
    profile: dict[str, Any]
    promise: dict[str, Any]
    page: str

    def numbers(self, week: int) -> dict[str, float]:
        return {name: told["value"] for name, told in self.report["windows"][week]["numbers"].items()}

    def check(self, week: int, part: str, subject: str) -> dict[str, Any]:
        (found,) = [
            one for one in self.report["windows"][week]["checks"] if (one["part"], one["subject"]) == (part, subject)
        ]
        return found

    def known(self, week: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (truth as 0 and 1, probability of yes) of the rows whose outcome is known, as they came."""
        rows = self.rows[week].dropna(subset=["truth"])
        return (rows["truth"] == "yes").to_numpy(dtype=int), rows["said"].to_numpy()


def planted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with a fault in every column: paid moved up and in part beyond training, ages gone, a new plan."""
    return [
        {
            **row,
            "paid": round(row["paid"] + 12.0, 2),
            "age": None if number % 3 == 0 else row["age"],
            "plan": "trial" if number % 5 == 0 else row["plan"],
        }
        for number, row in enumerate(rows)
    ]


def week(writer, number: int, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Write a week of requests, the outcomes of some, and a shadow's answers; return what was written."""
    took = np.random.default_rng(number).gamma(2.0, 3.0, len(rows))
    begin = START + 7 * DAY * number
    ids = writer.predict(rows, begin, every=EVERY, latency=took.tolist())
    said = [answer["probabilities"]["yes"] for answer in writer.model.predict(rows)]
    truth = truths(rows, number)
    writer.tell(ids[:KNOWN], truth[:KNOWN])
    duller = [{**row, "age": None} for row in rows]  # a shadow that does not know the age
    writer.predict(duller, begin, ids=ids, role="shadow", version="v2")
    return pd.DataFrame(rows).assign(said=said, took=took, truth=[*truth[:KNOWN], *[None] * (len(rows) - KNOWN)])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """`mlworkflow monitor` on two weeks, of which the second is faulty in every way."""
    root = tmp_path_factory.mktemp("whole") / "clone"
    root.mkdir()
    bundle = packaged(root, value=MONEY)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    shutil.copy(ROOT / "params.yaml", root)
    (root / "dvc.yaml").write_text("stages: {}\n")
    writer = desk(root / "data/predictions", bundle)
    writer.version = version_of(bundle)
    rows = [week(writer, 0, asked(ROWS, 1)), week(writer, 1, planted(asked(ROWS, 2)))]
    writer.count("rejected", 4, START + DAY)
    writer.count("rejected", 100, START + 8 * DAY)
    writer.count("failed", 20, START + 8 * DAY)
    said = mlworkflow(root, "monitor", "--json", code=1)
    stored = [json.loads((bundle / name).read_text()) for name in ("profile.json", "promise.json")]
    page = (root / "data/monitoring/monitor.html").read_text()
    return Run(json.loads(said[said.index("{") :]), rows, pd.read_parquet(root / paths.TRAIN), *stored, page)


# ---- data ------------------------------------------------------------------------------------------------------------


def test_quality_is_the_share_of_the_rows(run):
    told, rows = run.numbers(1), run.rows[1]
    cannot = rows["age"] > HIGHEST_AGE  # the model takes them for missing
    assert run.check(1, "quality", "age: impossible")["value"] == pytest.approx(cannot.mean())
    assert told["drift/age/missing"] == pytest.approx((rows["age"].isna() | cannot).mean())
    assert told["drift/plan/unseen"] == pytest.approx((rows["plan"] == "trial").sum() / (rows["plan"] != "NA").sum())
    beyond = (rows["paid"] > run.train["paid"].max()) | (rows["paid"] < run.train["paid"].min())
    assert told["drift/paid/outside"] == pytest.approx(beyond.mean())
    assert {"quality/age: impossible", "quality/plan: unseen", "quality/paid: outside"} <= open_alarms(run)
    p = stats.betabinom.sf(beyond.sum() - 1, ROWS, 2 + 0.5, len(run.train) - 2 + 0.5)
    assert run.check(1, "quality", "paid: outside")["p"] == pytest.approx(2 * p)


def open_alarms(run: Run) -> set[str]:
    return {f"{one['part']}/{one['subject']}" for one in run.report["alarms"] if not one["ended"]}


def index(before: np.ndarray, after: np.ndarray) -> float:
    """Return the population stability index, with half a row more in each bin."""
    full = before + after > 0
    e, f = ((counts[full] + 0.5) / (counts[full] + 0.5).sum() for counts in (before, after))
    return float(((f - e) * np.log(f / e)).sum())


def test_drift_of_a_column_is_that_of_its_values(run):
    told, now, then = run.numbers(0), run.rows[0]["paid"], run.train["paid"]
    edges = [-np.inf, *run.profile["columns"]["paid"]["edges"], np.inf]
    before, after = (np.histogram(one, edges)[0] for one in (then, now))
    assert told["drift/paid/psi"] == pytest.approx(index(before, after))
    assert told["drift/paid/js"] == pytest.approx(jensenshannon(before, after, base=2))
    apart = stats.wasserstein_distance(then, run.rows[1]["paid"]) / then.std()
    assert run.numbers(1)["drift/paid/wasserstein"] == pytest.approx(apart, rel=0.03)


def test_the_chance_of_a_drift_is_that_of_the_chi_squared_test(run):
    edges = run.profile["columns"]["age"]["edges"]
    ages = [one["age"][one["age"] <= HIGHEST_AGE] for one in (run.train, run.rows[0])]
    table = [np.histogram(one, [*edges, np.inf])[0] for one in ages]  # none is below the youngest of training
    last = table[0][-1] == table[1][-1] == 0
    p = stats.chi2_contingency([counts[:-1] if last else counts for counts in table], correction=False).pvalue
    assert run.check(0, "drift", "age")["p"] == pytest.approx(p)


def test_columns_come_by_how_much_they_matter(run):
    assert list(run.report["columns"].values()) == sorted(run.report["columns"].values(), reverse=True)
    assert run.report["columns"]["paid"] == run.profile["weights"]["paid"] > 0


def test_rows_that_moved_are_told_from_training_about_as_well_as_by_another_classifier(run):
    names = ["age", "paid"]
    rows = pd.concat([run.train[names], run.rows[1][names].astype("float64")], ignore_index=True)
    rows = rows.assign(gone=rows["age"].isna()).fillna({"age": 0.0})
    new = np.repeat([0, 1], [len(run.train), ROWS])
    forest = RandomForestClassifier(100, min_samples_leaf=10, random_state=0)
    said = cross_val_predict(forest, rows, new, cv=3, method="predict_proba")[:, 1]
    assert run.numbers(1)["joint/auc"] == pytest.approx(roc_auc_score(new, said), abs=0.06)
    assert abs(run.numbers(0)["joint/auc"] - 0.5) < 0.08


def test_predictions_are_those_of_the_rows(run):
    edges = [-np.inf, *run.profile["predictions"]["edges"], np.inf]
    before, after = np.array(run.profile["predictions"]["counts"]), np.histogram(run.rows[1]["said"], edges)[0]
    assert run.numbers(1)["predictions/psi"] == pytest.approx(index(before, after))
    assert run.numbers(1)["predictions/mean"] == pytest.approx(run.rows[1]["said"].mean())


def test_alarms_of_a_window_are_corrected_together_by_holm(run):
    checks = run.report["windows"][1]["checks"]
    tested = sorted((one for one in checks if one["p"] is not None), key=lambda one: one["p"])
    adjusted = np.maximum.accumulate([(len(tested) - rank) * one["p"] for rank, one in enumerate(tested)])
    level = run.report["false_alarms"] / 100
    for one, p in zip(tested, adjusted, strict=True):
        assert one["alarm"] == (one["beyond"] and p <= level)


# ---- outcomes --------------------------------------------------------------------------------------------------------


def test_performance_is_that_of_the_rows_whose_outcome_is_known_and_the_rest_is_said(run):
    for number in (0, 1):
        measured = run.report["windows"][number]["numbers"]["performance/roc_auc"]
        assert measured["value"] == pytest.approx(roc_auc_score(*run.known(number)))
        assert measured["low"] < measured["value"] < measured["high"]
        assert (run.report["windows"][number]["rows"], run.report["windows"][number]["labelled"]) == (ROWS, KNOWN)
    assert run.report["log"]["labelled"] == 2 * KNOWN


def test_estimated_performance_counts_each_row_as_both_classes_by_its_probability(run):
    said = mended(run.rows[1]["said"].to_numpy(), *(run.promise["calibration"][k] for k in ("intercept", "slope")))
    both, weights = np.repeat([1, 0], ROWS), np.concatenate([said, 1 - said])
    by_hand = roc_auc_score(both, np.tile(said, 2), sample_weight=weights)
    assert run.numbers(1)["estimated/roc_auc"] == pytest.approx(by_hand, abs=0.003)


def test_evidence_of_another_concept_is_that_of_the_detector_row_by_row(run):
    start = Detector.start(run.promise)
    told = run.promise["concept"]
    sums = np.zeros(len(start.bets))
    for number in (0, 1):
        truth, said = run.known(number)
        true = mended(said, told["intercept"], told["slope"])
        for came, p in zip(truth, true, strict=True):
            raw = sum((r - q) * (y - q) for r, q, y in zip(told["rates"], (1 - p, p), (1 - came, came), strict=True))
            loss = min(max((raw - told["low"]) / (told["high"] - told["low"]), 0.0), 1.0)
            sums = (sums + 1) * (1 + np.array(start.bets) * (loss - start.mu))
    assert np.log(sums).max() < HIGHEST
    log = max(float(np.log(sums.mean())), 0.0)
    needed = float(np.log(KNOWN * 100 / (run.report["false_alarms"] * 0.1)))
    assert run.numbers(1)["concept/evidence"] == pytest.approx(log / needed, rel=1e-6)
    assert threshold(KNOWN, settings(run)) == pytest.approx(needed)


def settings(run: Run) -> Any:
    from mlworkflow.core.params import Monitor

    return Monitor(name="test", false_alarms=run.report["false_alarms"])


def test_calibration_is_what_was_said_less_what_came(run):
    truth, said = run.known(1)
    told = run.numbers(1)
    assert told["calibration/gap"] == pytest.approx((said - truth).mean())
    order = np.argsort(said, kind="stable")
    bins = [(said[part].mean(), truth[part].mean(), len(part)) for part in np.array_split(order, 10)]
    assert told["calibration/ece"] == pytest.approx(sum(n * abs(p - y) for p, y, n in bins) / KNOWN, abs=0.005)
    p = mended(said, *(run.promise["calibration"][k] for k in ("intercept", "slope")))
    z = ((truth - p) * (1 - 2 * p)).sum() / np.sqrt(((1 - 2 * p) ** 2 * p * (1 - p)).sum())
    assert told["calibration/z"] == pytest.approx(z)


def test_money_is_what_the_table_of_the_problem_pays(run):
    truth, said = run.known(1)
    pays = MONEY["outcomes"]

    def earned(labels: np.ndarray) -> float:
        gains = np.where(truth == 1, pays["yes"]["yes"] * labels, pays["no"]["yes"] * labels)
        return float(gains.mean())

    told = run.numbers(1)
    assert told["money/model"] == pytest.approx(earned(said >= 0.3))  # the threshold of the bundle
    assert told["money/baseline"] == pytest.approx(earned(np.ones(KNOWN)))
    best = max(earned(said >= cut) for cut in [*said, 1.1])
    assert told["money/best_threshold"] == pytest.approx(best)
    assert earned(said >= told["money/threshold"]) == pytest.approx(best)


# ---- service ---------------------------------------------------------------------------------------------------------


def test_health_is_that_of_the_requests(run):
    told, took = run.numbers(1), run.rows[1]["took"]
    assert (told["health/rows"], told["health/rejected"], told["health/failed"]) == (ROWS, 100, 20)
    assert told["health/rate"] == pytest.approx(3_600 / EVERY)
    for share, name in ((0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")):
        assert told[f"health/{name}"] == pytest.approx(np.quantile(took, share), rel=0.15)
    assert "health/rejected" in open_alarms(run)
    newest = START + 7 * DAY + EVERY * (ROWS - 1)
    assert run.report["log"]["newest"] == pytest.approx(newest)
    assert run.report["log"]["lag"] == pytest.approx(time.time() - newest, abs=600)


def test_a_shadow_is_compared_on_the_same_rows(run):
    challenger = run.report["challenger"]
    assert (challenger["version"], challenger["paired"]) == ("v2", True)
    assert challenger["rows"] == {"champion": 2 * KNOWN, "challenger": 2 * KNOWN}
    assert challenger["word"] == "worse"
    found = challenger["differences"]["roc_auc"]
    assert found["low"] < found["value"] < found["high"] < 0


def test_the_page_shows_each_part_and_says_what_its_estimates_rest_on(run):
    parts = ("What needs attention", "Over time", "Champion against challenger", "Columns")
    assert [part for part in parts if f"<h2>{part}</h2>" not in run.page] == []
    charts = (
        "roc_auc",
        "Evidence that the concept changed",
        "Calibration error",
        "EUR a row",
        "Latency, ms",
        "paid, PSI",
    )
    assert [chart for chart in charts if f"<h3>{chart}</h3>" not in run.page] == []
    assert all(html.escape(words) in run.page for words in (ASSUMPTIONS, FLATTERING))
    assert f"of {2 * ROWS} rows the outcomes of {2 * KNOWN} are known" in run.page.replace("Of", "of")
    assert "the newest row was asked" in run.page.lower()
