"""The ONNX file of a bundle, run by onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from mlworkflow.rows.arrays import Columns

QUIET = 3  # of onnxruntime's own words, errors alone


class Session:
    """Wide columns -> (n, K) probabilities, or (n,) values or clusters, on one thread."""

    def __init__(self, content: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # workers are processes; sums stay in one order
        options.log_severity_level = QUIET
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._words: dict[str, bool] = {one.name: one.type == "tensor(string)" for one in self._session.get_inputs()}
        self.output: str = self._session.get_outputs()[0].name

    @property
    def inputs(self) -> list[dict[str, str]]:
        """The name and the type of each input, `double` or `string`."""
        return [{"name": name, "type": "string" if is_word else "double"} for name, is_word in self._words.items()]

    def __call__(self, columns: Columns) -> np.ndarray:
        """Return what the model says; a missing word is the empty string, a missing number NaN."""
        feed = {name: _fed(columns[name]) if word else columns[name][:, None] for name, word in self._words.items()}
        return np.asarray(self._session.run([self.output], feed)[0])


def _fed(words: np.ndarray) -> np.ndarray:
    """Return (n, 1) words; from a flat list, which takes NumPy a tenth of the time that a nested one does."""
    return np.array(["" if word is None else word for word in words.tolist()], dtype="object")[:, None]
