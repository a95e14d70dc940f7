"""A model fitted on a Dask cluster from the parts of a Parquet file: no machine holds all rows.

The columns are learnt from at most `SAMPLE` rows, the trees from all. What comes out is a fitted pipeline like any
other, so the stages after it, the bundle and serving know nothing of the cluster.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core import io
from mlworkflow.learning.crossval import Rows, rows_of
from mlworkflow.rows.schema import Schema

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from mlworkflow.core.problem import Task

SAMPLE = 200_000  # rows, evenly spaced blocks, on which columns are learnt and choices are validated


def sample(path: Path) -> pd.DataFrame:
    """Return the rows on which choices are validated: all, or evenly spaced blocks of more."""
    return io.Columns(path).sample(SAMPLE)


def fit_partitions(pipe: Pipeline, path: Path, schema: Schema, task: Task, client: Any) -> Pipeline:
    """Return the pipeline, its columns fitted on a sample and its xgboost model on all rows of the Parquet file.

    Each row group is read by a worker, so `path` must be readable there. Equal to a fit in memory up to the sketch of
    the quantiles, which each worker makes of its own rows (Chen and Guestrin 2016).

    Args:
        pipe: unfitted; its last step is an `xgboost` estimator of scikit-learn's interface.
        path: the features table.
        schema: what its columns are.
        task: of the problem.
        client: a `distributed.Client`.
    """
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline
    from xgboost import dask as on_dask

    some = rows_of(sample(path), schema, task)
    encoder, model = clone(pipe["columns"]).fit(some.table, some.target), clone(pipe["model"])
    told = {**model.get_xgb_params(), **_objective(task, len(schema.classes))}
    width = encoder.transform(some.table[:1]).shape[1]
    with client.as_current():
        matrix = on_dask.DaskQuantileDMatrix(client, *_arrays(path, encoder, schema, task, client, width))
        trained = on_dask.train(client, told, matrix, num_boost_round=model.get_num_boosting_rounds())
    model.load_model(trained["booster"].save_raw("ubj"))
    return Pipeline([("columns", encoder), ("model", model)])


def _objective(task: Task, classes: int) -> dict[str, Any]:
    if task == "regression":
        return {"objective": "reg:squarederror"}
    return {"objective": "binary:logistic"} if classes == 2 else {"objective": "multi:softprob", "num_class": classes}


def _arrays(path: Path, encoder: Any, schema: Schema, task: Task, client: Any, width: int) -> tuple[Any, Any]:
    """Return the (n, width) inputs and (n,) target as Dask arrays, a part a row group, each made where it is used."""
    import dask.array as da
    import pyarrow.parquet as pq
    from dask import delayed

    told = pq.read_metadata(path)
    learnt = delayed(client.scatter(encoder, broadcast=True, hash=False))
    inputs, target = [], []
    for group in range(told.num_row_groups):
        count = told.row_group(group).num_rows
        part = delayed(_part, nout=2)(path.resolve(), group, learnt, schema, task)
        inputs.append(da.from_delayed(part[0], (count, width), dtype="float32"))
        target.append(da.from_delayed(part[1], (count,), dtype="float32"))
    both = client.persist([da.concatenate(inputs), da.concatenate(target)])
    return both[0], both[1]


def _part(path: Path, group: int, encoder: Any, schema: Schema, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Return one row group as ((n, d) inputs, (n,) target), float32."""
    import pyarrow.parquet as pq

    rows: Rows = rows_of(pq.ParquetFile(path).read_row_group(group).to_pandas(), schema, task)
    assert rows.target is not None
    matrix = encoder.transform(rows.table)
    dense = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    return np.asarray(dense, dtype="float32"), np.asarray(rows.target, dtype="float32")
