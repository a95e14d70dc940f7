"""`mlworkflow export mlflow`: a folder that MLflow's own loader and server take, without a pickle.

MLmodel    what MLflow reads first: the flavor python_function, and the columns in and out
bundle/    the bundle as it is, checked by its manifest when it is loaded
code/      this package, whose exporting/mlflow_loader.py MLflow calls
requirements.txt, python_env.yaml    the versions that the model was trained with

The format is MLflow's (https://mlflow.org/docs/latest/ml/model), written here without it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from pathlib import Path
from shlex import quote
from typing import Any

from mlworkflow.core import io
from mlworkflow.exporting.docker import LOCK
from mlworkflow.exporting.subject import Export, Subject, beneath, source
from mlworkflow.runtime.fields import Field
from mlworkflow.runtime.model import Model
from mlworkflow.serving.folder import MANIFEST

LOADER = "mlworkflow.exporting.mlflow_loader"
SMALL = ("numpy", "onnxruntime", "pandas")
BIG = ("joblib", "numpy", "pandas", "scikit-learn", "scipy", "skops", "xgboost", "xgboost-cpu")
TYPES = {str: "string", bool: "boolean", int: "long", float: "double"}


def export(one: Subject) -> Export:
    """Return the folder; raises UnreadableError where the repository has no lock."""
    files = {
        "MLmodel": _yaml(mlmodel(one)),
        "requirements.txt": requirements(one).encode(),
        "python_env.yaml": _yaml(
            {
                "python": platform.python_version(),
                "build_dependencies": ["pip"],
                "dependencies": ["-r requirements.txt"],
            }
        ),
        **beneath("bundle", one.files),
        **beneath("code/mlworkflow", source()),
    }
    return Export(f"a model of MLflow of {one.words}", files, _next)


def mlmodel(one: Subject) -> dict[str, Any]:
    """Return the content of the file MLmodel; of one bundle it is the same each time, so it tells no time."""
    inputs = [_column(field) for field in one.model.fields.all]
    return {
        "flavors": {
            "python_function": {
                "loader_module": LOADER,
                "data": "bundle",
                "code": "code",
                "config": {"backend": "auto"},
                "env": {"virtualenv": "python_env.yaml"},
                "python_version": platform.python_version(),
            }
        },
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(_outputs(one.model)), "params": None},
        "model_uuid": hashlib.sha256(one.files[MANIFEST]).hexdigest()[:32],
        "metadata": {
            "problem": one.model.name,
            "version": one.version,
            "task": one.model.task,
            "fields": [
                {"name": field.name, "kind": field.kind, "required": field.required} for field in one.model.fields.all
            ],
        },
    }


def _column(field: Field) -> dict[str, Any]:
    """Return a column of the signature.

    Only texts have a type: to MLflow whole numbers are no `double`, and numbers no `string`, so that it would refuse
    tables that the bundle reads. The bundle checks the values itself, and its kinds are in the metadata.
    """
    return {"type": "string" if field.kind == "text" else "any", "name": field.name, "required": field.required}


def _outputs(model: Model) -> list[dict[str, Any]]:
    if not model.classes:
        return [{"type": "long" if model.task == "clustering" else "double", "name": "prediction", "required": True}]
    said = {"type": TYPES[type(model.classes[0])], "name": "prediction", "required": True}
    return [said, *({"type": "double", "name": f"probability_{name}", "required": True} for name in model.classes)]


def requirements(one: Subject) -> str:
    """Return what the model needs, as the repository's lock pins it; pip finds what that needs in turn.

    pyarrow, which reads what features look back at, comes with MLflow, which takes no version as new as the lock's.
    """
    needed = SMALL if one.has_onnx else BIG
    lock = io.read_bytes(Path(LOCK)).decode()
    pins = re.findall(r"^(([\w.-]+)==[^\\\n]*?) *\\?$", lock, re.MULTILINE)
    return "\n".join(["mlflow>=3,<4", *(pin for pin, name in pins if name in needed)]) + "\n"


def _yaml(value: dict[str, Any]) -> bytes:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode()


def _next(folder: str) -> list[str]:
    return [
        "python",
        ">>> import mlflow",
        f">>> mlflow.pyfunc.load_model({folder!r}).predict(table)",
        "or, as a server:",
        f"mlflow models serve -m {quote(folder)} --env-manager local -p 5000",
    ]
