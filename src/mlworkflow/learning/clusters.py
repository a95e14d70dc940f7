"""Clusterings that a model file can carry: plain arrays are kept of them."""

# scikit-learn has no types
# mypy: allow-subclassing-any
from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin


class Birch(ClusterMixin, BaseEstimator):
    """scikit-learn's Birch: rows are gathered in balls by one pass, and the balls' centres are clustered.

    Its tree of balls, which skops cannot store, is forgotten after `fit`: predictions need the centres alone.
    `radius`: of a ball, as a share of the whole table's (the root of the mean squared distance from the centre), so
    that it means the same whatever the number of columns.
    """

    def __init__(self, n_clusters: int = 3, radius: float = 0.3, branching_factor: int = 50) -> None:
        self.n_clusters = n_clusters
        self.radius = radius
        self.branching_factor = branching_factor

    def fit(self, X: Any, y: Any = None) -> Birch:
        """Keep the balls' centres and the cluster of each."""
        from sklearn import cluster

        matrix = np.asarray(X, dtype="float64")
        whole = float(np.sqrt(matrix.var(axis=0).sum())) or 1.0
        found = cluster.Birch(
            n_clusters=self.n_clusters, threshold=self.radius * whole, branching_factor=self.branching_factor
        ).fit(matrix)
        self.centres_, self.clusters_ = found.subcluster_centers_, found.subcluster_labels_
        self.labels_ = self.predict(matrix)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the (n,) cluster of the nearest centre."""
        from sklearn.metrics import pairwise_distances_argmin

        return np.asarray(self.clusters_[pairwise_distances_argmin(np.asarray(X, dtype="float64"), self.centres_)])
