"""A model that was released, put into a pipeline as it is: to compare with, or to learn a line of its log odds anew.

The cheapest answers to a model that has become worse: nothing is fitted but an intercept and a slope (Platt 1999), or
nothing at all. Its rows must be ones that the kept model was not fitted on (problem.split.train_from).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from mlworkflow.core import io
from mlworkflow.learning import modelfile
from mlworkflow.measures.recalibration import fitted, mended

# scikit-learn has no types, so mypy cannot look into the bases of these classes


class _Kept(BaseEstimator):  # type: ignore[misc]
    """A pipeline in a file.

    Args:
        path: of the skops file.
        sha256: that it must have: the parameters of a run name the very model.
        recalibrate: whether a line is learnt of what it says.
    """

    def __init__(self, path: str, sha256: str, recalibrate: bool = False) -> None:
        self.path, self.sha256, self.recalibrate = path, sha256, recalibrate

    def _load(self, columns: Any) -> Any:
        self.n_features_in_ = columns.shape[1]
        return modelfile.loads(io.read_bytes(Path(self.path)), sha256=self.sha256)


class KeptClassifier(ClassifierMixin, _Kept):  # type: ignore[misc]
    """A released classifier; `recalibrate` mends the log odds of each class against the others."""

    def fit(self, columns: Any, target: Any) -> KeptClassifier:
        """Learn the line of each class, if that is asked for. Raises UnreadableError: the file is not the one."""
        self.pipeline_ = self._load(columns)
        self.classes_ = np.asarray(self.pipeline_.classes_)
        said, truth = self.pipeline_.predict_proba(columns), np.asarray(target)
        asked = self.recalibrate and len(np.unique(truth)) > 1
        codes = [1] if len(self.classes_) == 2 else range(len(self.classes_))
        self.lines_ = [fitted(said[:, code], truth == self.classes_[code]) for code in codes] if asked else []
        return self

    def predict_proba(self, columns: Any) -> Any:
        """Return (n, K) probabilities."""
        said = self.pipeline_.predict_proba(columns)
        if not self.lines_:
            return said
        if len(self.classes_) == 2:
            positive = mended(said[:, 1], *self.lines_[0])
            return np.column_stack([1 - positive, positive])
        each = np.column_stack([mended(said[:, code], *line) for code, line in enumerate(self.lines_)])
        return each / each.sum(axis=1, keepdims=True)

    def predict(self, columns: Any) -> Any:
        """Return the likeliest classes."""
        return self.classes_[self.predict_proba(columns).argmax(axis=1)]


class KeptRegressor(RegressorMixin, _Kept):  # type: ignore[misc]
    """A released regressor; `recalibrate` fits a straight line of the truth on what it says, by least squares."""

    def fit(self, columns: Any, target: Any) -> KeptRegressor:
        """Learn the line, if that is asked for. Raises UnreadableError: the file is not the one."""
        self.pipeline_ = self._load(columns)
        self.slope_, self.intercept_ = 1.0, 0.0
        said = np.asarray(self.pipeline_.predict(columns), dtype=float)
        if self.recalibrate and said.std() > 0:
            self.slope_, self.intercept_ = (float(one) for one in np.polyfit(said, np.asarray(target, float), 1))
        return self

    def predict(self, columns: Any) -> Any:
        """Return (n,) values."""
        return self.intercept_ + self.slope_ * np.asarray(self.pipeline_.predict(columns), dtype=float)
