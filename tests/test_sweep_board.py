"""The leaderboard: a word for each experiment that noise and the number of looks cannot explain, not only a rank."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.judging.predicted import predictions
from mlworkflow.measures import many
from mlworkflow.measures.compare import Difference, paired
from mlworkflow.measures.metrics import Scored, score
from mlworkflow.sweeping.board import Board, Failure, Row, ranked, rows_of, spread_of, table, text, word_of
from mlworkflow.sweeping.outcome import Outcome, scored_of
from mlworkflow.sweeping.page import page
from mlworkflow.sweeping.prune import losers

ROWS = np.arange(300, dtype="uint64")


def model(skill: float, own: int = 0, rows: int = 300) -> Scored:
    """The same rows, scored by a model of some skill that errs in its own way."""
    truth = np.random.default_rng(1).integers(0, 2, rows)
    x = skill * truth + np.random.default_rng([2, own]).normal(0, 1, rows)
    p = 1 / (1 + np.exp(skill / 2 - x))
    return Scored(truth, (p >= 0.5).astype(int), np.column_stack([1 - p, p]))


def left(scored: Scored, rows: np.ndarray = ROWS) -> Outcome:
    return Outcome(score(["roc_auc"], scored), {"roc_auc": 0.5}, rows, scored)


BASE = left(model(1.0))


def board(*tried: tuple[str, Outcome | Failure | None], **changes) -> Board:
    rows = rows_of({label: (f"sweep-some-{label}", one) for label, one in tried}, BASE, "roc_auc", 0.01, seed=0)
    count = sum(row.difference is not None for row in rows)
    told = {
        "sweep": "some", "question": "Which?", "metric": "roc_auc", "baseline": "the recorded baseline", "base": 0.75,
        "rows": ranked(rows, "roc_auc"), "level": many.level_of(count), "compared": count, "least_gain": 0.01,
        "spread": None, "seeds": 0, "measure": "mlworkflow sweep seeds", "notes": (),
    }  # fmt: skip
    return Board(**{**told, **changes})


def words(made: Board) -> dict[str, str]:
    return {row.label: row.word for row in made.rows}


def test_each_experiment_has_a_word_and_the_best_is_first():
    made = board(("bad", left(model(0.2))), ("like", left(model(1.0, own=3))), ("good", left(model(3.0))), ("it", None))
    assert words(made) == {
        "good": "better",
        "like": "no clear difference",
        "it": "the baseline itself",
        "bad": "worse",
    }
    assert (made.rows[0].label, made.rows[-1].label) == ("good", "bad")


def test_a_gain_that_is_not_worth_having_is_no_clear_difference():
    assert word_of(Difference(0.02, 0.01, 0.03), 0.01) == "better"
    assert word_of(Difference(0.02, 0.01, 0.03), 0.05) == "no clear difference"
    assert word_of(Difference(-0.02, -0.03, -0.01), 0.01) == "worse"
    assert word_of(Difference(-0.02, -0.03, -0.01), 0.05) == "no clear difference"
    assert word_of(Difference(0.02, -0.01, 0.05), 0.01) == "no clear difference"


def test_the_more_are_looked_at_the_wider_each_interval():
    pair = (model(1.5), model(1.0))
    alone = many.together("roc_auc", {"a": pair}, seed=0)["a"]
    among = many.together("roc_auc", dict.fromkeys("abcdefghij", pair), seed=0)["a"]
    assert alone == paired("roc_auc", *pair, seed=0)
    assert among.value == alone.value
    assert among.low < alone.low
    assert among.high > alone.high


def test_of_many_looks_at_noise_all_intervals_hold_zero_as_often_as_they_say():
    """Tables with five models each that differ from the base by luck alone; uncorrected, about a fifth would err."""

    def noise(table: int, own: int) -> Scored:
        truth = np.random.default_rng(table).integers(0, 2, 80)
        x = truth + np.random.default_rng([table, own]).normal(0, 1, 80)
        return Scored(truth, (x > 0.5).astype(int), np.column_stack([1 - x, x]))

    wrong = 0
    for number in range(40):
        pairs = {str(own): (noise(number, own), noise(number, 0)) for own in range(1, 6)}
        wrong += any(found.clear for found in many.together("roc_auc", pairs, seed=number).values())
    assert wrong <= 4


def test_where_resamples_are_too_few_the_ends_move_out_all_the_same(monkeypatch):
    pair = (model(1.5), model(1.0))
    sharp = many.together("roc_auc", dict.fromkeys("abcde", pair), seed=0)["a"]
    monkeypatch.setattr(many, "MOST_WEIGHTS", 0)
    rough = many.together("roc_auc", dict.fromkeys("abcde", pair), seed=0)["a"]
    assert (rough.low, rough.high) == pytest.approx((sharp.low, sharp.high), abs=0.02)


def test_other_test_rows_are_not_compared_but_made_columns_do_not_matter():
    assert words(board(("fewer", left(model(1.0, rows=200), ROWS[:200]))))["fewer"] == "other test rows"
    assert words(board(("other ids", left(model(3.0), ROWS + np.uint64(1)))))["other ids"] == "better"


def test_a_failure_is_a_row_with_its_cause_and_counts_for_no_correction():
    made = board(("good", left(model(3.0))), ("broken", Failure("tune: the training rows cannot be used")))
    assert made.failed == 1
    assert made.compared == 1
    assert made.rows[-1].label == "broken"
    assert "broken: tune: the training rows cannot be used" in text(made)


def test_the_spread_over_seeds_stands_beside_every_difference_or_how_to_measure_it():
    tried = (("a", left(model(1.1, own=3))), ("b", left(model(3.0))))
    assert "Type `mlworkflow sweep seeds`" in " ".join(text(board(*tried)).split())
    known = text(board(*tried, spread=0.0123, seeds=6))
    assert "Type" not in known
    assert "standard deviation of roc_auc over 6 seeds, 0.012" in " ".join(known.split())
    assert known.count("±0.012") == 2
    assert spread_of([0.9, None, 0.8]) == (pytest.approx(0.0707, abs=1e-4), 2)
    assert spread_of([0.9]) == (None, 1)


@pytest.mark.parametrize("metric", ["roc_auc", "median_absolute_error"])
@pytest.mark.parametrize("size", [1e-6, 1.0, 123456.789, 1e12])
def test_the_board_fits_a_terminal(metric, size):
    rows = [
        Row(
            "without a column of a very long name",
            "x",
            size,
            size,
            Difference(size, -size, size),
            "no clear difference",
        ),
        Row(
            "failed", "y", None, None, None, "failed", "collect: the source table cannot be used: " + "no column " * 20
        ),
    ]
    made = board(rows=rows, metric=metric, spread=size, seeds=6, compared=1)
    assert max(map(len, text(made).splitlines())) <= 80
    assert "no clear difference" in text(made)


def test_long_labels_that_begin_alike_are_told_apart():
    rows = [
        Row(f"without the long column {name}", "x", 0.9, 0.9, Difference(0.01, -0.01, 0.01), "no clear difference")
        for name in "ab"
    ]
    lines = text(board(rows=rows, spread=0.001, seeds=6, compared=2)).splitlines()
    assert [line.split("  ")[0][-1] for line in lines[3:5]] == ["a", "b"]


def test_the_page_shows_every_row_the_chart_and_the_words():
    made = board(
        ("good", left(model(3.0))), ("a <b>", left(model(1.0, own=3))), ("broken", Failure("why")), spread=0.01, seeds=6
    )
    html = page(made, "churn", ["dvc exp apply x"])
    assert html.count("<tr>") + html.count("<tr class") == 1 + 3
    assert "a &lt;b&gt;" in html
    assert '<svg class="chart"' in html
    assert "Bonferroni (Dunn 1961)" in html
    assert "http" not in html
    assert html == page(made, "churn", ["dvc exp apply x"])


def test_the_table_has_a_record_a_row_with_what_the_board_shows():
    found = pd.DataFrame(table(board(("good", left(model(3.0))), ("broken", Failure("why")))))
    assert list(found["word"]) == ["better", "failed"]
    assert found.loc[0, "low"] > 0
    assert found.loc[1, "cause"] == "why"


def test_losers_are_all_after_the_best_and_neither_failures_nor_other_sweeps():
    made = board(
        *((f"m{skill}", left(model(skill))) for skill in (0.5, 1.5, 2.5)), ("broken", Failure("why")), ("it", None)
    )
    assert losers(made, 1) == ["sweep-some-m1.5", "sweep-some-m0.5"]
    assert losers(made, 3) == []
    assert losers(board(("a", left(model(1.5))), ("b", left(model(0.5))), sweep="another"), 1) == []


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "clustering"])
def test_predictions_that_were_kept_score_as_they_did(task):
    rng = np.random.default_rng(0)
    truth, labels = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    made = {
        "binary": Scored(truth % 2, labels % 2, rng.dirichlet([1, 1], 50)),
        "multiclass": Scored(truth, labels, rng.dirichlet([1, 1, 1], 50)),
        "regression": Scored(rng.normal(size=50), rng.normal(size=50), columns=4),
        "clustering": Scored(rng.normal(size=(50, 2)), labels),
    }[task]
    classes = {"binary": ["no", "yes"], "multiclass": ["b", "a", 3]}.get(task, [])
    kept = scored_of(predictions(np.arange(50), made, classes), task, 4)
    metrics = {"regression": ["rmse", "adjusted_r2"], "clustering": ["silhouette"]}.get(
        task, ["log_loss", "roc_auc", "f1"]
    )
    assert score(metrics, kept) == score(metrics, made)
