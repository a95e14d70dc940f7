"""The question is checked before anything runs, and written down as a page that people can read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlworkflow.config import conf
from mlworkflow.core import paths
from mlworkflow.core.errors import ConfError, StaleParamsError
from mlworkflow.core.params import Sections
from mlworkflow.core.problem import Problem
from mlworkflow.stages import define
from tests.conftest import make_problem
from tests.test_conf import change, copy_conf

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of conf/ with params.yaml composed from it, as the working folder."""
    monkeypatch.chdir(copy_conf(tmp_path))
    conf.write_params()
    return tmp_path


def run() -> str:
    define.main(Sections("define", [], yaml.safe_load(paths.PARAMS.read_text(encoding="utf-8"))))
    return paths.PROBLEM_PAGE.read_text(encoding="utf-8")


def test_define_leaves_the_page_of_the_chosen_problem(project):
    assert run().startswith("# Is this breast mass malignant")
    conf.write_params(["problem=iris"])
    assert "3 groups" in run()


def test_define_stops_when_conf_changed_after_composing(project):
    change("conf/problem/wine.yaml", "name: wine", "name: vine")
    with pytest.raises(StaleParamsError, match=r"conf/problem/wine.yaml \(edited\)"):
        run()
    assert not paths.PROBLEM_PAGE.exists()


def test_define_finds_slips_in_files_that_are_not_chosen_all_at_once(project):
    for file in ("conf/problem/wine.yaml", "conf/problem/digits.yaml"):
        change(file, "metrics:", "metrcs:")
    conf.write_params()  # as DVC would, which knows no schema
    with pytest.raises(ConfError) as caught:
        run()
    assert "conf/problem/wine.yaml: metrcs is no key here" in str(caught.value)
    assert "conf/problem/digits.yaml: metrcs is no key here" in str(caught.value)


def test_define_refuses_an_override_of_the_wrong_type(project):
    conf.write_params(["problem.split.folds=many"])
    with pytest.raises(ConfError, match=r"params.yaml: problem.split.folds must be a whole number, but is 'many'"):
        run()


def test_define_refuses_a_model_that_cannot_do_the_task(project):
    conf.write_params(["model=kmeans"])
    with pytest.raises(ConfError, match="no estimator for classification"):
        run()


def test_the_page_tells_all_that_the_problem_says():
    problem = make_problem(
        data={"hidden": ["left_on"], "ranges": {"age": [18, None]}},
        value={"unit": "EUR", "outcomes": {"yes": {"yes": 40, "no": -1000}, "no": {"yes": -10}}},
        reference={
            "existing": "rule",
            "best": "truth",
            "human": {"metric": "accuracy", "figure": 0.8, "source": "a survey"},
        },
        constraints={
            "metrics": {"log_loss": 0.5},
            "slices": [{"column": "plan", "value": "gold", "smallest_share": 0.1}],
        },
        stopping={"trials": 3, "seconds": 60},
    )
    page = define.problem_page(problem)
    for told in (
        "# Will the customer leave?",
        "Asked by: the sales team.",
        "The class looked for is `yes`.",
        "A row is known by: `customer`.",
        "No model may see: `left_on`.",
        "`age` from 18",
        "by a hash of `customer`",
        "in 2 folds",
        "| roc_auc | more | decides |",
        "at least 0.01 of roc_auc",
        "| is `yes` | 40 | -1,000 |",
        "| is `no` | -10 |  |",
        "in the column `rule`",
        "the truth is in the column `truth`",
        "People reach accuracy 0.8 (a survey).",
        "log_loss at most 0.5",
        "`plan` is `gold` in at least 10% of the test rows.",
        "After 3 trials.",
        "After 60 seconds; such a search may not repeat.",
        "No personal data.",
    ):
        assert told in page
    assert "<" not in page


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / paths.CONF / "problem").glob("*.yaml")))
def test_each_problem_has_a_page_without_gaps(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    problem = Problem.model_validate(conf.compose([f"problem={name}"])["problem"])
    page = define.problem_page(problem)
    assert page.startswith(f"# {problem.question}")
    assert "None" not in page
    assert "\n\n\n" not in page


def test_define_needs_no_heavy_library():
    code = (
        "import sys; from mlworkflow.config import conf; from mlworkflow.core import io, paths\n"
        "from mlworkflow.stages import define\n"
        "define.check(io.read_yaml(paths.PARAMS)); conf.check()\n"
        "print(sorted({'hydra', 'omegaconf', 'sklearn', 'pandas', 'scipy', 'optuna', 'xgboost'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
