"""Clean tables and the faults that are planted in them: pure functions, seeded, nothing is changed in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow.core.problem import Problem
from mlworkflow.sources import TARGETS, bundled

TASKS = {"breast_cancer": "binary", "wine": "multiclass", "digits": "multiclass", "diabetes": "regression"}
POSITIVE = {"breast_cancer": "malignant"}
ORDERS = 1500  # rows of the made-up table
CITIES = ["Ulm", "Trier", "Kiel", "Jena"]
UNITS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "metres to feet": lambda values: values * 3.28084,
    "kilograms to pounds": lambda values: values * 2.20462,
    "inches to centimetres": lambda values: values * 2.54,
    "Celsius to Fahrenheit": lambda values: values * 1.8 + 32,
    "a thousandfold": lambda values: values * 1000,
}


@dataclass(frozen=True)
class Case:
    """A raw table, its question, and the rows that arrive when a model of it serves."""

    name: str
    raw: pd.DataFrame
    problem: Problem
    new: pd.DataFrame
    time: str | None = None

    @property
    def target(self) -> str:
        """The name of the target."""
        return str(self.problem.data.target)

    @property
    def numbers(self) -> list[str]:
        """Inputs that are positive measures with many values."""
        inputs = self.raw.drop(columns=[self.target, *self.problem.data.key]).select_dtypes("number")
        return [name for name in inputs if inputs[name].nunique() > 50 and inputs[name].min() > 0]


def question(task: str, data: dict[str, Any], split: dict[str, Any] | None = None) -> Problem:
    """Return a problem with these data and split."""
    metric = {"regression": "rmse", "binary": "roc_auc"}.get(task, "log_loss")
    return Problem.model_validate(
        {
            "name": "planted",
            "question": "Is the planted fault found?",
            "asked_by": "the fault bench",
            "task": task,
            "source": {"_target_": "mlworkflow.sources.file", "path": "none"},
            "snapshot": "none",
            "data": data,
            "split": split or {},
            "metrics": {"primary": metric},
            "rights": {"licence": "none", "source": "scikit-learn or made up", "personal_data": False},
        }
    )


def embedded(name: str, seed: int, timed: bool = False) -> Case:
    """Return one of scikit-learn's tables in an order drawn with `seed`, with a key; `timed`: a row a day as well."""
    table = bundled(name).sample(frac=1, random_state=seed).reset_index(drop=True)
    table.insert(0, "id", np.arange(len(table)) + 1000)
    data: dict[str, Any] = {"target": TARGETS[name], "key": ["id"]}
    if name in POSITIVE:
        data["positive"] = POSITIVE[name]
    if timed:
        table.insert(1, "day", pd.date_range("2020-01-01", periods=len(table), freq="D"))
        data["time"] = "day"
    known = int(len(table) * 0.7)
    new = table.iloc[known:].reset_index(drop=True)
    words = f"{name}, by day" if timed else name
    return Case(words, table, question(TASKS[name], data), new, data.get("time"))


def orders(seed: int) -> Case:
    """Return made-up orders: is one late? By distance, weight and city; by day, in the hours of a shop, in season."""
    draw = np.random.default_rng(seed)
    rows = 2 * ORDERS
    days = np.sort(draw.integers(0, 700, rows))
    hours = np.clip(draw.normal(13, 2.5, rows), 6, 21)
    placed = pd.Timestamp("2022-01-01") + pd.to_timedelta(days * 24 * 60 + (hours * 60).astype(int), unit="min")
    distance, weight = np.exp(draw.normal(3, 0.5, rows)), np.exp(draw.normal(0.5, 0.4, rows))
    city, payment = draw.choice(CITIES, rows, p=[0.4, 0.3, 0.2, 0.1]), draw.choice(["card", "bill"], rows)
    degrees = 12 + 8 * np.sin(days / 365 * 2 * np.pi) + draw.normal(0, 3, rows)
    risk = 1.2 * (np.log(distance) - 3) / 0.5 + 0.8 * (city == "Kiel") + draw.logistic(0, 1, rows)
    table = pd.DataFrame(
        {
            "order": np.char.add("o", draw.permutation(rows).astype(str)),
            "placed": placed.astype("datetime64[ns]"),
            "city": city,
            "payment": payment,
            "distance": distance.round(3),
            "weight": weight.round(3),
            "degrees": degrees.round(2),
            "late": np.where(risk > 0.8, "yes", "no"),
        }
    ).sort_values("placed", kind="stable", ignore_index=True)
    chosen = draw.permutation(rows) < ORDERS
    raw, new = table[chosen].reset_index(drop=True), table[~chosen].reset_index(drop=True)
    problem = question("binary", {"target": "late", "positive": "yes", "key": ["order"], "time": "placed"})
    return Case(f"orders {seed}", raw, problem, new, "placed")


def _codes(case: Case) -> np.ndarray:
    values = case.raw[case.target]
    return values.to_numpy() if case.problem.task == "regression" else pd.factorize(values, sort=True)[0]


def _late(case: Case, column: str) -> np.ndarray:
    """Return which rows are in the later half."""
    return np.arange(len(case.raw)) >= len(case.raw) // 2


def target_leak(case: Case, draw: np.random.Generator) -> Case:
    """A column made of the target: with noise, as words, or as two parts that add up to it."""
    codes = _codes(case)
    if case.problem.task == "regression":
        part = codes * draw.uniform(0.2, 0.8, len(codes))
        return replace(case, raw=case.raw.assign(part=part, rest=codes - part))
    if draw.random() < 0.5:
        return replace(case, raw=case.raw.assign(closed=np.char.add("state ", (7 * codes % 10).astype(str))))
    order = draw.permutation(int(codes.max()) + 1)
    return replace(case, raw=case.raw.assign(after=order[codes] + draw.normal(0, 0.05, len(codes))))


def copied_rows(case: Case, draw: np.random.Generator) -> Case:
    """Twenty rows again under new keys."""
    (key,) = case.problem.data.key
    copies = case.raw.iloc[draw.choice(len(case.raw), 20, replace=False)].copy()
    copies[key] = [f"n{number}" for number in range(20)] if case.raw[key].dtype.kind != "i" else np.arange(20) + 90_000
    return replace(case, raw=pd.concat([case.raw, copies], ignore_index=True))


def from_the_future(case: Case, draw: np.random.Generator) -> Case:
    """The target of the next row as a column, with a little noise."""
    codes = _codes(case).astype(float)
    ahead = np.append(codes[1:], codes[0])
    return replace(case, raw=case.raw.assign(trend=ahead + draw.normal(0, 0.02 * codes.std(), len(codes))))


def unit_change(case: Case, draw: np.random.Generator) -> Case:
    """One measure in another unit in the later half of the rows."""
    name, words = str(draw.choice(case.numbers)), str(draw.choice(list(UNITS)))
    values = case.raw[name].astype("float64")
    return replace(case, raw=case.raw.assign(**{name: values.where(~_late(case, name), UNITS[words](values))}))


def new_category(case: Case, draw: np.random.Generator) -> Case:
    """One new row in twenty has a city that training never saw."""
    return replace(case, new=case.new.assign(city=case.new["city"].mask(draw.random(len(case.new)) < 0.05, "Bonn")))


def missing_burst(case: Case, draw: np.random.Generator) -> Case:
    """A third of the values of one column are missing in the new rows."""
    name = str(draw.choice([*case.raw.drop(columns=[case.target, *case.problem.data.key]).select_dtypes("number")]))
    return replace(case, new=case.new.assign(**{name: case.new[name].mask(draw.random(len(case.new)) < 1 / 3)}))


def label_shift(case: Case, draw: np.random.Generator) -> Case:
    """Two of three rows of one class are gone from the earlier half."""
    codes = _codes(case)
    gone = (codes == codes.max()) & ~_late(case, case.target) & (draw.random(len(codes)) < 2 / 3)
    return replace(case, raw=case.raw[~gone].reset_index(drop=True))


def constant(case: Case, draw: np.random.Generator) -> Case:
    """A column that holds one value."""
    return replace(case, raw=case.raw.assign(currency=float(draw.integers(9))))


def shuffled_target(case: Case, draw: np.random.Generator) -> Case:
    """The target of each row is that of another."""
    mixed = case.raw[case.target].to_numpy()[draw.permutation(len(case.raw))]
    return replace(case, raw=case.raw.assign(**{case.target: mixed}))


def key_collisions(case: Case, draw: np.random.Generator) -> Case:
    """Five rows have the key of another row."""
    (key,) = case.problem.data.key
    places = draw.choice(len(case.raw), 10, replace=False)
    keys = case.raw[key].to_numpy(copy=True)
    keys[places[:5]] = keys[places[5:]]
    return replace(case, raw=case.raw.assign(**{key: keys}))


def time_shift(case: Case, draw: np.random.Generator) -> Case:
    """Times of the later half are written in another time zone."""
    name, zone = str(case.time), int(draw.choice([-8, -5, -2, 2, 3, 7, 9]))
    later = case.raw[name] + pd.Timedelta(hours=zone)
    return replace(case, raw=case.raw.assign(**{name: case.raw[name].where(~_late(case, name), later)}))


def decimal_commas(case: Case, draw: np.random.Generator) -> Case:
    """One number in five of a column is written with a decimal comma."""
    name = str(draw.choice([*case.raw.select_dtypes("float").drop(columns=case.target, errors="ignore")]))
    words = case.raw[name].astype("str")
    some = draw.random(len(words)) < 0.2
    return replace(case, raw=case.raw.assign(**{name: words.mask(some, words.str.replace(".", ",", regex=False))}))
