"""The pipeline as ONNX: every way to prepare a column, hard rows, and no file that says anything else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlworkflow.bundling import form
from mlworkflow.core.params import Model
from mlworkflow.learning import modelfile
from mlworkflow.learning.crossval import fit, rows_of
from mlworkflow.learning.families import assembled
from mlworkflow.learning.models import pipeline
from mlworkflow.onnxfile import hard
from mlworkflow.onnxfile.graph import NotConvertibleError
from mlworkflow.onnxfile.models import converted
from mlworkflow.onnxfile.parity import TOLERANCE, compared, difference
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.describe import describe
from mlworkflow.rows.profile import profile
from mlworkflow.runtime.loading import fields
from mlworkflow.runtime.session import Session
from mlworkflow.serving.pipeline import with_pipeline
from tests.test_models import table
from tests.test_shelf import small

NO_FORM = ("hash", "text")


def prepared(task: str):
    """Return rows with clipped, flagged, one-hot and target-encoded columns and gaps, and their schema."""
    rows, schema = table(task)
    kept = [column for column in schema.columns if column.treatment not in NO_FORM]
    return rows, describe(replace(schema, columns=kept, rare=0.05), rows)


def shape(schema, rows):
    return form.Shape(schema, schema, [], {}, profile(rows, schema))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("name", ["linear", "extra_trees", "xgboost"])
def test_every_way_to_prepare_a_column_is_the_same_in_onnx(task, name):
    rows, schema = prepared(task)
    fitted = fit(pipeline(small(name, task), schema, task), rows_of(rows, schema, task))
    content = converted(fitted, len(schema.classes))
    assert content == converted(modelfile.loads(modelfile.dumps(fitted)), len(schema.classes))
    ways = {part for part, *_ in fitted[0].transformers_}
    assert ways >= {"numbers", "categories", "clipped", "flagged", "by target"}
    one, other = with_pipeline(fitted, schema), Session(content)
    made_up = hard.rows(fields(schema, schema, [], profile(rows, schema)))
    assert len(made_up["plan"]) > 200
    for columns in (Arrays(rows), made_up):
        assert compared(one, other, [columns]).difference <= TOLERANCE


def test_a_mean_of_families_is_one_file():
    rows, schema = prepared("binary")
    able = {name: small(name, "binary") for name in ("linear", "extra_trees", "xgboost")}
    members = [{"family": name, "weight": number, "parameters": {}} for number, name in enumerate(able, 1)]
    mean = assembled(Model(name="portfolio", families=able), schema, "binary", {"members": members})
    fitted = fit(mean, rows_of(rows, schema, "binary"))
    assert compared(with_pipeline(fitted, schema), Session(converted(fitted, 2)), [Arrays(rows)]).difference < 1e-6


@pytest.mark.parametrize(("treatment", "words"), [("hash", "categories by their hash"), ("text", "texts")])
def test_what_has_no_form_in_onnx_is_named(treatment, words):
    rows, schema = table("binary")
    schema = replace(schema, columns=[column for column in schema.columns if column.treatment in (None, treatment)])
    fitted = fit(pipeline(small("linear", "binary"), schema, "binary"), rows_of(rows, schema, "binary"))
    with pytest.raises(NotConvertibleError, match=words):
        converted(fitted, 2)


def test_a_file_that_says_something_else_is_left_out_with_the_reason(monkeypatch):
    rows, schema = prepared("binary")
    content = modelfile.dumps(
        fit(pipeline(small("linear", "binary"), schema, "binary"), rows_of(rows, schema, "binary"))
    )
    kept, proof = form.onnx(content, shape(schema, rows), [Arrays(rows)])
    assert kept is not None
    assert proof["rows"] == len(rows)
    assert proof["difference"] <= proof["tolerance"]
    other = fit(pipeline(small("extra_trees", "binary"), schema, "binary"), rows_of(rows, schema, "binary"))
    monkeypatch.setattr(form, "converted", lambda fitted, classes: converted(other, classes))
    kept, proof = form.onnx(content, shape(schema, rows), [Arrays(rows)])
    assert kept is None
    assert "on test rows it was apart from the pipeline by" in proof["left_out"]


def test_answers_without_numbers_or_of_another_shape_are_infinitely_far():
    numbers = np.array([0.5, 0.25])
    assert difference(numbers, numbers) == 0
    assert difference(numbers, numbers + 1e-9) == pytest.approx(1e-9)
    assert difference(np.array([1e9]), np.array([1e9 + 1])) == pytest.approx(1e-9)  # a share of its size
    assert difference(numbers, np.array([0.5, np.nan])) == np.inf
    assert difference(numbers, numbers[:1]) == np.inf
    assert difference(np.array([1, 2]), np.array([1, 3])) == np.inf
