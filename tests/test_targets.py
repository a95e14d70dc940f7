"""A `_target_` that is not there, or does not take its arguments, is told without importing it."""

from __future__ import annotations

import pytest

from mlworkflow.config.targets import target_mistakes

LINEAR = "sklearn.linear_model.LogisticRegression"
SLIPS = {
    "sklaern.linear_model.Ridge": "there is no package 'sklaern', did you mean 'sklearn'?",
    "sklearn.linear.Ridge": "sklearn.linear.Ridge: sklearn has no 'linear'",
    "sklearn.linear_model.LogisticRegresion": "has no 'LogisticRegresion', did you mean 'LogisticRegression'?",
    "mlworkflow.sources.bundeld": "mlworkflow.sources has no 'bundeld', did you mean 'bundled'?",
    "sklearn.linear_model": "sklearn.linear_model is a module; name something in it",
}


@pytest.mark.parametrize(("target", "told"), SLIPS.items())
def test_a_target_that_is_not_there_is_told_with_the_nearest(target, told):
    found = target_mistakes({"classification": {"_target_": target}})
    assert len(found) == 1
    assert found[0].startswith(f"classification._target_: {target}")
    assert told in found[0]


@pytest.mark.parametrize(
    ("target", "argument", "meant"),
    [
        (LINEAR, "max_itr", "max_iter"),  # of a class that a package imports
        ("xgboost.XGBClassifier", "max_dept", "max_depth"),  # of its base class, through **kwargs
        ("optuna.distributions.FloatDistribution", "hihg", "high"),
        ("mlworkflow.sources.bundled", "nam", "name"),  # of a function
    ],
)
def test_an_argument_that_is_not_taken_is_told_with_the_nearest(target, argument, meant):
    assert target_mistakes({"_target_": target, argument: 1, meant: 1}) == [
        f"{argument} is no argument of {target}, did you mean {meant!r}?"
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"_target_": LINEAR, "C": 1.0, "_convert_": "all"},
        {"_target_": "xgboost.XGBClassifier", "any_other": 1},  # **kwargs may take it
        {"_target_": "numpy.exp", "anything": 1},  # no Python text says what it takes
        {"_target_": "two words"},  # for the schema to tell
        {},
    ],
)
def test_what_may_be_right_is_not_told(config):
    assert target_mistakes(config) == []


def test_targets_are_found_at_any_depth():
    broken = {"_target_": "sklaern.linear_model.Ridge"}
    found = target_mistakes({"features": [{"_target_": LINEAR, "inner": broken}]})
    assert [line.split(":")[0] for line in found] == [
        "features.0.inner is no argument of " + LINEAR,
        "features.0.inner._target_",
    ]
