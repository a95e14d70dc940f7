"""The pipeline of a bundle, run by scikit-learn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import InconsistentVersionWarning

from mlworkflow.learning import modelfile
from mlworkflow.learning.models import frame

if TYPE_CHECKING:
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.rows.schema import Schema
    from mlworkflow.runtime.model import Backend


def computed_by(content: bytes, sha256: str, wide: Schema) -> Backend:
    """Return what makes (n, K) probabilities, or (n,) values or clusters, of wide columns, by a skops file.

    Raises:
        UnreadableError: it has not the SHA-256, or is no model file.
        UntrustedModelError: it holds other types than estimators.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)  # `other_versions` tells it once
        return with_pipeline(modelfile.loads(content, sha256=sha256), wide)


def with_pipeline(fitted: Any, wide: Schema) -> Backend:
    """Return what makes (n, K) probabilities, or (n,) values or clusters, of wide columns, by a fitted pipeline."""
    say = fitted.predict_proba if wide.classes else fitted.predict

    def compute(columns: Columns) -> np.ndarray:
        with np.errstate(all="ignore"):  # sums of the largest numbers overflow in scikit-learn's own checks
            return np.asarray(say(frame(columns, wide)), dtype="float64" if wide.classes else None)

    return compute
