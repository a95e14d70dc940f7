"""`mlworkflow export onnx`: the model as one ONNX file, and a JSON file that says how it is asked."""

from __future__ import annotations

import json
from typing import Any

from mlworkflow.core import io
from mlworkflow.exporting.subject import Export, ExportError, Subject
from mlworkflow.features import Feature
from mlworkflow.serving.folder import ONNX

ABOUT = "model.json"
ASKED = [
    "Each input is an array of the shape (rows, 1), by its name.",
    "A number that is not known is NaN, a word that is not known the empty string.",
    "Numbers outside `ranges`, and those beyond single precision, are given as NaN.",
    "An input that is no column of the table is made of the columns by `features`.",
]
CLASSES = [
    "Divide each row of the output by its sum: the probabilities, in the order of `classes`.",
    "`threshold` says which class they mean: its words are the rule.",
]


def export(one: Subject) -> Export:
    """Return the folder. Raises ExportError where the bundle holds no ONNX file, or one that does not suffice."""
    if not one.has_onnx:
        raise ExportError(
            [f"the bundle has no ONNX file: {one.model.manifest['onnx']['left_out']}"],
            "Export docker or mlflow, which take the pipeline as it is, or choose another model.",
        )
    files = {ONNX: one.files[ONNX], ABOUT: io.as_json(about(one))}
    return Export(f"{one.words}, for onnxruntime", files, _next)


def about(one: Subject) -> dict[str, Any]:
    """Return how the ONNX file is asked, and what it answers."""
    proof, model = one.model.manifest["onnx"], one.model
    columns = {column.name for column in model.schema.columns}
    inputs = [{**given, "shape": [None, 1], "feature": given["name"] not in columns} for given in proof["inputs"]]
    return {
        "problem": model.name,
        "version": one.version,
        "task": model.task,
        "model": model.manifest["model"],
        "sha256": model.manifest["files"][ONNX],
        "how": [*ASKED, *(CLASSES if model.classes else [])],
        "inputs": inputs,
        "output": {"name": proof["output"], "shape": [None, len(model.classes)] if model.classes else [None]},
        "classes": model.classes,
        "threshold": json.loads(one.files["threshold.json"]) if model.classes else None,
        "ranges": model.ranges,
        "features": [_told(feature) for feature in model.features],
    }


def _told(feature: Feature) -> dict[str, Any]:
    """Return a feature as a configuration names it: those that a bundle makes of dates by itself are in no file."""
    return {"_target_": f"{type(feature).__module__}.{type(feature).__name__}", **vars(feature)}


def _next(folder: str) -> list[str]:
    return [
        "python",
        ">>> import onnxruntime",
        f">>> model = onnxruntime.InferenceSession({f'{folder}/{ONNX}'!r})",
        f">>> model.run(None, inputs)  # see {folder}/{ABOUT}",
    ]
