"""Trees of scikit-learn and xgboost as one node of ONNX, compared and summed in double precision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.onnxfile.graph import ML, Graph, NotConvertibleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_MOST, BELOW = 0, 1  # how a value is compared with the threshold of a node: BRANCH_LEQ, BRANCH_LT
SUM = 1
IDENTITIES = ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror")


@dataclass(frozen=True)
class Tree:
    """One tree: (m,) arrays over its nodes, the first is the root; a leaf's left child is -1.

    values: (m, K) what a leaf adds to each output.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    feature: NDArray[Any]
    threshold: NDArray[Any]
    missing_left: NDArray[Any]
    values: NDArray[Any]


def forest(graph: Graph, value: str, model: Any) -> str:
    """Return (n, K) shares of classes or (n, 1) values of scikit-learn's trees and forests, the mean of the trees."""
    members = getattr(model, "estimators_", [model])
    trees = [_of_sklearn(one.tree_, len(members)) for one in members]
    single = graph.node("Cast", graph.node("Cast", value, to=1), to=11)  # they compare numbers of single precision
    return _ensemble(graph, single, trees, AT_MOST)


def _of_sklearn(tree: Any, count: int) -> Tree:
    values = tree.value[:, 0, :] / count
    if tree.n_classes[0] > 1:
        values = values / tree.value[:, 0, :].sum(axis=1, keepdims=True)
    missing = np.asarray(tree.missing_go_to_left).astype(bool)
    return Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, missing, values)


def histogram_boosting(graph: Graph, value: str, model: Any) -> str:
    """Return the (n, K) raw sums of HistGradientBoosting: of K classes, of the second of two, or the value."""
    width = len(model._predictors[0])
    trees = [_of_histogram(one.nodes, place, width) for line in model._predictors for place, one in enumerate(line)]
    total = _ensemble(graph, value, trees, AT_MOST)
    return graph.node("Add", total, graph.constant(np.asarray(model._baseline_prediction).reshape(1, -1)))


def _of_histogram(nodes: Any, place: int, width: int) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype("int64")) for side in ("left", "right"))
    values = np.zeros((len(nodes), width))
    values[:, place] = nodes["value"]
    missing = nodes["missing_go_to_left"].astype(bool)
    return Tree(left, right, nodes["feature_idx"], nodes["num_threshold"], missing, values)


def xgboost(graph: Graph, value: str, model: Any) -> str:
    """Return the (n, K) raw sums of xgboost's trees: of K classes, of the second of two, or the value.

    Raises:
        NotConvertibleError: its objective has another link.
    """
    learner = json.loads(model.get_booster().save_raw("json"))["learner"]
    objective = learner["objective"]["name"]
    if objective not in (*IDENTITIES, "binary:logistic", "multi:softprob"):
        raise NotConvertibleError(f"its objective {objective} is not known here")
    width = max(int(learner["learner_model_param"]["num_class"]), 1)
    told = learner["gradient_booster"]["model"]
    trees = [_of_xgboost(one, place, width) for one, place in zip(told["trees"], told["tree_info"], strict=True)]
    single = graph.node("Cast", graph.node("Cast", value, to=1), to=11)
    total = _ensemble(graph, single, trees, BELOW)
    return graph.node("Add", total, graph.constant(_base(learner, objective).reshape(1, -1)))


def _base(learner: dict[str, Any], objective: str) -> NDArray[Any]:
    base = np.array(json.loads(learner["learner_model_param"]["base_score"]), dtype="float64").reshape(-1)
    return np.log(base / (1 - base)) if objective == "binary:logistic" else base


def _of_xgboost(tree: dict[str, Any], place: int, width: int) -> Tree:
    if tree.get("categories_nodes"):
        raise NotConvertibleError("its trees ask for categories by themselves")
    left, right = (np.array(tree[f"{side}_children"]) for side in ("left", "right"))
    threshold = np.array(tree["split_conditions"], dtype="float32").astype("float64")
    values = np.zeros((len(left), width))
    values[:, place] = threshold  # of a leaf, what it adds
    missing = np.array(tree["default_left"], dtype=bool)
    return Tree(left, right, np.array(tree["split_indices"]), threshold, missing, values)


def _ensemble(graph: Graph, value: str, trees: Sequence[Tree], mode: int) -> str:
    """Return the (n, K) sums of the leaves that rows fall into (TreeEnsemble of ai.onnx.ml 5)."""
    from onnx import numpy_helper

    width = trees[0].values.shape[1]
    parts = [_flat(tree) for tree in trees]
    inner, leaves = ([len(part[name]) for part in parts] for name in ("feature", "weights"))
    node_shift, leaf_shift = (np.concatenate([[0], np.cumsum(sizes)[:-1]]) for sizes in (inner, leaves))
    sides = {}
    for side in ("true", "false"):
        is_leaf = np.concatenate([part[f"{side}_leaf"] for part in parts])
        shift = np.where(is_leaf, np.repeat(leaf_shift, inner), np.repeat(node_shift, inner))
        sides[f"nodes_{side}nodeids"] = (np.concatenate([part[side] for part in parts]) + shift).tolist()
        sides[f"nodes_{side}leafs"] = is_leaf.astype("int64").tolist()
    joined = {name: np.concatenate([part[name] for part in parts]) for name in ("feature", "threshold", "missing")}
    weights = np.concatenate([part["weights"] for part in parts])
    return _by_output(
        graph,
        value,
        weights,
        width,
        aggregate_function=SUM,
        tree_roots=node_shift.tolist(),
        nodes_featureids=joined["feature"].astype("int64").tolist(),
        nodes_splits=numpy_helper.from_array(joined["threshold"].astype("float64"), "splits"),
        nodes_modes=numpy_helper.from_array(np.full(len(joined["feature"]), mode, dtype="uint8"), "modes"),
        nodes_missing_value_tracks_true=joined["missing"].astype("int64").tolist(),
        **sides,
    )


def _by_output(graph: Graph, value: str, weights: NDArray[Any], width: int, **attributes: Any) -> str:
    """Return the node of trees whose leaves hold one number for each of `width` outputs: a node for each output."""
    from onnx import numpy_helper

    outputs = [
        graph.node(
            "TreeEnsemble",
            value,
            domain=ML,
            n_targets=1,
            leaf_targetids=[0] * len(weights),
            leaf_weights=numpy_helper.from_array(np.ascontiguousarray(weights[:, place]), "weights"),
            **attributes,
        )
        for place in range(width)
    ]
    return graph.concat(outputs)


def _flat(tree: Tree) -> dict[str, NDArray[Any]]:
    """Return a tree's inner nodes and leaves, each numbered from 0; a tree of one leaf gets a node above it."""
    if tree.left[0] < 0:
        none, zero = np.zeros(1, dtype=bool), np.zeros(1, dtype="int64")
        ends = {"true": zero, "false": zero, "true_leaf": ~none, "false_leaf": ~none}
        return {"feature": zero, "threshold": np.zeros(1), "missing": none, "weights": tree.values[:1], **ends}
    leaf = tree.left < 0
    number = np.where(leaf, np.cumsum(leaf), np.cumsum(~leaf)) - 1
    inner = ~leaf
    ends = {}
    for side, children in (("true", tree.left[inner]), ("false", tree.right[inner])):
        ends[side], ends[f"{side}_leaf"] = number[children], leaf[children]
    return {
        "feature": tree.feature[inner],
        "threshold": tree.threshold[inner],
        "missing": tree.missing_left[inner],
        "weights": tree.values[leaf],
        **ends,
    }
