"""Unfitted pipelines: whatever is learnt from rows (imputers, encoders, scalers) lives inside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import ConfError, TableError, nearest, reason
from mlworkflow.core.params import Augment, Model, Wants, family
from mlworkflow.rows.arrays import Arrays, Columns

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    from mlworkflow.core.problem import Task, Treatment
    from mlworkflow.rows.schema import Column, Schema

USUAL: dict[str, Treatment] = {"number": "number", "category": "onehot", "text": "text"}  # where none is decided
TREATED: tuple[Treatment, ...] = ("number", "onehot", "target", "hash", "text")
CROSS_FITS = 5  # a row's category is encoded by the targets of the other four fifths
SEED = 0  # of those fifths, and of the search for directions in texts: no knob


def estimator(model: Model, task: Task, parameters: dict[str, Any] | None = None) -> BaseEstimator:
    """Return the unfitted estimator of `model` for the task, with `parameters` in place of its own.

    A parameter of an estimator inside of another is named with two underscores: `estimator__C`.

    Raises:
        ConfError: the model cannot do the task, or the estimator refuses a parameter; all are named.
    """
    built, wanted = _as_it_stands(model, task), parameters or {}
    _demand_known(model, wanted, built.get_params())
    built.set_params(**wanted)
    return built


def _as_it_stands(model: Model, task: Task) -> BaseEstimator:
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    target = getattr(model, family(task))
    if target is None:
        able = [name for name in ("classification", "regression", "clustering") if getattr(model, name) is not None]
        raise ConfError(
            [f"the model {model.name} cannot do {family(task)}, only {', '.join(able)}"], "Choose another: -S model=..."
        )
    try:
        built: BaseEstimator = instantiate(target.config(), _convert_="all")  # lists, not Hydra's own kind
    except InstantiationException as error:
        raise ConfError([f"conf/model/{model.name}.yaml: {reason(error)}"], "Mend its parameters.") from error
    return built


def _demand_known(model: Model, wanted: Iterable[str], known: Collection[str]) -> None:
    """Raise ConfError that names each parameter that the estimator has not: some would take it in silence."""
    file = f"conf/model/{model.name}.yaml"
    found = [f"{file}: there is no parameter {n!r}{nearest(n, known)}" for n in wanted if n not in known]
    if found:
        raise ConfError(found, "Mend its space.")


def own_parameters(model: Model, task: Task) -> dict[str, Any]:
    """Return {name: value} of the parameters in the model's space as they are before any search.

    Raises:
        ConfError: the model cannot do the task, or its space names what the estimator has not.
    """
    names = list(getattr(model.space, family(task)))
    known = _as_it_stands(model, task).get_params()
    _demand_known(model, names, known)
    return {name: known[name] for name in names}


def learner(
    model: Model, task: Task, parameters: dict[str, Any] | None = None, augment: Augment | None = None
) -> BaseEstimator:
    """Return the unfitted estimator of `model`, with rows added when it is fitted where `augment` says so."""
    chosen = estimator(model, task, parameters)
    if augment is None or augment.rows is None:
        return chosen
    from hydra.utils import instantiate

    from mlworkflow.learning.augment import augmented

    added: BaseEstimator = augmented(chosen, instantiate(augment.rows.config(), _convert_="all"))
    return added


def pipeline(
    model: Model, schema: Schema, task: Task, parameters: dict[str, Any] | None = None, augment: Augment | None = None
) -> Pipeline:
    """Return the unfitted pipeline: columns prepared as the model wants them, then the model.

    `augment`: what is added to the rows that the model is fitted on; the columns are prepared without it.
    """
    from sklearn.pipeline import Pipeline

    prepared = "passthrough" if model.wants.untouched else columns(schema, model.wants)
    return Pipeline([("columns", prepared), ("model", learner(model, task, parameters, augment))])


def columns(schema: Schema, wants: Wants) -> ColumnTransformer:
    """Return the unfitted preparation of the inputs: (n, inputs) table -> (n, d) float matrix.

    Numbers: outliers clipped or flagged where told, median for missing values with a column that says so, unless the
    model takes them as they are; scaled only where the model wants it. Categories: one column each, rare and unseen
    ones pooled, missing as a category; where there are too many, the mean target of each, cross-fitted, or their hash.
    Text: directions of TF-IDF, or its terms in a sparse matrix where the model wants them.

    Raises:
        TableError: every column is dropped.
    """
    from sklearn.compose import ColumnTransformer

    named = {treatment: [one.name for one in _seen(schema) if _treatment(one) == treatment] for treatment in TREATED}
    if not any(named.values()):
        found = [f"{column.name!r} is dropped: {column.why}" for column in schema.inputs if column.treatment == "drop"]
        raise TableError("a table without inputs", found, "Collect more columns, or mend problem.treatments.")
    leave, clip, flag = (
        [one.name for one in _seen(schema) if one.name in named["number"] and one.outliers == outliers]
        for outliers in ("leave", "clip", "flag")
    )
    steps: list[tuple[str, Any, list[str]]] = [
        ("numbers", _numbers(wants), leave),
        ("categories", _filled(_one_hot(schema)), named["onehot"]),
        ("clipped", _numbers(wants, outliers="clip"), clip),
        ("flagged", _numbers(wants, outliers="flag"), flag),
        ("by target", _filled(_by_target(schema), scaling=wants.scaling), [] if wants.hashing else named["target"]),
        ("hashed", _filled(_hash()), named["hash"] + (named["target"] if wants.hashing else [])),
        *((f"text {number}", _words(wants), [name]) for number, name in enumerate(named["text"])),
    ]
    return ColumnTransformer([step for step in steps if step[2]], verbose_feature_names_out=False, sparse_threshold=1.0)


def _seen(schema: Schema) -> list[Column]:
    """Return the inputs that a pipeline takes: no dates, which are there as their parts, and none that is dropped."""
    return [column for column in schema.inputs if column.kind != "time" and column.treatment != "drop"]


def _treatment(column: Column) -> Treatment:
    return column.treatment or USUAL[column.kind]


def _numbers(wants: Wants, outliers: str = "leave") -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from mlworkflow.learning.encoders import Clip, Flag

    steps: list[Any] = [{"clip": Clip, "flag": Flag}[outliers]()] if outliers != "leave" else []
    if not wants.missing:
        steps.append(SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))
    steps += [StandardScaler()] if wants.scaling else []
    return make_pipeline(*steps) if steps else "passthrough"


def _filled(encoder: Any, *, scaling: bool = False) -> Any:
    """Return the encoder of words behind a step that makes missing a word of its own."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fill = SimpleImputer(strategy="constant", fill_value="(missing)", missing_values=None)
    return make_pipeline(fill, encoder, *([StandardScaler()] if scaling else []))


def _one_hot(schema: Schema) -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=schema.rare or None, sparse_output=False)


def _by_target(schema: Schema) -> Any:
    """The mean target of each category, shrunk to the mean of all. Fitting encodes a row without its own target."""
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import TargetEncoder

    kind = schema.task if schema.task in ("binary", "multiclass") else "continuous"
    return TargetEncoder(target_type=kind, cv=KFold(CROSS_FITS, shuffle=True, random_state=SEED))


def _hash() -> Any:
    from mlworkflow.learning.encoders import Hash

    return Hash()


def _words(wants: Wants) -> Any:
    from mlworkflow.learning.encoders import Words

    return Words(components=None, seed=SEED) if wants.terms else Words(seed=SEED)


def inputs(table: Any, schema: Schema) -> Any:
    """Return the (n, inputs) table that a pipeline takes: numbers as float64, words as objects, None where missing."""
    return frame(Arrays(table), schema).set_axis(table.index)


def frame(columns: Columns, schema: Schema) -> Any:
    """Return what `inputs` does, of columns by name."""
    import pandas as pd

    seen = {column.name: columns[column.name] for column in _seen(schema)}
    made = {name: pd.Series(values, dtype=values.dtype, copy=False) for name, values in seen.items()}
    return pd.DataFrame(made, copy=False)


def probabilities(fitted: Any, table: Any) -> np.ndarray:
    """Return the (n, K) probabilities that a fitted pipeline gives `table`, each row's sum exactly one."""
    said = np.asarray(fitted.predict_proba(table), dtype=float)
    return np.asarray(said / said.sum(axis=1, keepdims=True))
