"""conf/ composes as DVC composes it, and params.yaml is what conf/ says."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from mlworkflow.config import conf, conffiles
from mlworkflow.config.mistakes import validate
from mlworkflow.core import paths
from mlworkflow.core.errors import ConfError, StaleParamsError
from mlworkflow.core.params import family

ROOT = Path(__file__).parents[1]
FOUND = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / paths.CONF).rglob("*.yaml"))
FILES = [file for file in FOUND if not file.startswith("conf/sweep/")]  # those that Hydra composes
DVC = """
import sys
from dvc.utils.hydra import compose_and_dump
root, *wanted = sys.argv[1:]
for number, overrides in enumerate(wanted):
    compose_and_dump(f"{root}/{number}.yaml", f"{root}/conf", None, "config", f"{root}/plugins", overrides.split())
"""


def copy_conf(folder: Path) -> Path:
    """Copy into `folder` what Hydra needs to compose."""
    for name in ("conf", "plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def change(file: str, old: str, new: str) -> None:
    text = Path(file).read_text(encoding="utf-8")
    assert old in text
    Path(file).write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A copy of conf/ to break, with params.yaml composed from it, as the working folder."""
    monkeypatch.chdir(copy_conf(tmp_path))
    conf.write_params()
    return tmp_path


def stale() -> str:
    with pytest.raises(StaleParamsError) as caught:
        conf.check()
    return str(caught.value)


# ---- composing


def test_params_yaml_is_composed_from_todays_conf():
    conf.check()


def test_the_composition_is_byte_for_byte_that_of_dvc(root):
    wanted = ["", "problem=iris", "problem=digits model=xgboost search=none seed=7 problem.split.folds=3"]
    subprocess.run([sys.executable, "-c", DVC, str(root), *wanted], check=True)
    for number, overrides in enumerate(wanted):
        assert conf.compose_text(overrides.split()) == (root / f"{number}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("problem", [Path(file).stem for file in FILES if "/problem/" in file])
def test_each_problem_comes_with_a_model_that_can_do_it(problem):
    composed = conf.compose([f"problem={problem}"])
    assert composed["problem"]["name"] == problem
    assert composed["model"][family(composed["problem"]["task"])] is not None
    assert validate(composed) == []


def test_every_file_of_every_group_is_valid():
    assert conf.validate_all() == []


def test_every_file_of_every_group_is_composed_to_be_validated():
    seen = set()
    for overrides, left in conf._compositions():
        problem = dict(choice.split("=") for choice in overrides)["problem"]
        usual = conf._usual(problem)
        seen |= {f"conf/{group}/{name}.yaml" for group, name in [*usual.items(), ("problem", problem), *left]}
        seen |= {f"conf/{choice.replace('=', '/')}.yaml" for choice in overrides}
    assert sorted(seen) == [file for file in FILES if file.count("/") == 2]


@pytest.mark.parametrize("choice", ["model=xgboost", "augment=noise", "search=none"])
def test_a_file_put_in_the_place_of_another_says_what_hydra_would_make_of_it(choice):
    whole = OmegaConf.create(conf.compose(["problem=wine"]))
    group, name = choice.split("=")
    assert conf._section(whole, group, name) == conf.compose(["problem=wine", choice])[group]


def test_a_problem_chooses_its_model_unless_the_command_line_does():
    assert conf.compose(["problem=iris"])["model"]["name"] == "kmeans"
    assert conf.compose(["problem=digits"])["model"]["name"] == "random_forest"
    assert conf.compose(["problem=digits", "model=xgboost"])["model"]["name"] == "xgboost"
    assert conf.compose(["model=linear", "search=random", "problem=iris"])["search"]["name"] == "random"


def test_an_unknown_choice_is_told_with_the_nearest():
    with pytest.raises(ConfError, match=r"problem=whine: conf/problem/whine.yaml is not there, did you mean 'wine'\?"):
        conf.compose(["problem=whine"])


def test_what_hydra_refuses_is_a_conf_error():
    with pytest.raises(ConfError, match=r"problem.splt.folds=3"):
        conf.compose(["problem.splt.folds=3"])


def test_each_file_opens_with_a_line_of_plain_words():
    assert [file for file in FILES if not (ROOT / file).read_text(encoding="utf-8").startswith("# ")] == []


def test_the_plugin_works_where_mlworkflow_is_not_installed():
    tree = ast.parse((ROOT / conffiles.PLUGIN).read_text(encoding="utf-8"))
    named = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {getattr(node, "module", None) or node.names[0].name for node in named}
    assert {module.split(".")[0] for module in modules} <= {*sys.stdlib_module_names, "yaml", "omegaconf"}


# ---- rule 1


@pytest.mark.parametrize("overrides", [[], ["problem=wine"]])
def test_an_edit_of_any_file_is_named(root, overrides):
    conf.write_params(overrides)
    for file in FILES:
        before = (root / file).read_bytes()
        conf.check()
        (root / file).write_bytes(before + b"# a word more\n")
        assert f"this changed since: {file} (edited). Type `mlworkflow compose`" in stale()
        (root / file).write_bytes(before)


def test_a_file_added_or_gone_is_named(root):
    shutil.copy(root / "conf/model/linear.yaml", root / "conf/model/steps.yaml")
    (root / "conf/search/random.yaml").unlink()
    assert "conf/model/steps.yaml (added), conf/search/random.yaml (gone" in stale()


def test_what_hydra_does_not_read_does_not_count(root):
    (root / "conf/problem/.ipynb_checkpoints").mkdir()
    for name in ("wine.yaml~", ".wine.yaml.swp", "#wine.yaml#", ".ipynb_checkpoints/wine.yaml", ".#wine.yaml"):
        (root / "conf/problem" / name).write_text("half", encoding="utf-8")
    conf.check()


def test_windows_line_ends_in_params_yaml_change_nothing(root):
    params = root / "params.yaml"
    params.write_bytes(params.read_bytes().replace(b"\n", b"\r\n"))
    conf.check()


def test_both_ways_on_are_told_after_an_override(root):
    conf.write_params(["problem=iris", "search=random"])
    change("conf/problem/wine.yaml", "folds: 5", "folds: 4")
    told = stale()
    assert "`mlworkflow compose` for the default choices" in told
    assert "`dvc exp run -S problem=iris -S search=random`" in told
    assert "`mlworkflow compose problem=iris search=random`" in told


def test_params_yaml_edited_by_hand_is_refused(root):
    change("params.yaml", "trials: 16", "trials: 1")
    assert "this changed since: params.yaml (edited by hand" in stale()


@pytest.mark.parametrize("text", ["", "seed: 42\n", "<<<<<<< HEAD\nseed: 1\n", "- a\n", "fingerprint: 3\n"])
def test_params_yaml_without_a_fingerprint_is_refused(root, text):
    (root / "params.yaml").write_text(text, encoding="utf-8")
    assert "params.yaml (it has no fingerprint of conf/). Type `mlworkflow compose`" in stale()


def test_a_missing_params_yaml_is_refused(root):
    (root / "params.yaml").unlink()
    assert "Type `mlworkflow compose`" in stale()


# ---- the command


def test_compose_writes_params_yaml_and_says_what_changed(root):
    change("params.yaml", "folds: 5", "folds: 3")
    told = conf.compose_command(["seed=7"])
    assert "problem=breast_cancer model=linear" in told
    assert "problem.split.folds: 3 -> 5" in told
    assert "seed: 42 -> 7" in told
    assert yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["seed"] == 7


def test_another_choice_is_one_change():
    told = conf._changes(conf.compose([]), conf.compose(["problem=wine"]))
    assert told == ["  problem: breast_cancer -> wine"]


def test_compose_check_says_whether_params_yaml_is_current(root):
    assert conf.compose_command([], True).startswith("params.yaml is current: problem=breast_cancer")
    with pytest.raises(StaleParamsError, match="mlworkflow compose seed=7"):
        conf.compose_command(["seed=7"], True)
    change("conf/model/linear.yaml", "C: 1.0", "C: 2.0")
    with pytest.raises(StaleParamsError, match=r"conf/model/linear.yaml"):
        conf.compose_command([], True)


def test_with_a_mistake_in_any_file_nothing_is_written(root):
    before = (root / "params.yaml").read_bytes()
    change("conf/problem/wine.yaml", "metrics:", "metrcs:")
    change("conf/model/xgboost.yaml", "${seed}", "${sede}")
    with pytest.raises(ConfError) as caught:
        conf.compose_command(["problem=whine"])
    told = str(caught.value)
    assert told.count("conf/problem/wine.yaml: metrcs is no key here, did you mean 'metrics'?") == 1
    assert "conf/ problem=breast_cancer model=xgboost: Interpolation key 'sede' not found" in told
    assert "problem=whine: conf/problem/whine.yaml is not there, did you mean 'wine'?" in told
    assert (root / "params.yaml").read_bytes() == before
