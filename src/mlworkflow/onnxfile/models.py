"""The last step of a pipeline, in ONNX: straight lines, trees and clusters by own nodes, all else by skl2onnx."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlworkflow.onnxfile import trees
from mlworkflow.onnxfile.encoders import encoded
from mlworkflow.onnxfile.graph import OPSET, Graph, NotConvertibleError

CLUSTERINGS = ("Birch", "GaussianMixture", "KMeans", "MiniBatchKMeans")
NO_FORM = {  # estimators whose form in ONNX is another model
    **dict.fromkeys(
        ("KNeighborsClassifier", "KNeighborsRegressor"), "among neighbours as far as each other it may take another one"
    )
}


def converted(fitted: Any, classes: int) -> bytes:
    """Return a fitted pipeline as an ONNX file: the same bytes for equal pipelines.

    Inputs are the wide columns, each (n, 1); the output is `probabilities` (n, classes), or `prediction` (n,), a double
    or the number of a cluster.

    Args:
        fitted: of learning/models.py or learning/families.py.
        classes: how many there are; 0 for values and clusters.

    Raises:
        NotConvertibleError: a part has no form in ONNX.
    """
    graph = Graph()
    output = said(graph, fitted)
    clusters = type(fitted[-1]).__name__ in CLUSTERINGS
    if not classes:
        output = graph.node("Reshape", output, graph.constant([-1], "int64"))
    name = "probabilities" if classes else "prediction"
    model = graph.model(output, name, whole_numbers=clusters, width=classes or None)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def said(graph: Graph, fitted: Any) -> str:
    """Return what a fitted pipeline says: (n, K) probabilities, (n, 1) values or (n,) clusters."""
    columns, model = fitted[0], fitted[-1]
    if type(model).__name__ in ("VotingClassifier", "VotingRegressor"):
        return _mean(graph, [said(graph, member) for member in model.estimators_], model.weights)
    if type(model).__name__ in ("KeptClassifier", "KeptRegressor"):
        if model.recalibrate:
            raise NotConvertibleError("a model that was recalibrated is computed by scikit-learn")
        return said(graph, model.pipeline_)
    return of_matrix(graph, encoded(graph, columns), model)


def _mean(graph: Graph, parts: list[str], weights: Any) -> str:
    shares = np.asarray(weights, dtype="float64") / np.sum(weights)
    weighed = [graph.node("Mul", part, graph.constant(share)) for part, share in zip(parts, shares, strict=True)]
    return graph.node("Sum", *weighed)


def of_matrix(graph: Graph, matrix: str, model: Any) -> str:
    """Return what a fitted estimator says of an (n, k) matrix."""
    kind = type(model).__name__
    if kind in ("EarlyStoppedClassifier", "EarlyStoppedRegressor"):
        return of_matrix(graph, matrix, model.estimator_)
    if kind == "TransformedTargetRegressor":
        scaled, scaler = of_matrix(graph, matrix, model.regressor_), model.transformer_
        return graph.node("Add", graph.node("Mul", scaled, graph.constant(scaler.scale_)), graph.constant(scaler.mean_))
    if kind in NO_FORM:
        raise NotConvertibleError(f"{kind} has no equal form: {NO_FORM[kind]}")
    if kind in _OWN:
        return str(_OWN[kind](graph, matrix, model))
    return _by_library(graph, matrix, model)


def _linked(graph: Graph, raw: str, model: Any) -> str:
    """Return probabilities of raw sums where the model has classes."""
    if not hasattr(model, "classes_"):
        return raw
    if len(model.classes_) > 2:
        return graph.node("Softmax", raw, axis=1)
    second = graph.node("Sigmoid", raw)
    return graph.concat([graph.node("Sub", graph.constant(1.0), second), second])


def _linear(graph: Graph, matrix: str, model: Any) -> str:
    """Return the probabilities or (n, 1) values of a straight line."""
    slopes = np.atleast_2d(np.asarray(model.coef_, dtype="float64"))
    raw = graph.node("MatMul", matrix, graph.constant(slopes.T))
    return _linked(graph, graph.node("Add", raw, graph.constant(np.reshape(model.intercept_, (1, -1)))), model)


def _nearest(graph: Graph, matrix: str, model: Any) -> str:
    """Return the (n,) cluster of the nearest of Birch's centres: |c|² - 2 x·c is least where the distance is."""
    centres = np.asarray(model.centres_, dtype="float64")
    dot = graph.node("MatMul", matrix, graph.constant(-2 * centres.T))
    near = graph.node("ArgMin", graph.node("Add", dot, graph.constant((centres**2).sum(axis=1))), axis=1, keepdims=0)
    return graph.node("Gather", graph.constant(model.clusters_, "int64"), near, axis=0)


def _support_vectors(graph: Graph, matrix: str, model: Any) -> str:
    """Return the (n, 1) values of a support vector regression with the radial kernel."""
    if model.kernel != "rbf":
        raise NotConvertibleError(f"its kernel {model.kernel} is not known here")
    vectors = np.asarray(model.support_vectors_, dtype="float64")
    own = graph.node("ReduceSum", graph.node("Mul", matrix, matrix), graph.constant([1], "int64"), keepdims=1)
    dot = graph.node("MatMul", matrix, graph.constant(-2 * vectors.T))
    square = graph.node("Add", graph.node("Add", own, graph.constant((vectors**2).sum(axis=1))), dot)
    kernel = graph.node("Exp", graph.node("Mul", square, graph.constant(-model._gamma)))
    total = graph.node("MatMul", kernel, graph.constant(np.asarray(model.dual_coef_).T))
    return graph.node("Add", total, graph.constant(np.asarray(model.intercept_).reshape(1, -1)))


_OWN: dict[str, Any] = {
    **dict.fromkeys(("LogisticRegression", "Ridge", "Lasso", "ElasticNet", "LinearSVR"), _linear),
    **dict.fromkeys(
        ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
         "RandomForestClassifier", "RandomForestRegressor"), trees.forest
    ),
    **dict.fromkeys(
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
        lambda graph, matrix, model: _linked(graph, trees.histogram_boosting(graph, matrix, model), model),
    ),
    **dict.fromkeys(
        ("XGBClassifier", "XGBRegressor"),
        lambda graph, matrix, model: _linked(graph, trees.xgboost(graph, matrix, model), model),
    ),
    "Birch": _nearest,
    "SVR": _support_vectors,
}  # fmt: skip


def _by_library(graph: Graph, matrix: str, model: Any) -> str:
    """Return what skl2onnx makes of the estimator, in double precision."""
    import warnings

    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType

    classes = hasattr(model, "predict_proba") and hasattr(model, "classes_")
    options = {id(model): {"zipmap": False}} if classes else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = to_onnx(
                model,
                initial_types=[("X", DoubleTensorType([None, model.n_features_in_]))],
                options=options,
                target_opset=OPSET,
            )
    except Exception as error:  # it has no common class of its errors
        raise NotConvertibleError(f"skl2onnx cannot convert {type(model).__name__} ({_short(error)})") from error
    outputs = graph.inline(made, {"X": matrix})
    return outputs[-1] if classes else outputs[0]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
