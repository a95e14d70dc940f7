"""The model file: the same bytes each time, the same predictions after, and nothing but estimators inside."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from mlworkflow.core.errors import ProjectError, UnreadableError, UntrustedModelError
from mlworkflow.learning import modelfile

MODELS = [
    RandomForestClassifier(10, random_state=0),
    LogisticRegression(),
    Ridge(),
    XGBClassifier(n_estimators=5),
    XGBRegressor(n_estimators=5),
    KMeans(2, n_init=1, random_state=0),
]


def fitted(model):
    random = np.random.default_rng(0)
    table = pd.DataFrame({"age": random.normal(size=40), "town": random.choice(["Bern", "Zürich", "Genf"], 40)})
    columns = ColumnTransformer(
        [("number", StandardScaler(), ["age"]), ("word", OneHotEncoder(handle_unknown="ignore"), ["town"])],
        sparse_threshold=0,
    )
    return Pipeline([("columns", columns), ("model", model)]).fit(table, (table["age"] > 0).astype(int)), table


def names(model):
    return type(model).__name__


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_a_loaded_model_predicts_as_the_saved_one(model):
    pipeline, table = fitted(model)
    loaded = modelfile.loads(modelfile.dumps(pipeline))
    assert np.array_equal(loaded.predict(table), pipeline.predict(table))


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_saving_what_was_loaded_gives_the_same_bytes(model):
    content = modelfile.dumps(fitted(model)[0])
    assert modelfile.dumps(modelfile.loads(content)) == content


def hashes():
    """Return the hash of each model's bytes, and of those of a set, whose order is another in each process."""
    models = [fitted(model)[0] for model in MODELS] + [{*"abcdefgh", ("i", 1)}]
    return [hashlib.sha256(modelfile.dumps(model)).hexdigest() for model in models]


def test_another_process_with_another_hash_seed_and_time_zone_gives_the_same_bytes():
    code = "import sys; sys.path.insert(0, 'tests'); from test_modelfile import hashes; print(hashes())"
    env = os.environ | {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(hashes())


def test_the_number_of_cores_is_not_kept():
    pipeline, _ = fitted(KMeans(2, n_init=1, random_state=0))
    content = modelfile.dumps(pipeline)
    pipeline[-1]._n_threads = 64
    assert modelfile.dumps(pipeline) == content


def test_an_object_that_occurs_twice_is_still_one_after_loading():
    pipeline, _ = fitted(Ridge())
    one, other = modelfile.loads(modelfile.dumps([pipeline, pipeline]))
    assert one is other


def test_the_archive_holds_no_time_address_or_random_name():
    content = modelfile.dumps(fitted(XGBClassifier(n_estimators=2))[0])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        files = [name.split(".")[0] for name in archive.namelist() if name != "schema.json"]
        ids = [node["__id__"] for node in modelfile._nodes(json.loads(archive.read("schema.json"))) if "__id__" in node]
    assert files == [str(number + 1) for number in range(len(files))]
    assert max(ids, default=0) <= len(ids)


def test_unused_bytes_between_fields_are_zero():
    record = np.dtype([("small", "u1"), ("large", "f8")], align=True)
    clean, noisy = np.zeros(1, dtype=record), np.zeros(1, dtype=record)
    noisy.view("u1")[1:8] = 7
    assert modelfile.dumps({"nodes": noisy}) == modelfile.dumps({"nodes": clean})


def test_content_with_another_hash_is_not_opened():
    with pytest.raises(UnreadableError, match=r"SHA-256 is .* instead of abc"):
        modelfile.loads(b"no zip at all", sha256="abc")


def test_content_with_the_right_hash_is_loaded():
    content = modelfile.dumps({"a": 1})
    assert modelfile.loads(content, sha256=hashlib.sha256(content).hexdigest()) == {"a": 1}


class Stranger(BaseEstimator):
    """An estimator of no known project."""


def test_a_type_of_another_module_is_named_and_not_built():
    with pytest.raises(UntrustedModelError, match=r"holds: .*test_modelfile\.Stranger\. Nothing was loaded"):
        modelfile.loads(modelfile.dumps({"a": Stranger(), "b": LogisticRegression()}))


@pytest.mark.parametrize("function", [np.testing.assert_equal, os.getcwd, modelfile.dumps], ids=lambda f: f.__name__)
def test_a_function_that_could_do_harm_is_refused(function):
    with pytest.raises(UntrustedModelError, match="Nothing was loaded"):
        modelfile.loads(modelfile.dumps(FunctionTransformer(function)))


def test_a_harmless_function_of_numpy_may_be_a_step():
    assert modelfile.loads(modelfile.dumps(FunctionTransformer(np.log1p))).func is np.log1p


def test_a_class_that_would_be_called_with_arguments_of_the_file_is_refused():
    name = {"__module__": "sklearn.linear_model._ridge", "__class__": "Ridge"}
    value = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": []}
    schema = {**name, "__loader__": "ConstructorFromReduceNode", "content": value, "protocol": 2}
    with pytest.raises(UntrustedModelError, match=r"sklearn\.linear_model\._ridge\.Ridge"):
        modelfile.loads(modelfile._zip({"schema.json": json.dumps(schema).encode()}))


@pytest.mark.parametrize(
    "damage", [lambda c: c[:100], lambda c: b"", lambda c: c[: len(c) // 2] + c[len(c) // 2 + 9 :]]
)
def test_a_damaged_file_is_one_clear_error(damage):
    with pytest.raises(ProjectError, match="no whole model file"):
        modelfile.loads(damage(modelfile.dumps(fitted(Ridge())[0])))
