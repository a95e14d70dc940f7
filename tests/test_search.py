"""Trials in batches: the same seed and budget give the same trials and the same winner."""

from __future__ import annotations

import optuna
import pytest

from mlworkflow.core.problem import Stopping
from mlworkflow.learning.search import SearchFailedError, Trial, best_of, search, table, taken_of


def bowl(parameters: dict) -> tuple[float, float]:
    return (parameters["x"] - 3.0) ** 2, 0.1


def run(evaluate=bowl, *, defaults=None, batch=4, maximise=False, sampler="tpe", **stopping):
    import optuna

    space = {"x": optuna.distributions.FloatDistribution(-10, 10)}
    samplers = {"tpe": optuna.samplers.TPESampler(seed=7, n_startup_trials=4), "none": None}
    return search(
        evaluate,
        space,
        {"x": 0.0} if defaults is None else defaults,
        sampler=samplers[sampler],
        stopping=Stopping(**{"trials": 24, **stopping}),
        batch=batch,
        maximise=maximise,
    )


def test_the_same_seed_gives_the_same_trials():
    assert run() == run()


def test_the_first_trial_is_the_model_as_it_stands():
    assert run()[0].parameters == {"x": 0.0}


def test_no_sampler_means_one_trial():
    assert len(run(sampler="none")) == 1


def test_the_search_finds_what_is_better_than_the_start():
    best = best_of(run(), maximise=False)
    assert best is not None
    assert best.score < 1.0


def test_a_larger_score_wins_only_when_it_is_better():
    trials = run()
    assert best_of(trials, maximise=True).score == max(trial.score for trial in trials)
    assert best_of(trials, maximise=False).score == min(trial.score for trial in trials)


def taken(*pairs, maximise=True):
    """Return C of the trial that is taken of trials with (C, score)."""
    trials = [Trial(number, {"C": c}, score, 0.02) for number, (c, score) in enumerate(pairs)]
    space = {"C": optuna.distributions.FloatDistribution(0.1, 1000.0, log=True)}
    return taken_of(trials, maximise, space, least_gain=0.01).parameters["C"]


def test_of_trials_that_the_best_does_not_beat_by_the_least_gain_the_nearest_to_conf_is_taken():
    near = 0.895
    assert taken((1, 0.80), (500, 0.90), (2, near), (0.2, near)) == 2
    assert taken((1, near), (500, 0.90), (2, near)) == 1
    assert taken((1, 0.80), (500, 0.90), (2, 0.88)) == 500
    assert taken((1, 0.91), (500, 0.899), (2, 0.89), maximise=False) == 2


def test_the_budget_in_trials_is_kept_to_the_trial():
    assert len(run(trials=6, batch=4)) == 6


def test_no_gain_ends_the_search():
    assert len(run(lambda parameters: (1.0, 0.0), no_gain=5)) < 24


def test_a_failing_trial_is_a_row_with_its_cause():
    def picky(parameters):
        if parameters["x"] > 0:
            raise ValueError("x is above zero\nand more")
        return bowl(parameters)

    rows = table(run(picky))
    failed = rows[rows["state"] == "failed"]
    assert set(failed["cause"]) == {"ValueError: x is above zero"}
    assert failed["score"].isna().all()
    assert (rows["state"] == "complete").any()


def test_a_score_that_is_no_number_counts_as_failed():
    assert (
        run(lambda parameters: (float("nan") if parameters["x"] else 1.0, 0.0))[1].cause == "the score is not a number"
    )


def test_when_every_trial_fails_the_cause_is_told():
    def broken(parameters):
        raise RuntimeError("no memory")

    with pytest.raises(SearchFailedError, match="all 24 failed; the first: RuntimeError: no memory"):
        run(broken)


def test_defaults_outside_the_space_are_still_the_first_trial():
    assert run(lambda parameters: (1.0, 0.0), defaults={"x": "sqrt"})[0].score == 1.0
