"""Populations with a model and its reference, whose windows are watched by bench/monitor.py: pure functions, seeded.

All rows of one world come from one population: of an embedded table they are drawn with replacement from all of its
rows, those that the reference is made of too. The churn stream is a real stream: the same customers in each month.
"""

from __future__ import annotations

import io as memory
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mlworkflow import churn
from mlworkflow.bundling.promise import promise
from mlworkflow.bundling.reference import reference, sample
from mlworkflow.core import io
from mlworkflow.core.problem import Problem
from mlworkflow.judging.predicted import predictions
from mlworkflow.measures.intervals import intervals
from mlworkflow.measures.metrics import Scored
from mlworkflow.monitoring.watched import Reference
from mlworkflow.preparing.prepare import prepare
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.schema import Column, Schema

EMBEDDED = {"breast_cancer": "binary", "digits": "multiclass", "wine": "multiclass", "iris": "multiclass",
            "diabetes": "regression"}  # fmt: skip
MOST_COLUMNS = 20
TIME, TARGET = "day", "y"
TRAINED, PROMISED = (400, 1_000, 3_000), 0.4  # training rows; test rows as a share of them
TRAIN_MONTHS, TEST_MONTHS = 12, 6  # of the churn stream
CHURN = Path("conf/problem/churn.yaml")
Draw = Callable[[int, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class World:
    """A population: how rows are drawn from it, and what is asked of them. The target is a code or a value."""

    name: str
    task: str
    draw: Draw
    classes: tuple[str, ...]

    @property
    def problem(self) -> Problem:
        """The question."""
        return _problem(self.task, self.classes)


@dataclass(frozen=True)
class Model:
    """A fitted model, and what its bundle would hold."""

    pipeline: Any
    schema: Schema
    reference: Reference
    threshold: float

    def said(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the labels and the probabilities of typed rows."""
        return _said(self.pipeline, self.features(table), self.schema, self.threshold)

    def features(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return what the pipeline takes."""
        return _features(table, self.schema)


# ---- populations -----------------------------------------------------------------------------------------------------


@cache
def embedded(name: str) -> World:
    """Return the world of one of scikit-learn's tables: its rows, drawn with replacement."""
    import sklearn.datasets

    table, target = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True, as_frame=True)
    varied = [one for one in table if table[one].nunique() > 1][:MOST_COLUMNS]
    whole = table[varied].astype("float64").assign(**{TARGET: target})
    classes = () if EMBEDDED[name] == "regression" else tuple(map(str, sorted(target.unique())))

    def draw(rows: int, rng: np.random.Generator) -> pd.DataFrame:
        return whole.iloc[rng.integers(len(whole), size=rows)].reset_index(drop=True)

    return World(name, EMBEDDED[name], draw, classes)


def made_up(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows of 20 columns: normal, skewed, counts, mostly zero, with gaps, categories; a quarter of y is 1."""
    table = pd.DataFrame({f"normal{place}": rng.normal(10, 3, rows) for place in range(7)})
    for place, width in enumerate((0.5, 1.0, 1.5)):
        table[f"skewed{place}"] = np.exp(rng.normal(0, width, rows))
    table["count0"], table["count1"] = rng.poisson(0.7, rows).astype(float), rng.poisson(4, rows).astype(float)
    table["zero"] = np.where(rng.random(rows) < 0.85, 0.0, rng.exponential(5, rows))
    for name, share in (("gaps0", 0.05), ("gaps1", 0.25)):
        table[name] = np.where(rng.random(rows) < share, np.nan, rng.normal(size=rows))
    for place, many in enumerate((3, 4, 6, 12, 30)):
        weights = 0.7 ** np.arange(many)
        table[f"word{place}"] = rng.choice([f"w{n}" for n in range(many)], rows, p=weights / weights.sum())
    odds = 0.5 * (table["normal0"] - 10) + 0.4 * np.log(table["skewed1"]) + 0.5 * (table["word0"] == "w0")
    return table.assign(**{TARGET: (rng.random(rows) < 1 / (1 + np.exp(2.0 - odds))).astype(int)})


def weekly(rows: int, rng: np.random.Generator, weekday: int | None = None) -> pd.DataFrame:
    """Return made-up rows of half a year, or of one weekday; at the weekend two columns and a category are others."""
    days = rng.integers(182, size=rows) if weekday is None else np.full(rows, 182 + weekday)
    table = made_up(rows, rng)
    free = days % 7 >= 5
    table["normal1"] += 3.0 * free
    table["skewed0"] *= np.where(free, 2.0, 1.0)
    table["word1"] = np.where(free & (rng.random(rows) < 0.5), "w1", table["word1"])
    table[TIME] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")).astype("datetime64[us]")
    return table.sort_values(TIME, kind="stable", ignore_index=True)


def worlds() -> dict[str, World]:
    """Return the worlds whose rows are drawn one by one."""
    return {
        **{name: embedded(name) for name in EMBEDDED},
        "made up": World("made up", "binary", made_up, ("0", "1")),
        "weekly": World("weekly", "binary", weekly, ("0", "1")),
    }


def _problem(task: str, classes: Sequence[str]) -> Problem:
    told = yaml.safe_load(CHURN.read_text(encoding="utf-8"))
    kept = {name: told[name] for name in ("name", "question", "asked_by", "source", "snapshot", "rights")}
    metric = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[task]
    worth: dict[str, Any] = {"unit": "EUR", "over": -1, "under": -1}
    if task != "regression":
        worth = {"unit": "EUR", "outcomes": {one: {other: 10 if one == other else -5 for other in classes}
                                             for one in classes}}  # fmt: skip
    metrics = {"primary": metric, "also": [], "least_gain": 0.02 if task == "binary" else 0.0}
    return Problem.model_validate(
        {**kept, "task": task, "data": {"target": TARGET}, "metrics": metrics, "value": worth}
    )


# ---- models and their references -------------------------------------------------------------------------------------


def trained(world: World, rows: int, rng: np.random.Generator) -> Model:
    """Return a linear model of rows of a world, and its reference."""
    train, test = world.draw(rows, rng), world.draw(max(int(PROMISED * rows), 150), rng)
    schema = Schema(world.task, TARGET, [*world.classes], _columns(train), rows=len(train))
    return model_of(train, test, schema, world.problem, 0.5)


def _columns(table: pd.DataFrame) -> list[Column]:
    roles: dict[str, Any] = {TARGET: "target", TIME: "time"}
    kinds: dict[str, Any] = {name: "number" if table[name].dtype.kind in "if" else "category" for name in table.columns}
    kinds[TIME] = "time"
    return [Column(name, kinds[name], roles.get(name, "input")) for name in table.columns]


def model_of(train: pd.DataFrame, test: pd.DataFrame, schema: Schema, problem: Problem, threshold: float) -> Model:
    """Return a linear model of training rows, with a promise of test rows."""
    from sklearn.base import clone
    from sklearn.model_selection import KFold

    target, wide = train[schema.target].to_numpy(), _features(train, schema)
    made = _linear(wide, schema)
    held_out = np.empty(len(train))
    for fitted, asked in KFold(5, shuffle=True, random_state=0).split(wide):
        again = clone(made).fit(wide.iloc[fitted], target[fitted])
        held_out[asked] = _watched(again, wide.iloc[asked], schema)
    pipeline = made.fit(wide, target)
    labels, said = _said(pipeline, _features(test, schema), schema, threshold)
    scored = Scored(test[schema.target].to_numpy(), labels, said, classes=len(schema.classes) or None)
    words = schema.task == "multiclass"
    spoken = pd.Series(np.array(schema.classes, dtype=object)[held_out.astype(int)] if words else held_out)
    spread = reference(train, schema, spoken, _watched(pipeline, wide, schema), [])
    return Model(pipeline, schema, _reference(train, spread, scored, schema, problem), threshold)


def _reference(
    train: pd.DataFrame, spread: dict[str, Any], scored: Scored, schema: Schema, problem: Problem
) -> Reference:
    bounds = intervals(problem.metrics.names, scored, seed=0)
    table = predictions(np.arange(len(scored)), scored, schema.classes)
    some, _ = sample(train, spread, problem.rights, 0)
    promised = json.loads(io.as_json(promise(table, problem, schema, bounds)))
    kept = None if some is None else dict(Arrays(pd.read_parquet(memory.BytesIO(some))))
    return Reference(json.loads(io.as_json(spread)), promised, kept, [*map(str, schema.classes)], schema.task)


def _features(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    names = [column.name for column in schema.inputs if column.kind in ("number", "category")]
    arrays = Arrays(table)
    made = pd.DataFrame({name: arrays[name] for name in names})
    if "signup" in table and schema.time in table:
        made["tenure"] = (table[schema.time] - table["signup"]).dt.days.astype("float64")
    return made


def _linear(wide: pd.DataFrame, schema: Schema) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in wide if wide[name].dtype.kind == "f"]
    words = [name for name in wide if name not in numbers]
    ready = make_column_transformer(
        (make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=5), words),
    )
    return make_pipeline(ready, LogisticRegression(max_iter=500) if schema.classes else Ridge())


def _said(pipeline: Any, wide: pd.DataFrame, schema: Schema, threshold: float) -> tuple[np.ndarray, np.ndarray | None]:
    if not schema.classes:
        return np.asarray(pipeline.predict(wide), dtype=float), None
    found = pipeline.predict_proba(wide)
    likely = np.zeros((len(wide), len(schema.classes)))
    likely[:, pipeline.classes_] = found  # a rare class may be without training rows
    return (likely[:, 1] >= threshold).astype(int) if likely.shape[1] == 2 else likely.argmax(axis=1), likely


def _watched(pipeline: Any, wide: pd.DataFrame, schema: Schema) -> np.ndarray:
    labels, likely = _said(pipeline, wide, schema, 0.5)
    return np.asarray(likely[:, 1] if likely is not None and likely.shape[1] == 2 else labels, dtype=float)


# ---- the churn stream ------------------------------------------------------------------------------------------------


def churned(customers: int, months: int, seed: int, turn: int | None = None) -> tuple[Model, list[pd.DataFrame]]:
    """Return a model of the first months of a stream without drift, and the typed rows of the months after.

    Args:
        customers: a month.
        months: after those that the model was trained and tested on.
        seed: of the stream.
        turn: the month after them from which on customers leave for other reasons, 0 the first; None: never.
    """
    known = TRAIN_MONTHS + TEST_MONTHS
    raw = churn.stream(customers, known + months, 0.0, seed, turn=None if turn is None else known + turn + 1)
    told = yaml.safe_load(CHURN.read_text(encoding="utf-8"))
    told["split"]["test_fraction"] = 1 - TRAIN_MONTHS / (known + months)
    problem = Problem.model_validate(told)
    made = prepare(raw.astype("str").replace({"nan": "", "None": ""}), problem)
    parts = [rows.reset_index(drop=True) for _, rows in made.test.groupby(made.test["month"])]
    test = pd.concat(parts[:-months], ignore_index=True)
    schema = replace(made.schema, columns=[one for one in made.schema.columns if one.name != "customer"])
    return model_of(made.train, test, schema, problem, 1 / 6), parts[-months:]


@lru_cache(maxsize=4)
def followed(name: str, rows: int, windows: int, seed: int, turn: int | None) -> tuple[Model, list[pd.DataFrame]]:
    """Return a model and quiet windows of a world or of the churn stream, whose reasons turn with the window `turn`."""
    if name == "churn":
        return churned(rows, windows, seed, turn=turn)
    rng = np.random.default_rng([seed, rows, 3])
    model = trained(worlds()[name], TRAINED[seed % len(TRAINED)], rng)
    return model, [worlds()[name].draw(rows, rng) for _ in range(windows)]
