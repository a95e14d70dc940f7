"""conf/ composes, every choice is valid, params.yaml is what conf/ says, and each mistake is told with its file."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlworkflow import conf, paths
from mlworkflow.errors import ConfError, StaleParamsError
from mlworkflow.params import family
from tests.conftest import make_problem

ROOT = Path(__file__).parents[1]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / paths.CONF).rglob("*.yaml"))
DVC = """
import sys
from dvc.utils.hydra import compose_and_dump
root, *wanted = sys.argv[1:]
for number, overrides in enumerate(wanted):
    compose_and_dump(f"{root}/{number}.yaml", f"{root}/conf", None, "config", f"{root}/plugins", overrides.split())
"""


@pytest.fixture(scope="module")
def composed(tmp_path_factory) -> dict[str, Path]:
    """Two copies of the repository's conf/, by default and for wine, each with params.yaml composed from it."""
    copies = {}
    for problem in ("breast_cancer", "wine"):
        copies[problem] = tmp_path_factory.mktemp(problem)
        for name in ("conf", "plugins"):
            shutil.copytree(ROOT / name, copies[problem] / name, ignore=shutil.ignore_patterns("__pycache__"))
        conf.write_params([f"problem={problem}"], copies[problem])
    return copies


@pytest.fixture
def root(composed, tmp_path) -> Path:
    """A copy of conf/ to break, with params.yaml composed from it."""
    return shutil.copytree(composed["breast_cancer"], tmp_path, dirs_exist_ok=True)


@pytest.fixture
def root_of_wine(composed, tmp_path) -> Path:
    """The same after `-S problem=wine`."""
    return shutil.copytree(composed["wine"], tmp_path, dirs_exist_ok=True)


def change(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def stale(root: Path) -> str:
    with pytest.raises(StaleParamsError) as caught:
        conf.check(root)
    return str(caught.value)


# ---- composing


def test_params_yaml_is_composed_from_todays_conf():
    conf.check(ROOT)


def test_the_composition_is_byte_for_byte_that_of_dvc(root):
    wanted = ["", "problem=iris", "problem=digits model=xgboost search=none seed=7 problem.split.folds=3"]
    subprocess.run([sys.executable, "-c", DVC, str(root), *wanted], check=True)
    for number, overrides in enumerate(wanted):
        assert conf.compose_text(overrides.split(), root) == (root / f"{number}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("problem", [Path(file).stem for file in FILES if "/problem/" in file])
def test_each_problem_comes_with_a_model_that_can_do_it(problem):
    composed = conf.compose([f"problem={problem}"], ROOT)
    assert composed["problem"]["name"] == problem
    assert composed["model"][family(composed["problem"]["task"])] is not None
    assert conf.validate(composed, ROOT) == []


def test_every_file_of_every_group_is_valid():
    assert conf.validate_all(root=ROOT) == []


def test_every_file_of_every_group_is_composed_to_be_validated():
    seen = set()
    for overrides in conf._compositions(ROOT):
        problem = dict(choice.split("=") for choice in overrides).get("problem", "breast_cancer")
        usual = conf._usual_choices({"problem": {"name": problem}}, ROOT)
        seen |= {f"conf/{group}/{name}.yaml" for group, name in {**usual, "problem": problem}.items()}
        seen |= {f"conf/{choice.replace('=', '/')}.yaml" for choice in overrides}
    assert sorted(seen) == [file for file in FILES if file.count("/") == 2]


def test_a_problem_chooses_its_model_unless_the_command_line_does():
    assert conf.compose(["problem=iris"], ROOT)["model"]["name"] == "kmeans"
    assert conf.compose(["problem=digits"], ROOT)["model"]["name"] == "random_forest"
    assert conf.compose(["problem=digits", "model=xgboost"], ROOT)["model"]["name"] == "xgboost"
    assert conf.compose(["model=linear", "search=random", "problem=iris"], ROOT)["search"]["name"] == "random"


def test_each_file_opens_with_a_line_of_plain_words():
    assert [file for file in FILES if not (ROOT / file).read_text(encoding="utf-8").startswith("# ")] == []


def test_the_plugin_works_where_mlworkflow_is_not_installed():
    tree = ast.parse((ROOT / conf.PLUGIN).read_text(encoding="utf-8"))
    named = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {getattr(node, "module", None) or node.names[0].name for node in named}
    assert {module.split(".")[0] for module in modules} <= {*sys.stdlib_module_names, "yaml", "omegaconf"}


# ---- rule 1


@pytest.mark.parametrize("after", ["root", "root_of_wine"])
@pytest.mark.parametrize("file", FILES)
def test_an_edit_of_any_file_is_named(request, file, after):
    root = request.getfixturevalue(after)
    conf.check(root)
    with (root / file).open("a", encoding="utf-8") as opened:
        opened.write("# a word more\n")
    assert f"this changed since: {file} (edited). Type `mlworkflow compose`" in stale(root)


def test_a_file_added_or_gone_is_named(root):
    shutil.copy(root / "conf/model/linear.yaml", root / "conf/model/ridge.yaml")
    (root / "conf/search/random.yaml").unlink()
    assert "conf/model/ridge.yaml (added), conf/search/random.yaml (gone" in stale(root)


def test_what_hydra_does_not_read_does_not_count(root):
    (root / "conf/problem/.ipynb_checkpoints").mkdir()
    for name in ("wine.yaml~", ".wine.yaml.swp", "#wine.yaml#", ".ipynb_checkpoints/wine.yaml", ".#wine.yaml"):
        (root / "conf/problem" / name).write_text("half", encoding="utf-8")
    conf.check(root)


def test_windows_line_ends_in_params_yaml_change_nothing(root):
    params = root / "params.yaml"
    params.write_bytes(params.read_bytes().replace(b"\n", b"\r\n"))
    conf.check(root)


def test_both_ways_on_are_told_after_an_override(root):
    conf.write_params(["problem=iris", "search=random"], root)
    change(root, "conf/problem/wine.yaml", "folds: 5", "folds: 4")
    told = stale(root)
    assert "`mlworkflow compose` for the default choices" in told
    assert "`dvc exp run -S problem=iris -S search=random`" in told
    assert "`mlworkflow compose problem=iris search=random`" in told


def test_params_yaml_edited_by_hand_is_refused(root):
    change(root, "params.yaml", "trials: 16", "trials: 1")
    assert "this changed since: params.yaml (edited by hand" in stale(root)


@pytest.mark.parametrize("text", ["", "seed: 42\n", "<<<<<<< HEAD\nseed: 1\n", "- a\n", "fingerprint: 3\n"])
def test_params_yaml_without_a_fingerprint_is_refused(root, text):
    (root / "params.yaml").write_text(text, encoding="utf-8")
    assert "params.yaml (it has no fingerprint of conf/). Type `mlworkflow compose`" in stale(root)


def test_a_missing_params_yaml_is_refused(root):
    (root / "params.yaml").unlink()
    assert "Type `mlworkflow compose`" in stale(root)


# ---- mistakes in files, chosen or not

SLIPS = {
    ("conf/problem/wine.yaml", "metrics:", "metrcs:"): "metrcs is no key here, did you mean 'metrics'?",
    ("conf/problem/wine.yaml", "  primary:", "  primry:"): "metrics.primry is no key here, did you mean 'primary'?",
    ("conf/problem/wine.yaml", "task: multiclass", "task: multclass"): "did you mean 'multiclass'?",
    ("conf/problem/wine.yaml", "folds: 5", "folds: 1"): "split.folds must be greater than or equal to 2, but is 1",
    ("conf/problem/wine.yaml", "folds: 5", "folds: five"): "split.folds must be a whole number, but is 'five'",
    ("conf/problem/wine.yaml", "alcohol: [0, 100]", "alcohol: [0]"): "data.ranges.alcohol",
    ("conf/problem/wine.yaml", "question:", "asked: 1\nquestion:"): "asked is no key here, did you mean 'asked_by'?",
    (
        "conf/problem/wine.yaml",
        "name: wine\nq",
        "name: whine\nq",
    ): "name must be that of the file, 'wine', but is 'whine'",
    (
        "conf/problem/wine.yaml",
        "primary: log_loss",
        "primary: logloss",
    ): "'logloss' is no metric, did you mean 'log_loss'?",
    ("conf/problem/wine.yaml", "primary: log_loss", "primary: rmse"): "rmse does not fit the task multiclass",
    ("conf/problem/wine.yaml", "sources.bundled", "sources.bundeld"): "did you mean 'bundled'?",
    (
        "conf/problem/wine.yaml",
        "  name: wine",
        "  nam: wine",
    ): "source.nam is no argument of mlworkflow.sources.bundled",
    ("conf/problem/wine.yaml", "class_2: -200}", "clas_2: -200}"): "'clas_2' is no class, did you mean 'class_2'?",
    ("conf/problem/wine.yaml", "snapshot: conf/problem/wine", "snapshot: data/wine"): "data/wine.yaml is not there",
    ("conf/problem/diabetes.yaml", "r2: 0.3", "r3: 0.3"): "constraints.metrics: 'r3' is no metric, did you mean 'r2'?",
    ("conf/problem/digits.yaml", "model: random_forest", "model: forest"): "conf/model/forest.yaml is not there",
    ("conf/model/xgboost.yaml", "max_depth: 4", "max_dept: 4"): "max_dept is no argument of xgboost.XGBClassifier",
    ("conf/model/linear.yaml", "max_iter", "max_itr"): "classification.max_itr is no argument of sklearn.linear_model",
    ("conf/model/linear.yaml", "LogisticRegression", "LogisticRegresion"): "did you mean 'LogisticRegression'?",
    ("conf/model/linear.yaml", "sklearn.linear_model.R", "sklearn.linear.R"): "sklearn has no 'linear'",
    ("conf/model/linear.yaml", "sklearn.linear_model.R", "sklaern.linear_model.R"): "did you mean 'sklearn'?",
    (
        "conf/model/linear.yaml",
        "    alpha: {",
        "    alfa: {",
    ): "space.regression.alfa is no argument of sklearn.linear_model",
    (
        "conf/model/linear.yaml",
        "high: 100.0",
        "hihg: 100.0",
    ): "is no argument of optuna.distributions.FloatDistribution",
    ("conf/model/kmeans.yaml", "scaling:", "scalign:"): "wants.scalign is no key here, did you mean 'scaling'?",
    ("conf/search/random.yaml", "batch: 4", "batch: 0"): "batch must be greater than or equal to 1, but is 0",
    ("conf/search/random.yaml", "seed: $", "sed: $"): "sampler.sed is no argument of optuna.samplers.RandomSampler",
    ("conf/monitor/default.yaml", "psi: 0.25", "psi: much"): "psi must be a number, but is 'much'",
    ("conf/config.yaml", "seed:", "sead:"): "sead is no key here, did you mean 'seed'?",
    (
        "conf/config.yaml",
        "model: linear",
        "model: linaer",
    ): "conf/model/linaer.yaml is not there, did you mean 'linear'?",
}


@pytest.mark.parametrize(("slip", "told"), SLIPS.items(), ids=[f"{file}: {new}" for file, _, new in SLIPS])
def test_a_slip_in_any_file_is_told_with_the_file(root, slip, told):
    change(root, *slip)
    found = conf.file_mistakes(root)
    assert any(line.startswith(f"{slip[0]}: ") and told in line for line in found), found


def test_all_mistakes_are_told_at_once_and_nothing_is_written(root):
    change(root, "conf/problem/wine.yaml", "metrics:", "metrcs:")
    change(root, "conf/problem/digits.yaml", "folds: 5", "folds: five")
    change(root, "conf/search/random.yaml", "batch: 4", "batch: 0")
    change(root, "conf/search/random.yaml", "seed: $", "sed: $")
    before = (root / "params.yaml").read_bytes()
    with pytest.raises(ConfError) as caught:
        conf.compose_command([], root=root)
    lines = [line[4:] for line in str(caught.value).splitlines() if line.startswith("  - ")]
    assert sorted(lines) == [
        "conf/problem/digits.yaml: split.folds must be a whole number, but is 'five'",
        "conf/problem/wine.yaml: metrcs is no key here, did you mean 'metrics'?",
        "conf/problem/wine.yaml: metrics is missing",
        "conf/search/random.yaml: batch must be greater than or equal to 1, but is 0",
        "conf/search/random.yaml: sampler.sed is no argument of optuna.samplers.RandomSampler, did you mean 'seed'?",
    ]
    assert (root / "params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: a\n  b: [\n", "conf/model/broken.yaml, line 2: it is no YAML here"),
        ("name: broken\nname: twice\n", "conf/model/broken.yaml, line 2: it is no YAML here: 'name' is there twice"),
    ],
)
def test_a_file_that_is_no_yaml_is_named_with_the_line(root, text, told):
    (root / "conf/model/broken.yaml").write_text(text, encoding="utf-8")
    assert any(told in line for line in conf.validate_all(root=root))
    with pytest.raises(ConfError, match=re.escape(told)):
        conf.compose([], root)


@pytest.mark.parametrize("text", ["", "- a\n", "word\n"])
def test_a_file_without_keys_is_named(root, text):
    (root / "conf/model/empty.yaml").write_text(text, encoding="utf-8")
    assert any(line.startswith("conf/model/empty.yaml: it must hold keys") for line in conf.file_mistakes(root))


def test_numbers_and_dates_are_read_as_hydra_reads_them(root):
    change(root, "conf/problem/wine.yaml", "least_gain: 0.01", "least_gain: 1e-2")
    change(root, "conf/problem/wine.yaml", "name: wine\nquestion: From", "name: wine\nquestion: 2024-01-31 #")
    assert conf.file_mistakes(root) == []
    composed = conf.compose(["problem=wine"], root)
    assert (composed["problem"]["metrics"]["least_gain"], composed["problem"]["question"]) == (0.01, "2024-01-31")


def test_a_problem_may_inherit_from_another(root):
    (root / "conf/problem/again.yaml").write_text(
        "# Wine again\ndefaults: [wine, _self_]\nname: again\nsplit: {folds: 3}\n", encoding="utf-8"
    )
    assert conf.file_mistakes(root) == []
    assert conf.compose(["problem=again"], root)["problem"]["split"]["folds"] == 3


# ---- one composition


def test_an_override_that_is_wrong_is_not_blamed_on_the_file(root):
    found = conf.validate(conf.compose(["problem.split.folds=1", "+problem.metrcs=x"], root), root)
    assert "params.yaml: problem.split.folds must be greater than or equal to 2, but is 1" in found
    assert "params.yaml: problem.metrcs is no key here, did you mean 'metrics'?" in found


def test_a_model_that_cannot_do_the_task_is_told_with_those_that_can(root):
    found = conf.validate(conf.compose(["problem=iris", "model=linear"], root), root)
    assert len(found) == 1
    assert found[0].endswith(
        "has no estimator for clustering, the task of conf/problem/iris.yaml; those that have: model=kmeans"
    )
    assert conf.validate(conf.compose(["problem=wine", "model=kmeans"], root), root) != []


def test_an_unknown_choice_is_told_with_the_nearest(root):
    with pytest.raises(ConfError, match=r"problem=whine: conf/problem/whine.yaml is not there, did you mean 'wine'\?"):
        conf.compose(["problem=whine"], root)


def test_what_hydra_refuses_is_a_conf_error(root):
    with pytest.raises(ConfError, match=r"problem.splt.folds=3"):
        conf.compose(["problem.splt.folds=3"], root)


def test_a_slip_in_the_defaults_is_told_once(root):
    change(root, "conf/config.yaml", "  split: {}", "  splt: {}")
    expected = ["conf/config.yaml: problem.splt is no key here, did you mean 'split'?"]
    assert conf.validate(conf.compose([], root), root) == conf.file_mistakes(root) == expected


def test_another_choice_is_one_change(root):
    told = conf._changes(conf.compose([], root), conf.compose(["problem=wine"], root))
    assert told == ["  problem: breast_cancer -> wine"]


# ---- the command


def test_compose_writes_params_yaml_and_says_what_changed(root):
    change(root, "params.yaml", "folds: 5", "folds: 3")
    told = conf.compose_command(["seed=7"], False, root)
    assert "problem=breast_cancer model=linear" in told
    assert "problem.split.folds: 3 -> 5" in told
    assert "seed: 42 -> 7" in told
    assert yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["seed"] == 7


def test_compose_check_says_whether_params_yaml_is_current(root):
    assert conf.compose_command([], True, root).startswith("params.yaml is current: problem=breast_cancer")
    with pytest.raises(StaleParamsError, match="mlworkflow compose seed=7"):
        conf.compose_command(["seed=7"], True, root)
    change(root, "conf/model/linear.yaml", "C: 1.0", "C: 2.0")
    with pytest.raises(StaleParamsError, match=r"conf/model/linear.yaml"):
        conf.compose_command([], True, root)


# ---- what the types of a problem cannot say

CLUSTERS = {"task": "clustering", "clusters": 3, "metrics": {"primary": "silhouette", "also": []}}
NUMBER = {"task": "regression", "metrics": {"primary": "rmse", "also": []}}
COST = {"unit": "EUR", "outcomes": {"yes": {"yes": 1, "no": -1}, "no": {"yes": -1, "no": 0}}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"metrics": {"also": ["rmse"]}}, "metrics.also: rmse does not fit the task binary"),
        (
            {"constraints": {"metrics": {"recal": 1}}},
            "constraints.metrics: 'recal' is no metric, did you mean 'recall'?",
        ),
        (
            {"reference": {"human": {"metric": "r2", "figure": 1, "source": "a"}}},
            "reference.human.metric: r2 does not fit",
        ),
        ({"data": {"target": None}}, "data.target is missing"),
        ({"data": {"positive": None}}, "data.positive is missing"),
        ({**NUMBER, "data": {"positive": "yes"}}, "data.positive is for the task binary, not for regression"),
        ({"clusters": 3}, "clusters is for the task clustering, not for binary"),
        ({**CLUSTERS, "data": {"positive": None}}, "data.target must be null"),
        ({**CLUSTERS, "clusters": None, "data": {"target": None, "positive": None}}, "clusters is missing"),
        ({**CLUSTERS, "clusters": 1, "data": {"target": None, "positive": None}}, "clusters must be 2 or more"),
        ({"split": {"scheme": "time"}}, "data.time is missing"),
        ({"data": {"hidden": ["left"]}}, "data.target 'left' cannot be in data.hidden too"),
        ({"data": {"key": ["left"]}}, "data.target 'left' cannot be in data.key too"),
        ({"data": {"ranges": {"age": [9, 1]}}}, "data.ranges: 'age' must go from low to high"),
        ({"value": {"unit": "EUR", "over": -1}}, "value.over is for the task regression"),
        ({"value": {"unit": "EUR"}}, "value.outcomes is missing"),
        ({**NUMBER, "data": {"positive": None}, "value": COST}, "value.outcomes is for classes"),
        (
            {**CLUSTERS, "data": {"target": None, "positive": None}, "value": COST},
            "value: a clustering has no outcomes",
        ),
        ({"data": {"positive": "ja"}, "value": COST}, "value.outcomes lacks the positive class 'ja'"),
        (
            {"value": {"unit": "EUR", "outcomes": {"yes": {"yes": 1}}}},
            "value.outcomes must have two classes, but has 1",
        ),
        ({"snapshot": "/tmp/customers.csv"}, "snapshot must be a path inside the repository"),
        ({"snapshot": "other.csv"}, "snapshot: the file other.csv is not there"),
    ],
)
def test_a_problem_that_cannot_be_asked_is_told(tmp_path, changes, told):
    (tmp_path / "customers.csv").touch()
    found = conf.problem_mistakes(make_problem(**changes), tmp_path)
    assert len(found) == 1
    assert found[0].startswith(told)


def test_a_problem_that_can_be_asked_has_no_mistakes(tmp_path):
    (tmp_path / "customers.csv").touch()
    assert conf.problem_mistakes(make_problem(value=COST), tmp_path) == []


def test_importing_conf_loads_no_heavy_library():
    code = (
        "import sys, mlworkflow.conf as c; c.file_mistakes(); c.check()\n"
        "print(sorted({'hydra', 'omegaconf', 'sklearn', 'pandas', 'scipy', 'optuna', 'xgboost'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
