"""Put together what serving and monitoring need: model, schema, training rows, a promise -> models/bundle/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.bundling import form, hashes
from mlworkflow.bundling.card import card
from mlworkflow.bundling.promise import promise
from mlworkflow.bundling.reference import reference, sample
from mlworkflow.core import io, paths
from mlworkflow.core.params import Sections
from mlworkflow.featurelines import build, demand_own
from mlworkflow.learning import modelfile
from mlworkflow.rows import past
from mlworkflow.rows.arrays import Arrays, Columns
from mlworkflow.rows.batches import read_batches
from mlworkflow.rows.schema import Schema
from mlworkflow.serving.bundle import watched
from mlworkflow.serving.folder import HISTORY, ONNX, PIPELINE, PROMISE, SAMPLE, write
from mlworkflow.serving.pipeline import with_pipeline

if TYPE_CHECKING:
    import pandas as pd

FOUND = {  # what the stages before found out about the model
    "cv": paths.CV_METRICS,
    "test": paths.TEST_METRICS,
    "intervals": paths.INTERVALS,
    "baselines": paths.BASELINE_METRICS,
    "findings": paths.FINDINGS,
    "decision": paths.DECISION,
    "threshold": paths.THRESHOLD,
}


def main(sections: Sections) -> None:
    """Write the bundle: pipeline, ONNX, schema, features, threshold, profile, promise, card, manifest."""
    problem, model = sections.problem, sections.model
    schema, wide = (Schema.from_dict(io.read_json(path)) for path in (paths.SCHEMA, paths.FEATURES))
    config = [feature.config() for feature in problem.features]
    demand_own(config)
    features = build(config, schema)
    rows, content = io.read_table(paths.TRAIN), io.read_bytes(paths.MODEL)
    found = {name: io.read_json(path) for name, path in FOUND.items()}
    said = held_out(io.read_table(paths.OUT_OF_FOLD), schema)
    fitted = (
        None
        if said is None or schema.time is None
        else positive(with_pipeline(modelfile.loads(content), wide)(Arrays(rows)), schema)
    )
    spread = reference(rows, schema, said, fitted, found["findings"]["importance"])
    some, about_sample = sample(rows, spread, problem.rights, sections.seed)
    onnx, proof = form.onnx(content, form.Shape(schema, wide, features, problem.data.ranges, spread), test_inputs(wide))
    files = {
        PIPELINE: content,
        **{name: made for name, made in ((ONNX, onnx), (SAMPLE, some)) if made is not None},
        "schema.json": io.as_json(schema.to_dict()),
        "features.json": io.as_json({"features": config, "ranges": problem.data.ranges, "schema": wide.to_dict()}),
        "threshold.json": io.as_json(found["threshold"]),
        "profile.json": io.as_json(spread),
        PROMISE: io.as_json(promise(io.read_table(paths.PREDICTIONS), problem, schema, found["intervals"])),
        HISTORY: io.parquet(kept(features, schema)),
        "card.md": card(problem, model, sections.augment, schema, sections.seed, found | {"onnx": proof}).encode(),
    }
    made_of = hashes.made_of(sections)
    about = {
        "problem": problem.name,
        "task": problem.task,
        "model": model.name,
        "onnx": proof,
        "sample": about_sample,
        "hashes": made_of,
    }
    write(paths.BUNDLE, files, about)


def test_inputs(wide: Schema) -> Iterator[Columns]:
    """Yield what the pipeline takes of the test rows, in batches: two forms of one model are compared on them.

    Their truth is not read: the test rows are scored by `evaluate` alone.
    """
    names = [column.name for column in wide.inputs if column.kind != "time"]
    for batch in read_batches(paths.TEST):
        yield Arrays(batch[names])


def kept(features: list[Any], schema: Schema) -> pd.DataFrame:
    """Return the last values of the training rows that features look back at, of the columns they name alone."""
    import pandas as pd

    named = past.columns(features, schema.time)
    rows = io.read_table(paths.TRAIN, columns=named) if named else pd.DataFrame()
    return past.history(rows, features, schema.time)


def held_out(out_of_fold: pd.DataFrame, schema: Schema) -> pd.Series | None:
    """Return the out-of-fold predictions as serving gives them: rows that the model was not fitted on."""
    if not schema.classes:
        return watched(out_of_fold, schema)
    words = out_of_fold["prediction"].map(dict(enumerate(schema.classes))).astype("str")
    names = {f"probability_{code}": f"probability_{name}" for code, name in enumerate(schema.classes)}
    return watched(out_of_fold.rename(columns=names).assign(prediction=words), schema)


def positive(said: np.ndarray, schema: Schema) -> np.ndarray:
    """Return (n,) what is watched of predictions: as `watched` does, of what a pipeline says."""
    if schema.task == "binary":
        return np.asarray(said[:, 1])
    if not schema.classes:
        return np.asarray(said)
    return np.asarray(np.array([str(name) for name in schema.classes], dtype="object")[said.argmax(axis=1)])
