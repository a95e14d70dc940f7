"""A bundle in use with the smallest needs: NumPy, and onnxruntime where the bundle holds an ONNX file.

from mlworkflow.runtime import load

model = load("models/bundle")
model.predict([{"age": 31, "plan": "basic"}])
"""

from mlworkflow.runtime.fields import Field, Mistake, RowsError
from mlworkflow.runtime.loading import NeedsError, load
from mlworkflow.runtime.model import Model, Scored

__all__ = ["Field", "Mistake", "Model", "NeedsError", "RowsError", "Scored", "load"]
