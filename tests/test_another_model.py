"""The model of docs/another-model.md is what the page says: one more file, with nothing else to change."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mlworkflow.config import conf
from mlworkflow.config.mistakes import file_mistakes
from mlworkflow.core.params import Model
from mlworkflow.learning import modelfile, models
from mlworkflow.learning.crossval import check_folds, fit, predict, rows_of
from mlworkflow.measures import metrics
from tests.conftest import ROOT
from tests.test_conf import copy_conf
from tests.test_models import table

PAGE = (ROOT / "docs/another-model.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_model_of_another_package_is_one_more_file(task, tmp_path, monkeypatch):
    pytest.importorskip("lightgbm")
    monkeypatch.chdir(copy_conf(tmp_path))
    (tmp_path / "conf/model/lightgbm.yaml").write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    assert file_mistakes() == conf.attempt(["model=lightgbm"])[1] == []
    model = Model.model_validate(conf.compose(["model=lightgbm"])["model"])
    own = models.own_parameters(model, task)
    assert own["estimator__num_leaves"] == 15
    made, schema = table(task, rows=240)
    rows, order = rows_of(made, schema, task), np.arange(240)
    scored = check_folds(
        models.pipeline(model, schema, task, own), rows, [(order[order % 2 == 0], order[order % 2 == 1])]
    )
    assert metrics.score(["roc_auc"], scored[0])["roc_auc"] > 0.8
    for parameters in (own, {**own, "class_weight": "balanced"}):
        pipe = models.pipeline(model, schema, task, parameters)
        fitted = fit(pipe, rows)
        content = modelfile.dumps(fitted)
        assert content == modelfile.dumps(fit(pipe, rows))
        loaded = modelfile.loads(content)
        np.testing.assert_array_equal(predict(loaded, rows).probabilities, predict(fitted, rows).probabilities)
        assert modelfile.dumps(loaded) == content


def test_the_recipe_for_a_model_is_one_more_file(tmp_path, monkeypatch):
    monkeypatch.chdir(copy_conf(tmp_path))
    recipe = re.findall(r"```yaml\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "conf/model/ada_boost.yaml").write_text(recipe)
    assert file_mistakes() == conf.attempt(["model=ada_boost"])[1] == []
    model = Model.model_validate(conf.compose(["model=ada_boost"])["model"])
    assert models.own_parameters(model, "binary") == {"learning_rate": 0.5}


def test_the_page_names_what_is_there():
    for path in re.findall(r"`((?:conf|src|tests)/[\w/.]+)`", PAGE):
        assert path == "conf/model/lightgbm.yaml" or (ROOT / path).exists(), path
    assert len(PAGE.splitlines()) <= 80
