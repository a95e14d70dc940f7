"""Each mistake in conf/ is told in plain words with its file, chosen or not, all at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlworkflow.config import conf
from mlworkflow.config.mistakes import file_mistakes, validate
from mlworkflow.core.errors import ConfError, UnreadableError
from mlworkflow.core.params import read_params
from tests.test_conf import change, copy_conf


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    """A copy of conf/ to break, as the working folder."""
    monkeypatch.chdir(copy_conf(tmp_path))
    return tmp_path


# ---- files, chosen or not

SLIPS = {
    "problem/wine": [
        ("metrics:", "metrcs:", "metrcs is no key here, did you mean 'metrics'?"),
        ("  primary:", "  primry:", "metrics.primry is no key here, did you mean 'primary'?"),
        ("question:", "asked: 1\nquestion:", "asked is no key here, did you mean 'asked_by'?"),
        ("task: multiclass", "task: multclass", "but is 'multclass', did you mean 'multiclass'?"),
        ("least_gain: 0.01", "least_gain: .inf", "metrics.least_gain must be a finite number, but is inf"),
        ("no_gain: 8", "no_gain: 0", "stopping.no_gain must be greater than or equal to 1, but is 0"),
        ("megabytes: 20", "megabytes: 0", "constraints.largest_model_megabytes must be greater than 0, but is 0"),
        ("folds: 5", "folds: 1", "split.folds must be greater than or equal to 2, but is 1"),
        ("folds: 5", "folds: five", "split.folds must be a whole number, but is 'five'"),
        ("scheme: hash", "scheme: column", "split cannot be so: the scheme 'column' needs the name of the column"),
        ("alcohol: [0, 100]", "alcohol: [0]", "data.ranges.alcohol"),
        ("alcohol: [0, 100]", "alcohol: [low, 9]", "data.ranges.alcohol.0 must be a number, but is 'low'"),
        ("name: wine\nq", "name: whine\nq", "name must be that of the file, 'wine', but is 'whine'"),
        ("primary: log_loss", "primary: logloss", "'logloss' is no metric, did you mean 'log_loss'?"),
        ("class_2: -200}", "clas_2: -200}", "'clas_2' is no class, did you mean 'class_2'?"),
        ("snapshot: conf/problem/wine", "snapshot: data/wine", "data/wine.yaml is not there"),
        ("  name: wine", "  nam: wine", "source.nam is no argument of mlworkflow.sources.bundled"),
    ],
    "problem/digits": [
        ("  - override /model@_global_.model: random_forest", "  3", "defaults must be a list"),
        (
            "question: Which digit did a hand write in this 8 by 8 picture?",
            "question: ''",
            "question must have at least 1",
        ),
        ("model: random_forest", "model: forest", "conf/model/forest.yaml is not there"),
    ],
    "model/linear": [
        ("rung: linear", "rung: linaer", "rung must be 'random', 'human', 'existing', "),
        ("    alpha: {", "    alfa: {", "space.regression.alfa is no parameter of sklearn.linear_model"),
    ],
    "model/kmeans": [("scaling:", "scalign:", "wants.scalign is no key here, did you mean 'scaling'?")],
    "search/random": [
        ("batch: 4", "batch: 0", "batch must be greater than or equal to 1, but is 0"),
        ("seed: $", "sed: $", "sampler.sed is no argument of optuna.samplers.RandomSampler"),
    ],
    "monitor/default": [
        ("psi: 0.1", "psi: much", "psi must be a number, but is 'much'"),
        ("psi: 0.1", "psi: -1", "psi must be greater than or equal to 0, but is -1"),
    ],
    "config": [
        ("seed: 42", "seed: -1", "seed must be greater than or equal to 0, but is -1"),
        ("seed: 42", "seed: 4294967296", "seed must be less than 4294967296"),
        ("seed:", "sead:", "sead is no key here, did you mean 'seed'?"),
        ("model: linear", "model: linaer", "conf/model/linaer.yaml is not there, did you mean 'linear'?"),
    ],
}
ROWS = [(f"conf/{file}.yaml", *slip) for file, slips in SLIPS.items() for slip in slips]


@pytest.mark.parametrize(("file", "old", "new", "told"), ROWS, ids=[f"{row[0]}: {row[2]}" for row in ROWS])
def test_a_slip_in_any_file_is_told_with_the_file(file, old, new, told):
    change(file, old, new)
    found = file_mistakes()
    assert any(line.startswith(f"{file}: ") and told in line for line in found), found


def test_all_mistakes_of_all_files_are_told_at_once():
    change("conf/problem/wine.yaml", "metrics:", "metrcs:")
    change("conf/problem/digits.yaml", "folds: 5", "folds: five")
    change("conf/search/random.yaml", "batch: 4", "batch: 0")
    change("conf/search/random.yaml", "seed: $", "sed: $")
    assert sorted(file_mistakes()) == [
        "conf/problem/digits.yaml: split.folds must be a whole number, but is 'five'",
        "conf/problem/wine.yaml: metrcs is no key here, did you mean 'metrics'?",
        "conf/problem/wine.yaml: metrics is missing",
        "conf/search/random.yaml: batch must be greater than or equal to 1, but is 0",
        "conf/search/random.yaml: sampler.sed is no argument of optuna.samplers.RandomSampler, did you mean 'seed'?",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: a\n  b: [\n", "conf/model/broken.yaml, line 2: it is no YAML here"),
        ("name: broken\nname: twice\n", "conf/model/broken.yaml, line 2: it is no YAML here: 'name' is there twice"),
    ],
)
def test_a_file_that_is_no_yaml_is_named_with_the_line(root, text, told):
    (root / "conf/model/broken.yaml").write_text(text, encoding="utf-8")
    assert any(told in line for line in conf.validate_all())
    with pytest.raises(ConfError, match=re.escape(told)):
        conf.compose([])


@pytest.mark.parametrize("text", ["", "- a\n", "word\n"])
def test_a_file_without_keys_is_named(root, text):
    (root / "conf/model/empty.yaml").write_text(text, encoding="utf-8")
    assert any(line.startswith("conf/model/empty.yaml: it must hold keys") for line in file_mistakes())


def test_numbers_and_dates_are_read_as_hydra_reads_them(root):
    change("conf/problem/wine.yaml", "least_gain: 0.01", "least_gain: 1e-2")
    change("conf/problem/wine.yaml", "name: wine\nquestion: From", "name: wine\nquestion: 2024-01-31 #")
    assert file_mistakes() == []
    composed = conf.compose(["problem=wine"])
    assert (composed["problem"]["metrics"]["least_gain"], composed["problem"]["question"]) == (0.01, "2024-01-31")


def test_a_problem_may_inherit_from_another(root):
    (root / "conf/problem/again.yaml").write_text(
        "# Wine again\ndefaults: [wine, _self_]\nname: again\nsplit: {folds: 3}\n", encoding="utf-8"
    )
    assert file_mistakes() == []
    assert conf.compose(["problem=again"])["problem"]["split"]["folds"] == 3


def test_a_problem_that_inherits_from_itself_is_told(root):
    (root / "conf/problem/again.yaml").write_text("# Again\ndefaults: [again]\nname: again\n", encoding="utf-8")
    with pytest.raises(ConfError, match=r"problem=again: a file's defaults lead back to itself"):
        conf.compose(["problem=again"])


# ---- one composition


def test_an_override_that_is_wrong_is_not_blamed_on_the_file(root):
    found = validate(conf.compose(["problem.split.folds=1", "+problem.metrcs=x"]))
    assert "params.yaml: problem.split.folds must be greater than or equal to 2, but is 1" in found
    assert "params.yaml: problem.metrcs is no key here, did you mean 'metrics'?" in found


def test_a_model_that_cannot_do_the_task_is_told_with_those_that_can(root):
    found = validate(conf.compose(["problem=iris", "model=linear"]))
    assert len(found) == 1
    able = "model=birch, model=gaussian_mixture, model=kmeans, model=minibatch_kmeans"
    assert found[0].endswith(
        f"has no estimator for clustering, the task of conf/problem/iris.yaml; those that have: {able}"
    )
    assert validate(conf.compose(["problem=wine", "model=kmeans"])) != []


def test_a_slip_in_the_defaults_is_told_once(root):
    change("conf/config.yaml", "  split: {", "  splt: {")
    expected = ["conf/config.yaml: problem.splt is no key here, did you mean 'split'?"]
    assert validate(conf.compose([])) == file_mistakes() == expected


# ---- files that are missing


def test_without_the_defaults_or_the_plugin_the_way_back_is_told_once(root):
    (root / "conf/config.yaml").unlink()
    told = "conf/config.yaml is not there; `git restore conf/config.yaml` brings it back"
    assert conf.validate_all() == [told]
    (root / "plugins/hydra_plugins/fingerprint.py").unlink()
    with pytest.raises(
        UnreadableError, match=r"fingerprint.py must be readable(?s:.*)git restore plugins/hydra_plugins"
    ):
        conf.validate_all()


@pytest.mark.parametrize(("text", "told"), [(None, "there is no such file"), ("- 1\n", "holds no keys")])
def test_params_that_are_none_say_what_to_type(root, text, told):
    if text is not None:
        (root / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(
        UnreadableError, match=rf"params.yaml must be readable, but .*{told}. Type `mlworkflow compose`"
    ):
        read_params()
