"""The bundle in use with NumPy and onnxruntime alone: same answers, no heavy import, every mistake told."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from mlworkflow.core import paths
from mlworkflow.core.errors import DamagedBundleError
from mlworkflow.runtime import NeedsError, RowsError, load
from mlworkflow.serving import bundle as tables
from mlworkflow.serving.folder import MANIFEST, ONNX
from tests.conftest import ROOT
from tests.test_bundle import customers, make, question

ROW = {"age": 31, "paid": 52.5, "plan": "basic", "since": "2024-02-01"}
HEAVY = ("pandas", "sklearn", "dvc", "pydantic", "scipy", "hydra", "pyarrow", "skops", "yaml", "xgboost", "onnx")
ALONE = f"""
import sys
for name in {HEAVY}:
    sys.modules[name] = None  # as if it were not installed
from mlworkflow.runtime import load
print(load(sys.argv[1]).predict([{ROW}])[0]["probabilities"]["yes"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    with contextlib.chdir(folder):
        make(question(), customers())
    return folder / paths.BUNDLE


@pytest.fixture(scope="module")
def model(folder):
    return load(folder)


def test_nothing_but_numpy_and_onnxruntime_is_needed(folder, model):
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert float(done.stdout) == model.predict([ROW])[0]["probabilities"]["yes"]


def test_rows_of_values_and_a_table_of_words_give_the_same_to_the_last_bit(folder, model):
    raw = customers()
    rows = [
        {**one, "age": None if one["age"] == "?" else int(one["age"]), "paid": float(one["paid"])}
        for one in raw[["age", "paid", "plan", "since"]].to_dict("records")
    ]
    said = tables.load(folder).predict(raw)
    found = model.predict(rows)
    assert [one["prediction"] for one in found] == said["prediction"].tolist()
    assert [one["probabilities"]["yes"] for one in found] == said["probability_yes"].tolist()


def test_onnxruntime_alone_takes_the_file_by_the_names_in_the_manifest(folder, model):
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession((folder / ONNX).read_bytes(), providers=["CPUExecutionProvider"])
    wide = model.wider(model.fields.read([ROW]))
    feed = {}
    for one in manifest["onnx"]["inputs"]:
        values = wide[one["name"]]
        feed[one["name"]] = np.array([[value or ("" if one["type"] == "string" else value)] for value in values])
    said = session.run([manifest["onnx"]["output"]], feed)[0]
    assert said[0, 1] == model.predict([ROW])[0]["probabilities"]["yes"]
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert all(f"`{one['name']}` | {one['type']}" in card for one in manifest["onnx"]["inputs"])


def test_all_mistakes_of_all_rows_are_told_at_once(model):
    with pytest.raises(RowsError) as caught:
        model.predict(
            [
                {**ROW, "age": "31", "colour": "red"},
                {"age": 1, "paid": float("nan"), "plan": ["basic"], "since": "yesterday"},
                {"aeg": 1, "paid": 1, "plan": "basic", "since": None},
                7,
            ]
        )
    said = str(caught.value)
    for words in (
        "row 1, 'age': must be a finite number, but is '31'",
        "row 1, 'colour': must be a field of the model",
        "row 2, 'paid': must be a finite number, but is nan",
        "row 2, 'plan': must be a word, but is ['basic']",
        "row 2, 'since': must be a date written as 2024-01-31",
        "row 3, 'age': must be there (null: not known), did you mean 'aeg'?",
        "row 4: must be an object",
    ):
        assert words in said


@pytest.mark.parametrize("value", [10**400, True, float("inf"), "1e5", {}, b"1"])
def test_what_is_no_finite_number_is_refused(model, value):
    with pytest.raises(RowsError, match="must be a finite number"):
        model.predict([{**ROW, "age": value}])


def test_a_zone_is_taken_to_utc_and_blanks_and_spaces_are_as_in_training(model):
    first, *others = model.predict(
        [
            {**ROW, "since": "2024-02-01T00:30:00+01:00", "plan": "gold"},
            {**ROW, "since": "2024-01-31T23:30:00", "plan": " gold "},
            {**ROW, "since": "2024-01-31 23:30:00Z", "plan": "gold"},
        ]
    )
    assert others == [first, first]
    assert model.predict([{**ROW, "plan": "?"}]) == model.predict([{**ROW, "plan": None}])


def test_what_cannot_be_counts_as_missing_and_is_told(model):
    rows = [{**ROW, "age": 99}, {**ROW, "age": None}, {**ROW, "plan": "platinum"}, ROW]
    columns = model.fields.read(rows)
    assert model.predict(rows)[0] == model.predict(rows)[1]
    assert model.notes(columns) == {
        0: ["age: 99 cannot be, so it counts as missing"],
        2: ["plan: 'platinum' was not in the training rows"],
    }


def test_no_rows_give_no_predictions(model):
    assert model.predict([]) == []


def test_a_bundle_without_onnx_says_what_it_needs_and_why(folder, tmp_path):
    with contextlib.chdir(tmp_path):
        make(question(), customers())
        manifest = json.loads((paths.BUNDLE / MANIFEST).read_text(encoding="utf-8"))
        del manifest["files"][ONNX]
        manifest["onnx"] = {"left_out": "it takes texts (note)"}
        (paths.BUNDLE / ONNX).unlink()
        (paths.BUNDLE / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        with pytest.raises(NeedsError, match=r"no ONNX file: it takes texts \(note\)"):
            load(paths.BUNDLE, backend="onnx")
        assert load(paths.BUNDLE).backend == "skops"


def test_a_damaged_bundle_is_not_loaded(tmp_path):
    with contextlib.chdir(tmp_path):
        make(question(), customers())
        with (paths.BUNDLE / ONNX).open("ab") as file:
            file.write(b"!")
        with pytest.raises(DamagedBundleError, match=r"model\.onnx has the SHA-256"):
            load(paths.BUNDLE)


def test_rows_of_pandas_are_taken_too(model):
    frame = pd.DataFrame([ROW])
    assert model.predict(frame.to_dict("records")) == model.predict([ROW])
