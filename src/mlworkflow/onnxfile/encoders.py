"""The first step of a pipeline, in ONNX: numbers filled and scaled, words looked up in a table of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlworkflow.onnxfile.graph import ML, Graph, NotConvertibleError

MISSING = "(missing)"  # as learning/models.py fills in
UNKNOWN = "\ue000 a word that no table has"


def encoded(graph: Graph, transformer: Any) -> str:
    """Return the (n, k) matrix that a fitted ColumnTransformer of learning/models.py makes.

    Raises:
        NotConvertibleError: a hashed category, a text.
    """
    parts = []
    for name, fitted, columns in transformer.transformers_:
        if name == "remainder" or not len(columns):
            continue
        steps = [step for _, step in fitted.steps] if hasattr(fitted, "steps") else [fitted]
        kinds = {type(step).__name__ for step in steps}
        if kinds & {"Hash", "Words"}:
            what = "texts" if "Words" in kinds else "categories by their hash"
            raise NotConvertibleError(f"it takes {what} ({', '.join(columns)}), which ONNX has no operator for")
        words = kinds & {"OneHotEncoder", "TargetEncoder"}
        parts.append(_words(graph, fitted, steps[1], columns) if words else _numbers(graph, steps, columns))
    return graph.concat(parts)


def _numbers(graph: Graph, steps: list[Any], columns: list[str]) -> str:
    value = graph.concat([graph.input(name, word=False) for name in columns])
    for step in steps:
        value = _NUMBERS[type(step).__name__](graph, value, step)
    return value


def _clip(graph: Graph, value: str, step: Any) -> str:
    low, high = graph.constant(step.low_), graph.constant(step.high_)
    above = graph.node("Where", graph.node("Greater", value, high), high, value)
    return graph.node("Where", graph.node("Less", value, low), low, above)


def _flag(graph: Graph, value: str, step: Any) -> str:
    low, high = graph.constant(step.low_), graph.constant(step.high_)
    far = graph.node("Or", graph.node("Less", value, low), graph.node("Greater", value, high))
    return graph.concat([value, graph.double(far)])


def _impute(graph: Graph, value: str, step: Any) -> str:
    missing = graph.node("IsNaN", value)
    filled = graph.node("Where", missing, graph.constant(np.nan_to_num(step.statistics_.astype("float64"))), value)
    if step.indicator_ is None or not len(step.indicator_.features_):
        return filled
    return graph.concat([filled, graph.double(graph.columns(missing, step.indicator_.features_))])


def _scale(graph: Graph, value: str, step: Any) -> str:
    return graph.node("Div", graph.node("Sub", value, graph.constant(step.mean_)), graph.constant(step.scale_))


_NUMBERS: dict[str, Any] = {
    "FunctionTransformer": lambda graph, value, step: value,
    "Clip": _clip,
    "Flag": _flag,
    "SimpleImputer": _impute,
    "StandardScaler": _scale,
}


def _words(graph: Graph, fitted: Any, encoder: Any, columns: list[str]) -> str:
    """Return the numbers of words: each column's come from a table that the fitted encoder itself has filled."""
    parts, place = [], 0
    for number, (name, width) in enumerate(zip(columns, _widths(encoder), strict=True)):
        known = [str(word) for word in encoder.categories_[number]]
        rows = np.full((len(known) + 1, len(columns)), MISSING, dtype="object")
        rows[:, number] = [*known, UNKNOWN]
        table = np.asarray(fitted.transform(_frame(rows, columns)), dtype="float64")[:, place : place + width]
        parts.append(_looked_up(graph, name, known, table))
        place += width
    return graph.concat(parts)


def _widths(encoder: Any) -> list[int]:
    """Return how many numbers the encoder makes of each of its columns."""
    if hasattr(encoder, "_n_features_outs"):
        return list(encoder._n_features_outs)
    each = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    return [each] * len(encoder.categories_)


def _frame(rows: np.ndarray, columns: list[str]) -> Any:
    import pandas as pd

    return pd.DataFrame({name: pd.Series(rows[:, place], dtype="object") for place, name in enumerate(columns)})


def _looked_up(graph: Graph, name: str, known: list[str], table: np.ndarray) -> str:
    """Return the (n, w) lines of a (words + 1, w) table for an input of words; its last line is for unknown ones."""
    missing = known.index(MISSING) if MISSING in known else len(known)
    keys, values = [*known, ""], [*range(len(known)), missing]
    word = graph.node("Reshape", graph.input(name, word=True), graph.constant([-1], "int64"))
    place = graph.node(
        "LabelEncoder", word, domain=ML, keys_strings=keys, values_int64s=values, default_int64=len(known)
    )
    return graph.node("Gather", graph.constant(table), place, axis=0)
