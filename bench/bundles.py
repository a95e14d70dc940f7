"""A bundle of a made-up table, without the workflow around it: 12 numbers and 4 categories, some missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow.bundling import form
from mlworkflow.core import io
from mlworkflow.core.params import Model
from mlworkflow.core.problem import Problem
from mlworkflow.featurelines import build
from mlworkflow.learning import modelfile
from mlworkflow.learning.crossval import fit, rows_of
from mlworkflow.learning.models import pipeline
from mlworkflow.preparing.prepare import prepare
from mlworkflow.rows import past
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.profile import profile
from mlworkflow.serving.folder import HISTORY, ONNX, PIPELINE, write
from mlworkflow.stages.featurize import featurize, featurize_test

NUMBERS, CATEGORIES = 12, 4
PROBLEM: dict[str, Any] = {
    "name": "bench",
    "question": "Which?",
    "asked_by": "the benchmark",
    "task": "binary",
    "source": {"_target_": "mlworkflow.sources.file", "path": "table.csv"},
    "snapshot": "table.csv",
    "data": {"target": "y", "positive": "yes"},
    "split": {"folds": 2},
    "metrics": {"primary": "roc_auc", "also": [], "least_gain": 0.01},
    "rights": {"licence": "none", "source": "made up", "personal_data": False},
}
MODEL: dict[str, Any] = {
    "name": "linear",
    "wants": {"scaling": True},
    "classification": {"_target_": "sklearn.linear_model.LogisticRegression", "max_iter": 2000},
}


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return a table of numbers and categories that tell something of `y`."""
    rng = np.random.default_rng(seed)
    numbers = {f"number_{place}": rng.normal(50, 10, rows).round(3) for place in range(NUMBERS)}
    words = {f"category_{place}": rng.choice(list("abcdefgh"), rows) for place in range(CATEGORIES)}
    made = pd.DataFrame({**numbers, **words})
    y = made["number_0"] + 5 * (made["category_0"] == "a") + rng.normal(0, 5, rows) > 52
    made.loc[rng.random(rows) < 0.03, "number_1"] = np.nan
    return made.assign(y=np.where(y, "yes", "no"))


def bundle(folder: Path, rows: int = 2000, model: dict[str, Any] | None = None) -> None:
    """Write a bundle of the table into `folder`."""
    chosen = Model.model_validate(model or MODEL)
    packed(folder, Problem.model_validate(PROBLEM), chosen, table(rows).astype("str").replace("nan", ""))


def packed(folder: Path, problem: Problem, model: Model, raw: pd.DataFrame) -> tuple[Any, Any, Any]:
    """Write a bundle of raw rows into `folder`; return (the fitted pipeline, wide test rows, their schema)."""
    prepared = prepare(raw, problem)
    config = [feature.config() for feature in problem.features]
    features = build(config, prepared.schema)
    train, wide = featurize(prepared.train, prepared.schema, features)
    test = featurize_test(prepared.test, prepared.train, prepared.schema, features)
    fitted = fit(pipeline(model, wide, problem.task), rows_of(train, wide, problem.task))
    content, spread = modelfile.dumps(fitted), profile(train, prepared.schema)
    ranges = problem.data.ranges
    onnx, proof = form.onnx(content, form.Shape(prepared.schema, wide, features, ranges, spread), [Arrays(test)])
    files = {
        PIPELINE: content,
        **({ONNX: onnx} if onnx else {}),
        "schema.json": io.as_json(prepared.schema.to_dict()),
        "features.json": io.as_json({"features": config, "ranges": ranges, "schema": wide.to_dict()}),
        "threshold.json": io.as_json({"threshold": 0.5 if problem.task == "binary" else None, "words": "half"}),
        "profile.json": io.as_json(spread),
        HISTORY: io.parquet(past.history(train, features, prepared.schema.time)),
        "card.md": f"# {problem.name}\n".encode(),
    }
    write(folder, files, {"problem": problem.name, "task": problem.task, "model": model.name, "onnx": proof})
    return fitted, test, wide
