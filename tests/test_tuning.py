"""The search: the same seed and budget give the same trials and the same choice, killed or not, one worker or two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import optuna
import pytest

from mlworkflow.core.params import Model
from mlworkflow.core.problem import Stopping
from mlworkflow.tuning.choosing import chosen, near_the_best, simplest_family, taken_of, without_choosing
from mlworkflow.tuning.ensemble import ensemble, greedy
from mlworkflow.tuning.influence import influence
from mlworkflow.tuning.jobs import LATE, Job, Outcome
from mlworkflow.tuning.journal import Journal
from mlworkflow.tuning.samplers import Grid, Halving, Own, begin
from mlworkflow.tuning.search import Rules, SearchFailedError, search
from mlworkflow.tuning.setting import Setting
from mlworkflow.tuning.trials import Asked, Trial, best_of, table
from mlworkflow.tuning.turns import Turns
from tests.conftest import make_problem

SPACE = {"x": optuna.distributions.FloatDistribution(-10, 10)}
FOLDS = 5


def bowl(job: Job) -> float:
    """A score whose least is at x = 3, with a little that differs from fold to fold."""
    return (job.asked.parameters["x"] - 3.0) ** 2 + 0.1 * job.fold


def worker(score=bowl, done=None):
    """Return what runs jobs, in the wrong order, and notes them in `done`."""

    def run(jobs):
        for job in reversed(jobs):
            if done is not None:
                done.append(job)
            try:
                yield Outcome(job.asked.number, job.fold, score(job))
            except ValueError as error:
                yield Outcome(job.asked.number, job.fold, None, f"ValueError: {error}")

    return run


def sampler(name="tpe", own=None, trials=24, maximise=False):
    each = {
        "tpe": optuna.samplers.TPESampler(seed=7, n_startup_trials=4),
        "grid": Grid(points=7, seed=1),
        "halving": Halving(seed=1),
        "none": None,
    }
    return begin(each[name], "bowl", own or {"x": 0.0}, SPACE, trials=trials, maximise=maximise)


def searched(run=None, *, asker=None, maximise=False, batch=4, prune=False, spent=0.0, **stopping):
    rules = Rules(Stopping(**{"trials": 24, **stopping}), FOLDS, maximise, batch, prune)
    return search(asker or sampler(maximise=maximise), run or worker(), rules, spent=spent)


def test_the_same_seed_gives_the_same_trials():
    assert searched() == searched()


def test_the_first_trial_is_the_model_as_it_stands():
    assert searched()[0].asked.parameters == {"x": 0.0}


def test_without_a_sampler_or_a_space_there_is_one_trial():
    assert len(searched(asker=sampler("none"))) == 1
    assert len(searched(asker=begin(object(), "bowl", {"x": 0.0}, {}, trials=9, maximise=False))) == 1


def test_the_search_finds_what_is_better_than_the_start():
    trials = searched()
    assert best_of(trials, maximise=False).score < trials[0].score


def test_the_direction_is_that_of_the_metric():
    trials = searched()
    assert best_of(trials, maximise=True).score == max(trial.score for trial in trials)
    assert best_of(trials, maximise=False).score == min(trial.score for trial in trials)


def test_the_budget_in_trials_is_kept_to_the_trial():
    assert len(searched(trials=6, batch=4)) == 6


def test_no_gain_ends_the_search():
    assert len(searched(worker(lambda job: 1.0), no_gain=5)) < 24


def test_a_budget_in_seconds_that_is_spent_leaves_the_model_as_it_stands():
    assert len(searched(seconds=10, spent=11.0)) == 1


def test_a_trial_that_was_too_late_is_no_failure_of_its_own():
    def late(jobs):
        yield from (
            Outcome(job.asked.number, job.fold, *((1.0,) if job.asked.number == 0 else (None, LATE))) for job in jobs
        )

    assert [trial.state for trial in searched(late, trials=3)] == ["complete", "stopped", "stopped"]


def test_a_failing_trial_is_a_row_with_its_cause():
    def picky(job):
        if job.asked.parameters["x"] > 3:
            raise ValueError("x is above three")
        return bowl(job)

    rows = table(searched(worker(picky)), {})
    failed = rows[rows["state"] == "failed"]
    assert set(failed["cause"]) == {"ValueError: x is above three"}
    assert failed["score"].isna().all()
    assert (rows["state"] == "complete").any()


def test_five_first_failures_of_one_cause_end_the_search_with_it():
    def broken(job):
        raise ValueError("no memory")

    with pytest.raises(SearchFailedError, match="all 5 failed; the first: ValueError: no memory"):
        searched(worker(broken))


def test_hopeless_trials_go_through_two_folds_alone():
    trials = searched(prune=True)
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert pruned
    assert {len(trial.scores) for trial in pruned} == {2}
    assert best_of(trials, maximise=False).score == min(
        trial.score for trial in searched()[:5] + trials if trial.counts
    )


def test_nothing_is_pruned_before_five_trials_have_shown_what_is_usual():
    assert all(trial.state == "complete" for trial in searched(prune=True, batch=1)[:5])


def test_a_grid_tries_every_combination_once():
    trials = searched(asker=sampler("grid"))
    assert [trial.asked.parameters["x"] for trial in trials[1:]] == pytest.approx(np.linspace(-10, 10, 7))


def test_a_grid_larger_than_the_budget_is_drawn_from():
    space = {
        "a": optuna.distributions.IntDistribution(1, 9),
        "b": optuna.distributions.CategoricalDistribution(["x", "y"]),
    }
    asker = begin(Grid(points=9, seed=3), "m", {"a": 1, "b": "x"}, space, trials=6, maximise=False)
    asked = [asker.ask(4), asker.ask(4), asker.ask(4)]
    assert [len(some) for some in asked] == [4, 2, 0]
    cells = [
        (one.parameters["a"], one.parameters["b"]) for some in asked for one in some[1 if some is asked[0] else 0 :]
    ]
    assert len(set(cells)) == len(cells)


def test_halving_gives_more_rows_to_the_best_third():
    trials = searched(asker=sampler("halving", trials=27), trials=27, batch=9)
    rounds = {share: [t for t in trials[1:] if t.asked.share == share] for share in (1 / 9, 1 / 3, 1.0)}
    assert [len(some) for some in rounds.values()] == [18, 6, 2]
    best = sorted(rounds[1 / 9], key=lambda trial: trial.score)[:6]
    assert [t.asked.parameters for t in best] == [t.asked.parameters for t in rounds[1 / 3]]


def test_of_several_families_each_begins_as_it_stands_and_the_best_get_most_turns():
    each = {
        name: begin(optuna.samplers.RandomSampler(seed=1), name, {"x": 0.0}, SPACE, trials=9, maximise=False)
        for name in "abc"
    }
    trials = searched(worker(lambda job: "cab".index(job.asked.family)), asker=Turns(each, maximise=False), batch=6)
    assert [trial.asked.family for trial in trials[:3]] == ["a", "b", "c"]
    assert [trial.asked.number for trial in trials] == list(range(24))
    counts = {name: sum(trial.asked.family == name for trial in trials) for name in "abc"}
    assert counts["c"] > counts["a"] > counts["b"]


def test_families_that_have_nothing_left_leave_the_turns_to_others():
    each = {"a": Own("a", {}), "b": begin(Grid(points=3, seed=0), "b", {"x": 0.0}, SPACE, trials=9, maximise=False)}
    trials = searched(worker(lambda job: 1.0), asker=Turns(each, maximise=False))
    assert [trial.asked.family for trial in trials] == ["a", *"bbbb"]


@pytest.mark.parametrize("kind", ["tpe", "grid", "halving"])
@pytest.mark.parametrize("after", [1, 17, 30])
def test_a_killed_search_goes_on_to_the_same_trials(tmp_path, kind, after):
    class Killed(BaseException):
        pass

    def dying(jobs):
        for outcome in worker()(jobs):
            if len(Journal(tmp_path / "journal", "one")) >= after:
                raise Killed
            yield outcome

    whole = searched(worker(), asker=sampler(kind), prune=True)
    with pytest.raises(Killed):
        searched(Journal(tmp_path / "journal", "one").through(dying), asker=sampler(kind), prune=True)
    with (tmp_path / "journal/jobs.jsonl").open("a") as file:
        file.write('{"key": "cut by the ki')
    done: list[Job] = []
    again = searched(Journal(tmp_path / "journal", "one").through(worker(done=done)), asker=sampler(kind), prune=True)
    assert again == whole
    needed = {Job(trial.asked, fold).key for trial in whole for fold in range(len(trial.scores))}
    assert len({job.key for job in done}) == len(needed) - after


def test_a_journal_of_another_search_is_forgotten(tmp_path):
    first = Journal(tmp_path / "journal", "one")
    list(first.through(worker())([Job(Asked(0, {"x": 1.0}, "bowl"), 0)]))
    assert len(Journal(tmp_path / "journal", "one")) == 1
    assert len(Journal(tmp_path / "journal", "another")) == 0


def test_the_journal_keeps_what_a_trial_says(tmp_path):
    def run(jobs):
        yield from (Outcome(job.asked.number, job.fold, 0.5, said=np.array([0.25, 0.75])) for job in jobs)

    job = Job(Asked(3, {"x": 1.0}, "bowl"), 2)
    list(Journal(tmp_path / "journal", "one").through(run)([job]))
    (outcome,) = Journal(tmp_path / "journal", "one").through(worker())([job])
    assert (outcome.number, outcome.fold, outcome.score, outcome.said.tolist()) == (3, 2, 0.5, [0.25, 0.75])


def trial(number, x, scores, family="m"):
    return Trial(Asked(number, {"x": x}, family), tuple(scores))


def test_the_model_of_conf_stays_where_the_best_gains_less_than_is_worth_having():
    trials = [trial(0, 0.0, [0.80, 0.80]), trial(1, 9.0, [0.84, 0.84])]
    assert taken_of(trials, True, SPACE, {}, least_gain=0.05) is trials[0]
    assert taken_of(trials, True, SPACE, {}, least_gain=0.03) is trials[1]


def test_within_one_standard_error_the_simpler_trial_is_taken():
    trials = [trial(0, 0.0, [0.5] * 4), trial(1, 9.0, [0.9, 0.8, 0.9, 0.8]), trial(2, -9.0, [0.7, 0.9, 0.9, 0.85])]
    assert taken_of(trials, True, SPACE, {"x": "low"}, 0.0) is trials[2]
    assert taken_of(trials, True, SPACE, {"x": "high"}, 0.0) is trials[1]
    assert taken_of(trials, True, SPACE, {}, 0.0) is trials[1]  # which is as far from conf/, and was before
    assert taken_of([*trials[:2], trial(2, -9.0, [0.84] * 4)], True, SPACE, {"x": "low"}, 0.02).asked.number == 2
    worse = [*trials[:2], trial(2, -9.0, [0.6, 0.6, 0.6, 0.6])]
    assert taken_of(worse, True, SPACE, {"x": "low"}, 0.0) is worse[1]


def test_of_families_within_one_standard_error_the_first_is_taken():
    trials = [trial(0, 0, [0.7, 0.9], "linear"), trial(1, 0, [0.7, 0.75], "trees"), trial(2, 0, [0.8, 0.9], "trees")]
    assert near_the_best(trials, True) == [trials[2], trials[0]]
    assert simplest_family(trials, ["linear", "trees"], True) == "linear"
    assert simplest_family(trials, ["trees", "linear"], True) == "trees"


def test_the_score_without_choosing_is_that_of_chance_where_there_is_nothing_to_find():
    def choose(some):
        return best_of(some, True)

    rng, best, unseen = np.random.default_rng(0), [], []
    for _ in range(200):
        trials = [trial(number, 0, rng.normal(size=5)) for number in range(40)]
        best.append(np.mean(choose(trials).scores))
        unseen.append(np.mean(without_choosing(trials, choose)))
    error = np.std(unseen) / np.sqrt(len(unseen))
    assert np.mean(best) > 0.5
    assert abs(np.mean(unseen)) < 3 * error


def test_an_ensemble_mixes_what_errs_differently():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400)
    said = [truth + rng.normal(size=400), truth + rng.normal(size=400), truth + 9 * rng.normal(size=400)]
    counts = greedy(said, truth, "rmse")
    assert counts[0] > 0
    assert counts[1] > 0
    assert counts[2] == 0


def test_the_scores_of_an_ensemble_are_given_with_and_without_choosing():
    rng = np.random.default_rng(1)
    truth = [rng.normal(size=50) for _ in range(4)]
    trials = [
        replace(trial(number, 0, [1.0] * 4), said=tuple(part + rng.normal(size=50) for part in truth))
        for number in range(6)
    ]
    weights, scores, unseen = ensemble(trials, truth, "rmse")
    assert sum(weights.values()) == pytest.approx(1.0)
    assert len(scores) == len(unseen) == 4
    assert np.mean(scores) < np.mean(unseen) < 1.0


def test_the_parameter_that_decides_the_score_has_the_influence():
    space = SPACE | {"y": optuna.distributions.FloatDistribution(-10, 10)}
    asker = begin(optuna.samplers.RandomSampler(seed=0), "bowl", {"x": 0.0, "y": 0.0}, space, trials=60, maximise=False)
    found = influence(searched(asker=asker, trials=60), {"bowl": space}, maximise=False)
    assert list(found["parameter"]) == ["x", "y"]
    assert found["share"][0] > 0.8
    assert influence([], {"bowl": space}, maximise=False).empty


def test_a_mean_that_is_not_better_than_the_best_trial_is_not_taken_where_a_simpler_one_is_as_good():
    rng = np.random.default_rng(0)
    truth = [rng.normal(size=200) for _ in range(5)]

    def said(number: int, noise: float, family: str) -> Trial:
        drawn = [np.random.default_rng([number, fold]).normal(size=200) for fold in range(5)]
        told = tuple(part + noise * each for part, each in zip(truth, drawn, strict=True))
        scores = tuple(float(np.sqrt(np.mean((one - part) ** 2))) for one, part in zip(told, truth, strict=True))
        return Trial(Asked(number, {}, family), scores, said=told)

    def taken(trials: list[Trial]) -> set[int]:
        models = {name: Model(name=name) for name in ("linear", "trees")}
        problem = make_problem(task="regression", metrics={"primary": "rmse", "also": [], "least_gain": 0.5})
        return set(
            chosen(trials, truth, Setting(models, {name: {} for name in models}, problem, maximise=False)).weights
        )

    alike = [said(0, 1.0, "linear"), said(1, 1.05, "trees")]
    assert taken(alike) == {0, 1}
    same = Trial(Asked(1, {}, "trees"), alike[0].scores, said=alike[0].said)
    assert taken([alike[0], same]) == {0}
