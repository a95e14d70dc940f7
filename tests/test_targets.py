"""A `_target_` that is not there, or does not take its arguments, is told without importing it."""

from __future__ import annotations

import pytest

from mlworkflow.config.targets import target_mistakes

LINEAR = "sklearn.linear_model.LogisticRegression"
RATIO = "mlworkflow.features.Ratio"
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
    found = target_mistakes({"classification": {"steps": [{"_target_": LINEAR, "inner": broken}]}})
    assert [line.split(":")[0] for line in found] == [
        "classification.steps.0.inner is no argument of " + LINEAR,
        "classification.steps.0.inner._target_",
    ]


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({"features": [{"_target_": "os.system", "command": "true"}]}, "features.0."),
        ({"features": [{"_target_": "mlworkflow.core.io.write_text", "text": "", "path": "a"}]}, "features.0."),
        ({"features": [{"_target_": RATIO, "over": {"_target_": "os.system"}, "under": "b"}]}, "features.0.over."),
        ({"source": {"_target_": "subprocess.run", "args": "true"}}, "source."),
        ({"classification": {"_target_": "os.system"}}, "classification."),
        (
            {"space": {"regression": {"alpha": {"_target_": "os.system"}}}, "regression": None},
            "space.regression.alpha.",
        ),
        ({"sampler": {"_target_": "optuna.create_study"}}, "sampler."),
        ({"rows": {"_target_": "os.system"}}, "rows."),
    ],
)
def test_what_has_no_business_in_a_part_of_conf_is_refused_there(section, place):
    told = target_mistakes(section)[0]
    assert told.startswith(f"{place}_target_: ")
    assert "may not be built here; what is in " in told


@pytest.mark.parametrize("place", [("classification",), ("families", "mine", "classification")])
def test_an_estimator_that_no_model_file_may_hold_is_told_before_it_is_fitted(place):
    config = {"_target_": "sklearn.calibration.CalibratedClassifierCV", "estimator": {"_target_": "pandas.DataFrame"}}
    for part in reversed(place):
        config = {part: config}
    assert target_mistakes(config) == [
        f"{'.'.join(place)}.estimator._target_: pandas.DataFrame may not be built here; what is in sklearn or xgboost "
        "or lightgbm or mlworkflow may; a model file may hold no others (PACKAGES in src/mlworkflow/core/params.py)"
    ]


@pytest.mark.parametrize(
    "section",
    [
        {"sampler": {"_target_": "mlworkflow.tuning.samplers.Halving"}},
        {"sampler": {"_target_": "optuna.samplers.TPESampler"}},
        {"rows": {"_target_": "mlworkflow.learning.augment.Noise"}},
    ],
)
def test_what_is_at_home_in_a_part_of_conf_is_not_told(section):
    assert target_mistakes(section) == []
