"""A sweep's file says what is tried; each experiment composes, and its name stays the same for the same thing."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from mlworkflow.config import conf
from mlworkflow.config.conffiles import names
from mlworkflow.config.mistakes import sweep_mistakes
from mlworkflow.core.errors import ConfError
from mlworkflow.core.sweep import Sweep
from mlworkflow.sweeping import command
from mlworkflow.sweeping.plan import (
    Known,
    Point,
    SweepError,
    clashes,
    experiment,
    leaving_out,
    points,
    simplest_first,
)
from mlworkflow.sweeping.planned import planned, read_sweep
from mlworkflow.sweeping.prune import prune
from mlworkflow.sweeping.workspace import State
from tests.conftest import ROOT

HERE = State("0" * 40, "", ())
KNOWN = Known(seed=42, models=["linear", "xgboost"], columns=["mean radius", "mean area"])


@pytest.fixture
def root(monkeypatch):
    monkeypatch.chdir(ROOT)
    return ROOT


@pytest.fixture
def conf_copy(tmp_path, monkeypatch):
    """A copy of conf/ to break."""
    import shutil

    for name in ("conf", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "conf/sweep"


def sweep(**ways) -> Sweep:
    return Sweep(name="some", question="Which?", **ways)


def test_each_sweep_of_the_repository_is_right_and_says_in_words_what_it_is(root):
    assert sweep_mistakes() == []
    for name in names("sweep"):
        text = (root / f"conf/sweep/{name}.yaml").read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert points(read_sweep(name), KNOWN)


def test_all_models_are_those_that_can_do_the_task_the_simplest_first():
    found = simplest_first(
        {
            "boosted": {"regression": {"n_estimators": 500}},
            "forest": {"regression": {"n_estimators": 200}},
            "kmeans": {"clustering": {}},
            "neighbours": {"regression": {"n_neighbors": 5}},
            "line": {"rung": "linear", "regression": {"alpha": 1.0}},
        },
        "regression",
    )
    assert found == ["line", "neighbours", "forest", "boosted"]


def test_a_grid_is_every_combination():
    found = points(sweep(grid={"search": ["none"], "model.classification.C": [0.1, 1]}), KNOWN)
    assert found == [
        Point("search none, C 0.1", ("search=none", "model.classification.C=0.1")),
        Point("search none, C 1", ("search=none", "model.classification.C=1")),
    ]


def test_seeds_are_others_than_the_present_one():
    assert [point.overrides for point in points(sweep(seeds=2), KNOWN)] == [("seed=43",), ("seed=44",)]


def test_an_ablation_takes_one_column_at_a_time_or_the_groups_it_names():
    assert [point.label for point in points(sweep(without={}), KNOWN)] == ["without mean radius", "without mean area"]
    (both,) = points(sweep(without={"size": ["mean radius", "mean area"]}), KNOWN)
    assert both.overrides == ("++problem.treatments={mean radius: drop,mean area: drop}",)


def test_columns_that_are_not_there_are_told_at_once_with_the_nearest():
    with pytest.raises(SweepError, match="'mean radios', did you mean 'mean radius'") as caught:
        points(sweep(without={"one": ["mean radios"], "two": ["height"]}), KNOWN)
    assert "without.two: the model sees no column 'height'" in str(caught.value)


def test_an_ablation_before_the_first_run_says_what_to_type():
    with pytest.raises(SweepError, match=r"has not run for this problem.*dvc repro"):
        points(sweep(without={}), Known(42, [], None))


@pytest.mark.parametrize(
    "name", ["mean radius", "a.b", "größe", "it's", 'a "b"', "back\\slash", "true", "12", "a,b: {c}"]
)
def test_a_column_of_any_name_can_be_left_out(root, name):
    problem = conf.compose([leaving_out([name, "other"], hidden=["id"])])["problem"]
    hidden, treated = problem["data"].get("hidden", []), problem["treatments"]
    assert hidden == ["id", name, "other"] or (treated == {name: "drop", "other": "drop"} and not hidden)


def test_a_name_is_the_same_for_the_same_commit_workspace_and_composition_alone():
    point = Point("C 0.1", ("model.classification.C=0.1",))
    name = experiment("some", point, point.overrides, "params", ["commit", ""]).name
    assert name == experiment("some", point, ["another spelling"], "params", ["commit", ""]).name
    assert name.startswith("sweep-some-C_0_1-")
    others = [("params", ["commit", "edit"]), ("params", ["next", ""]), ("other", ["commit", ""])]
    assert len({name, *(experiment("some", point, (), *other).name for other in others)}) == 4


def test_what_the_sweep_sets_itself_is_no_override():
    assert clashes(sweep(models="all"), ["search=none", "model=xgboost"]) == ["model=xgboost"]
    assert clashes(sweep(grid={"search": ["none"]}), ["++search=random"]) == ["++search=random"]
    assert clashes(sweep(seeds=3), ["model=xgboost"]) == []


def test_an_unknown_sweep_is_told_with_the_nearest(root):
    with pytest.raises(SweepError, match=r"'modles' is none, did you mean 'models'\?"):
        read_sweep("modles")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: odd\nquestion: Why?\nmodels: all\nseeds: 3\n", "exactly one of models, grid, seeds, without"),
        ("name: odd\nquestion: Why?\nmodel: all\n", "model is no key here, did you mean 'models'"),
        ("name: even\nquestion: Why?\nseeds: 3\n", "name must be that of the file, 'odd'"),
        ("name: odd\nquestion: Why?\nseeds: 1\n", "seeds must be greater than or equal to 2"),
        (
            "name: odd\nquestion: Why?\nmodels: [linaer]\n",
            "models: conf/model/linaer.yaml is not there, did you mean 'lin",
        ),
        ("name: [odd\n", "odd.yaml, line 2: it is no YAML here"),
    ],
)
def test_a_slip_in_a_sweep_is_told_by_the_sweep_and_by_compose(conf_copy, text, told):
    (conf_copy / "odd.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfError, match=told.replace("[", r"\[")):
        read_sweep("odd")
    assert any(told in line for line in conf.validate_all())


def test_a_new_sweep_makes_no_params_stale(conf_copy):
    (conf_copy.parents[1] / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"))
    conf.check()
    (conf_copy / "odd.yaml").write_text("name: odd\nquestion: Why?\nseeds: 3\n", encoding="utf-8")
    conf.check()


def test_all_that_does_not_compose_is_told_before_anything_is_queued(root, monkeypatch):
    odd = sweep(grid={"model.classification.D": [1], "search": ["none", "bayesain"]})
    monkeypatch.setattr("mlworkflow.sweeping.planned.read_sweep", lambda name: odd)
    monkeypatch.setattr("mlworkflow.sweeping.planned.state", lambda root: HERE)
    with pytest.raises(ConfError, match="did you mean 'bayesian'") as caught:
        planned("some", [], root)
    assert "D 1, search none" in str(caught.value)
    assert "Nothing was queued" in str(caught.value)


def test_a_model_that_cannot_do_the_task_is_told(root, monkeypatch):
    monkeypatch.setattr("mlworkflow.sweeping.planned.read_sweep", lambda name: sweep(models=["kmeans"]))
    monkeypatch.setattr("mlworkflow.sweeping.planned.state", lambda root: HERE)
    with pytest.raises(ConfError, match=r"kmeans: conf/model/kmeans.yaml: it has no estimator for classification"):
        planned("some", [], root)


def test_params_are_composed_as_the_stages_will_see_them(root, monkeypatch):
    monkeypatch.setattr("mlworkflow.sweeping.planned.state", lambda root: HERE)
    plan = planned("seeds", ["problem=wine"], root)
    assert [yaml.safe_load(one.params)["seed"] for one in plan.experiments] == [43, 44, 45, 46, 47]
    assert {yaml.safe_load(one.params)["problem"]["name"] for one in plan.experiments} == {"wine"}
    assert plan.why == "the commit records breast_cancer, whose test rows are others"
    assert plan.wanted[0].name.startswith("sweep-seeds-baseline-")


def test_numbers_that_make_no_sense_are_refused_before_anything_is_done(root, monkeypatch):
    monkeypatch.setattr("mlworkflow.sweeping.command.planned", lambda *_: pytest.fail("it went on"))
    with pytest.raises(SweepError, match="--jobs must be 1 or more, but is 0"):
        command.sweep("models", [], jobs=0)
    with pytest.raises(SweepError, match="--keep must be 1 or more, but is 0"):
        prune("models", [], keep=0, yes=True)


def test_the_sweeps_are_listed_with_their_questions(root):
    listed = command.sweeps()
    assert [line.split()[0] for line in listed.splitlines()] == names("sweep")
    assert "Which model is best?" in listed


def test_the_spread_is_over_seeds_of_the_configuration_that_the_sweep_changes(root, monkeypatch):
    monkeypatch.setattr("mlworkflow.sweeping.planned.state", lambda root: HERE)
    some = sweep(grid={"model.classification.C": [1]}, always=["search=none"])
    plan = dataclasses.replace(planned("seeds", [], root), sweep=some, overrides=("seed=7",))
    seeds = command.seeds_of(plan, root)
    assert seeds is not None
    assert seeds.overrides == ("search=none",)
    assert [yaml.safe_load(one.params)["search"]["name"] for one in seeds.experiments] == ["none"] * 5
