"""xgboost on a Dask cluster says what xgboost in memory says of the same rows, up to the sketch of quantiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlworkflow.config.conf import compose
from mlworkflow.core.params import Compute, Model
from mlworkflow.learning import modelfile
from mlworkflow.learning.cluster import connected
from mlworkflow.learning.crossval import fit, predict, rows_of
from mlworkflow.learning.models import pipeline
from mlworkflow.learning.partitions import fit_partitions
from mlworkflow.rows.schema import Column, Schema

TOLERANCE = {
    "binary": 0.02,
    "multiclass": 0.02,
    "regression": 0.1,
}  # mean difference: probability, or standard deviations


@pytest.fixture(scope="module")
def client():
    with connected(Compute(name="dask", backend="dask", workers=2)) as one:
        yield one


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_fit_on_the_cluster_equals_the_fit_in_memory(client, tmp_path, task):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=3000), "b": rng.normal(size=3000), "c": rng.choice(["x", "y"], 3000)})
    value = (table["a"] * table["b"] + (table["c"] == "x") + 0.3 * rng.normal(size=3000)).to_numpy()
    edges = {"binary": [0.5], "multiclass": [0.0, 1.0], "regression": None}[task]
    table["y"] = value if edges is None else np.digitize(value, edges)
    classes = [] if edges is None else list(range(len(edges) + 1))
    kinds = {"a": "number", "b": "number", "c": "category"}
    schema = Schema(task, "y", classes, [Column(name, kind, "input") for name, kind in kinds.items()], rows=3000)
    table.to_parquet(tmp_path / "train.parquet", row_group_size=700)
    model = Model.model_validate(compose(["model=xgboost_dask"])["model"])
    pipe = pipeline(model, schema, task, {"n_estimators": 60})

    rows = rows_of(table, schema, task)
    there, here = fit_partitions(pipe, tmp_path / "train.parquet", schema, task, client), fit(pipe, rows)
    ours, theirs = (predict(fitted, rows) for fitted in (there, here))
    said = [one.labels if one.probabilities is None else one.probabilities for one in (ours, theirs)]
    assert np.abs(said[0] - said[1]).mean() < TOLERANCE[task] * (1.0 if classes else value.std())
    again = modelfile.loads(modelfile.dumps(there))
    assert np.array_equal(predict(again, rows).labels, ours.labels)
