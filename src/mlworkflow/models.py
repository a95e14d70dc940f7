"""Unfitted pipelines: whatever is learnt from rows (imputers, encoders, scalers) lives inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.errors import ConfError, reason
from mlworkflow.params import Model, Wants, family

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    from mlworkflow.problem import Task
    from mlworkflow.schema import Schema

RAREST = 0.005  # categories with a smaller share of the training rows are pooled


def estimator(model: Model, task: Task, parameters: dict[str, Any] | None = None) -> BaseEstimator:
    """Return the unfitted estimator of `model` for the task, with `parameters` in place of its own.

    Raises:
        ConfError: the model cannot do the task, or the estimator refuses a parameter.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    target = getattr(model, family(task))
    if target is None:
        able = [name for name in ("classification", "regression", "clustering") if getattr(model, name) is not None]
        raise ConfError(
            [f"the model {model.name} cannot do {family(task)}, only {', '.join(able)}"], "Choose another: -S model=..."
        )
    try:
        built: BaseEstimator = instantiate({**target.config(), **(parameters or {})})
    except InstantiationException as error:
        raise ConfError([f"conf/model/{model.name}.yaml: {reason(error)}"], "Mend its parameters.") from error
    return built


def pipeline(model: Model, schema: Schema, task: Task, parameters: dict[str, Any] | None = None) -> Pipeline:
    """Return the unfitted pipeline: columns prepared as the model wants them, then the model."""
    from sklearn.pipeline import Pipeline

    return Pipeline([("columns", columns(schema, model.wants)), ("model", estimator(model, task, parameters))])


def columns(schema: Schema, wants: Wants) -> ColumnTransformer:
    """Return the unfitted preparation of the inputs: (n, inputs) table -> (n, d) float matrix.

    Numbers: median for missing values with a column that says so, unless the model takes them as they are; scaled only
    where the model wants it. Categories: one column each, rare and unseen ones pooled, missing as a category.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [column.name for column in schema.inputs if column.kind == "number"]
    categories = [column.name for column in schema.inputs if column.kind == "category"]
    number_steps: list[Any] = (
        [] if wants.missing else [SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)]
    )
    number_steps += [StandardScaler()] if wants.scaling else []
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RAREST, sparse_output=False)
    fill = SimpleImputer(strategy="constant", fill_value="(missing)", missing_values=None)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(*number_steps) if number_steps else "passthrough", numbers),
            ("categories", make_pipeline(fill, encoder), categories),
        ],
        verbose_feature_names_out=False,
    )


def inputs(table: Any, schema: Schema) -> Any:
    """Return the (n, inputs) table that a pipeline takes: numbers as float64, words as objects, None where missing."""
    names = [column.name for column in schema.inputs if column.kind != "time"]
    words = [column.name for column in schema.inputs if column.kind == "category"]
    chosen = table[names]
    objects = {name: chosen[name].astype("object").where(chosen[name].notna(), None) for name in words}
    return chosen.assign(**objects)


def probabilities(fitted: Any, table: Any) -> np.ndarray:
    """Return the (n, K) probabilities that a fitted pipeline gives `table`, each row's sum exactly one."""
    said = np.asarray(fitted.predict_proba(table), dtype=float)
    return np.asarray(said / said.sum(axis=1, keepdims=True))
