"""An experiment becomes the default: conf/ is edited until it composes to its params.yaml."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlworkflow.config import conf
from mlworkflow.core.errors import ProjectError
from mlworkflow.promoting import command, experiments
from mlworkflow.promoting.edits import UnwritableKeyError, choose, drop, put
from mlworkflow.promoting.message import from_metrics
from mlworkflow.promoting.plan import PlanError, edit, plan
from tests.conftest import ROOT, mlworkflow, run

FILE = """\
# A model.
name: some
estimator: # what is fitted
  C: 1.0 # the smaller, the simpler
  seed: ${seed}

# What comes next.
simpler: {C: low, alpha: high}
space:
  classification: &both
    C: {low: 0.1, high: 10.0}
  regression: *both
"""


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    """A copy of conf/ to edit, as the working folder."""
    for name in ("conf", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def without_fingerprint(text: str) -> str:
    return yaml.safe_dump({k: v for k, v in yaml.safe_load(text).items() if k != "fingerprint"}, sort_keys=False)


# ---- one edit of a text ----------------------------------------------------------------------------------------------


def differing(text: str) -> list[str]:
    """Return the lines that are others than in FILE: new ones, then those that are gone with a minus."""
    old, new = FILE.splitlines(), text.splitlines()
    return [line for line in new if line not in old] + [f"-{line}" for line in old if line not in new]


def test_a_value_is_exchanged_and_its_comment_stays():
    assert put(FILE, ["estimator", "C"], 0.5) == FILE.replace("C: 1.0 #", "C: 0.5 #")


def test_a_new_key_comes_before_what_is_said_of_the_next_one():
    assert put(FILE, ["estimator", "new"], "l1") == FILE.replace("${seed}\n", "${seed}\n  new: l1\n")


def test_a_removed_key_takes_no_comment_of_another_with_it():
    assert drop(FILE, ["estimator", "seed"]) == FILE.replace("  seed: ${seed}\n", "")


@pytest.mark.parametrize(("key", "left"), [("C", "{alpha: high}"), ("alpha", "{C: low}")])
def test_a_key_of_a_line_is_removed_with_its_comma(key, left):
    assert drop(FILE, ["simpler", key]) == FILE.replace("{C: low, alpha: high}", left)


def test_the_last_key_leaves_an_empty_mapping():
    assert drop("a:\n  b: 1 # c\nd: 2\n", ["a", "b"]) == "a: {} # c\nd: 2\n"


def test_what_two_tasks_share_is_parted_before_one_of_them_changes():
    for task, other in (("regression", "classification"), ("classification", "regression")):
        read = yaml.safe_load(put(FILE, ["space", task, "C", "high"], 5.0))["space"]
        assert (read[task]["C"]["high"], read[other]["C"]["high"]) == (5.0, 10.0)


@pytest.mark.parametrize(
    "value", ["yes", "1e-3", "null", "2020-01-01", "a: b", "# no", "", None, True, 1, 1.0, [1, "no"]]
)
def test_a_value_is_read_back_as_it_was(value):
    from omegaconf import OmegaConf

    read = OmegaConf.to_container(OmegaConf.create(put(FILE, ["estimator", "C"], value)))["estimator"]["C"]
    assert (read, type(read)) == (value, type(value))


def test_a_key_that_is_not_there_cannot_be_removed():
    with pytest.raises(UnwritableKeyError, match=r"estimator\.gone"):
        drop(FILE, ["estimator", "gone"])


def test_a_choice_is_a_line_of_the_defaults_list():
    text = "# Words.\ndefaults:\n  - model: linear # why\n\nseed: 1\n"
    assert choose(text, "model", "ridge") == text.replace("linear #", "ridge #")
    with pytest.raises(UnwritableKeyError):
        choose(text, "search", "none")
    line = "override /search@_global_.search: none"
    assert f"  - {line}\n\nseed" in choose(text, "search", "none", override=True)
    assert choose(FILE, "search", "none", override=True).startswith(f"# A model.\ndefaults:\n  - {line}\n\nname")


# ---- conf/ composes to the experiment --------------------------------------------------------------------------------

KINDS = {
    "a choice": "model=xgboost",
    "a value": "model.classification.C=0.1",
    "a nested value of a chosen file": "model=xgboost model.classification.estimator.max_depth=2",
    "a search": "search=none",
    "the seed": "seed=7",
    "an interpolated value": "model.classification.random_state=7",
    "the problem": "problem=wine",
    "the problem and a model that it does not choose": "problem=digits model=linear",
    "the choices of a problem's own file": "problem=iris model=birch search=random",
    "what others are interpolated from": "problem=iris problem.clusters=4",
    "an added key": "+model.classification.class_weight=balanced",
    "a removed key": "~problem.stopping.no_gain",
    "a removed interpolation": "~model.classification.random_state",
    "a whole part": "problem.value=null",
    "a part in place of an empty one": "++problem.treatments={mean area: drop} "
    "++problem.prepare.outliers={mean area: clip}",
    "a list": "problem.metrics.also=[log_loss,accuracy]",
    "a default of all problems": "problem.split.train_share=0.5",
    "one of two tasks that share": "model=xgboost_dask model.space.classification.max_depth.high=7",
    "a family of a portfolio": "model=portfolio model.families.mlp.classification.alpha=0.5",
    "all at once": "problem=diabetes model=svm_rbf model.regression.regressor.C=3 ~model.simpler seed=1 "
    "monitor.psi=0.3 +problem.contract.age={kind: number}",
}


def overrides(words: str) -> list[str]:
    """Return the overrides of a line, in which a value may hold spaces."""
    found: list[str] = []
    for word in words.split(" "):
        if found and found[-1].count("{") > found[-1].count("}"):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


@pytest.mark.parametrize("words", KINDS.values(), ids=KINDS)
def test_conf_composes_to_the_experiment(copy, words):
    wanted = conf.compose_text(overrides(words))
    assert edit(yaml.safe_load(wanted), in_problem=False)
    assert without_fingerprint(conf.compose_text()) == without_fingerprint(wanted)


def test_what_is_the_default_already_changes_nothing(copy):
    assert edit(conf.compose(), in_problem=False) == []


def test_an_interpolation_survives_where_its_value_agrees(copy):
    edit(conf.compose(["problem=iris", "problem.clusters=4", "seed=7"]), in_problem=False)
    text = Path("conf/model/kmeans.yaml").read_text(encoding="utf-8")
    assert text == (ROOT / "conf/model/kmeans.yaml").read_text(encoding="utf-8")


def test_whole_numbers_are_not_taken_for_others(copy):
    wanted = conf.compose()
    wanted["model"]["classification"]["C"] = 1
    assert edit(wanted, in_problem=False) == ["conf/model/linear.yaml: classification.C: 1.0 -> 1"]


def test_all_keys_that_cannot_be_written_are_named(copy):
    wanted = conf.compose(["~problem.split.train_share", "~problem.treatments"])
    with pytest.raises(PlanError) as caught:
        edit(wanted, in_problem=False)
    assert "problem.split.train_share: 1.0 -> (not there)" in str(caught.value)
    assert "problem.treatments" in str(caught.value)


def test_a_choice_that_other_problems_cannot_make_goes_into_the_problems_file(copy):
    wanted = conf.compose(["problem=diabetes", "model=ridge"])
    made = plan(wanted)
    assert made.lines[-1] == "conf/problem/diabetes.yaml: model: linear -> ridge"
    assert {path.as_posix() for path in made.texts} == {"conf/config.yaml", "conf/problem/diabetes.yaml"}
    assert conf.compose()["model"] == wanted["model"]
    assert conf.compose(["problem=wine"])["model"]["name"] == "linear"
    assert made.others == {}


# ---- which experiment ------------------------------------------------------------------------------------------------


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


PIPELINE = "stages: {train: {cmd: a, deps: [src/a.py, conf], metrics: [{metrics/test.json: {cache: false}}]}}\n"


@pytest.fixture
def repository(tmp_path) -> Path:
    """A tiny repository with two experiments, `first-one` and `other`."""
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "config", "user.name", "tests")
    git(tmp_path, "config", "user.email", "tests@localhost")
    write(tmp_path, {"dvc.yaml": PIPELINE, "src/a.py": "1\n", "params.yaml": "seed: 1\n", "README.md": "words\n"})
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "start")
    for name, seed in (("first-one", 2), ("other", 3)):
        experiment(tmp_path, name, {"params.yaml": f"seed: {seed}\n"})
    return tmp_path


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def experiment(root: Path, name: str, files: dict[str, str]) -> str:
    """Keep files as DVC keeps an experiment; the workspace stays as it was. Return its commit."""
    base = git(root, "rev-parse", "HEAD")
    write(root, files)
    git(root, "add", "-A")
    git(root, "commit", "-qm", name)
    made = git(root, "rev-parse", "HEAD")
    git(root, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", made)
    git(root, "reset", "-q", "--hard", base)
    return made


def test_an_experiment_is_found_by_its_name_its_commit_and_a_beginning_of_them(repository):
    one = experiments.find(repository, "first-one")
    for word in (one.commit, one.commit[:8], "first"):
        assert experiments.find(repository, word) == one
    assert experiments.own_files(repository, one) == ["params.yaml"]


def test_an_experiment_that_is_not_there_is_told_with_the_nearest_names(repository):
    with pytest.raises(ProjectError, match=r"there is no experiment 'frst-one'(.|\n)*- first-one\n  - other"):
        experiments.find(repository, "frst-one")


def test_two_experiments_of_one_beginning_are_told_apart_by_the_user(repository):
    experiment(repository, "first-two", {"params.yaml": "seed: 4\n"})
    with pytest.raises(ProjectError, match="'first' are 2"):
        experiments.find(repository, "first")


def test_uncommitted_changes_are_named_but_for_what_an_experiment_left(repository):
    one = experiments.find(repository, "first-one")
    write(repository, {"params.yaml": "seed: 3\n"})  # of `other`
    experiments.demand_clean(repository, one, ["params.yaml"])
    write(repository, {"params.yaml": "seed: 9\n", "README.md": "edited\n", "src/new.py": "1\n"})
    with pytest.raises(ProjectError, match=r"  - README.md\n  - params.yaml\nNothing was changed. Type `git commit`"):
        experiments.demand_clean(repository, one, ["params.yaml"])
    with pytest.raises(ProjectError, match=r"src/new.py"):
        experiments.demand_clean(repository, one, ["src/new.py"])
    write(repository, {"conf/model/new.yaml": "name: new\n"})
    with pytest.raises(ProjectError, match=r"conf/model/new.yaml"):
        experiments.demand_clean(repository, one, [])


def test_an_experiment_of_other_code_is_refused_with_both_ways_on(repository):
    one = experiments.find(repository, "first-one")
    write(repository, {"README.md": "other words\n"})
    git(repository, "commit", "-qam", "words")
    experiments.demand_same_code(repository, one, git(repository, "rev-parse", "HEAD"))
    write(repository, {"src/a.py": "2\n"})
    git(repository, "commit", "-qam", "code")
    with pytest.raises(ProjectError, match=rf"src/a.py\n(.|\n)*git switch -c promoted {one.base[:7]}"):
        experiments.demand_same_code(repository, one, git(repository, "rev-parse", "HEAD"))


def test_params_that_are_no_configuration_are_refused(repository):
    with pytest.raises(ProjectError, match="that of other is no configuration"):
        experiments.params_of(repository, experiments.find(repository, "other"))


def test_the_message_has_the_metric_before_and_after(repository):
    def files(model: str, value: float) -> dict[str, str]:
        return {
            "metrics/decision.json": f'{{"primary": "roc_auc", "model": "{model}"}}',
            "metrics/test.json": f'{{"roc_auc": {value}}}',
            "params.yaml": "problem: {name: wine}\n",
        }

    old, new = (experiment(repository, name, files(name, value)) for name, value in (("linear", 0.9), ("mlp", 0.95)))
    assert from_metrics(repository, old, new) == "wine: linear -> mlp, roc_auc 0.9 -> 0.95"
    assert (
        from_metrics(repository, git(repository, "rev-parse", "HEAD"), new) == "wine: mlp, roc_auc 0.95 (before: None)"
    )


# ---- the whole command -----------------------------------------------------------------------------------------------


TINY = """\
import json, yaml
params = yaml.safe_load(open("params.yaml"))
primary = params["problem"]["metrics"]["primary"]
decision = {"verdict": "cannot be told", "why": "tiny", "model": params["model"]["name"], "primary": primary}
for name, told in {"test": {primary: params["seed"] / 100}, "decision": decision, "cv": {}, "baseline": {}}.items():
    json.dump(told, open(f"metrics/{name}.json", "w"))
open("rows", "w").write(params["model"]["name"])
"""


@pytest.fixture
def tiny(clone) -> Path:
    """A clone whose workflow is the real `define` and a stage of no time, run and committed."""
    define = yaml.safe_load((clone / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["define"]
    files = [f"metrics/{name}.json" for name in ("test", "decision", "cv", "baseline")]
    evaluate = {
        "cmd": "python tiny.py",
        "deps": ["tiny.py", "reports/problem.md"],
        "params": ["seed", "model", "problem"],
        "outs": ["rows"],
        "metrics": [{file: {"cache": False}} for file in files],
    }
    shutil.rmtree(clone / "metrics")
    (clone / "dvc.lock").unlink()
    pipeline = yaml.safe_dump({"stages": {"define": define, "evaluate": evaluate}})
    write(
        clone,
        {"dvc.yaml": pipeline, "tiny.py": TINY, ".gitignore": "/rows\n/timings/\n__pycache__/\n", "metrics/.keep": ""},
    )
    run(clone, "dvc", "repro")
    run(clone, "mlworkflow", "readme")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "tiny")
    return clone


@pytest.mark.slow
def test_a_promoted_experiment_is_what_a_plain_run_means(tiny):
    chosen = ["problem=iris", "model=gaussian_mixture", "model.clustering.n_init=2", "seed=7"]
    run(tiny, "dvc", "exp", "run", "-n", "winner", *(word for one in chosen for word in ("-S", one)))
    kept = git(tiny, "for-each-ref", "--format=%(objectname)", "refs/exps/*/*/winner")
    wanted = git(tiny, "show", f"{kept}:params.yaml")
    write(tiny, {"docs/new.md": "a commit of other words since\n"})
    (tiny / "LICENSE").unlink()
    git(tiny, "add", "-A", "docs", "LICENSE")
    git(tiny, "commit", "-qm", "words", "--", "docs/new.md", "LICENSE")
    before = git(tiny, "rev-parse", "HEAD")
    said = run(tiny, "mlworkflow", "promote", "winner", "--commit")
    assert "$ dvc exp apply winner" in said
    assert "conf/problem/iris.yaml: model: kmeans -> gaussian_mixture" in said
    assert git(tiny, "status", "--porcelain") == ""
    assert "LICENSE" not in git(tiny, "diff", "--name-only", before, "HEAD")
    assert "docs/new.md" not in git(tiny, "diff", "--name-only", before, "HEAD")
    assert without_fingerprint((tiny / "params.yaml").read_text()) == without_fingerprint(wanted)
    assert "up to date" in run(tiny, "dvc", "status")
    metrics = (tiny / "metrics/test.json").read_bytes()
    assert metrics == b'{"silhouette": 0.07}'
    run(tiny, "dvc", "exp", "run")  # the trap: it returned to the defaults in silence
    assert git(tiny, "status", "--porcelain") == ""
    assert (tiny / "metrics/test.json").read_bytes() == metrics
    git(tiny, "revert", "--no-edit", "HEAD")
    assert git(tiny, "diff", "--name-only", before, "HEAD") == ""


@pytest.mark.slow
def test_what_fails_after_the_experiment_was_applied_leaves_every_file_as_it_was(tiny, monkeypatch):
    params = (tiny / "params.yaml").read_text(encoding="utf-8").replace("seed: 42", "seed: 7")
    experiment(tiny, "winner", {"params.yaml": params})
    (tiny / "new.txt").write_text("not of Git", encoding="utf-8")
    written = command._write

    def broken(*told: Any) -> None:
        written(*told)
        raise ProjectError("the disk is full")

    monkeypatch.setattr(command, "_write", broken)
    assert "the disk is full" in mlworkflow(tiny, "promote", "winner", code=1)
    assert git(tiny, "status", "--porcelain") == "?? new.txt"
    assert (tiny / "rows").read_text(encoding="utf-8") == "linear"
    conf_file = tiny / "conf/config.yaml"
    conf_file.write_text(conf_file.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    assert "  - conf/config.yaml" in mlworkflow(tiny, "promote", "winner", code=1)
