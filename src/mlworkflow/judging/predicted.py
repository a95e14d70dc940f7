"""Predictions as tables: evaluation/predictions.parquet and refits.parquet, how they are written and read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures.metrics import Scored

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.rows.schema import Schema


def predictions(ids: np.ndarray, scored: Scored, classes: Sequence[Any]) -> pd.DataFrame:
    """Return a row a test row: its id (see `known_by`), truth, prediction, the probability of each class.

    A clustering has no truth, but the place of each row, in the scaled columns that its clusters are judged in.
    """
    import pandas as pd

    table = pd.DataFrame({"row": ids})
    if not classes:
        places = enumerate(np.atleast_2d(scored.truth.T))
        truth = {f"place_{n}": axis for n, axis in places} if scored.truth.ndim > 1 else {"truth": scored.truth}
        return table.assign(**truth, prediction=scored.labels)
    names = np.asarray([str(name) for name in classes], dtype=object)
    table = table.assign(truth=names[scored.truth], prediction=names[scored.labels])
    said = np.asarray(scored.probabilities)
    return table.assign(**{f"probability_{name}": said[:, code] for code, name in enumerate(names)})


def refits_table(ids: np.ndarray, again: Sequence[Scored], classes: Sequence[Any], parts: str) -> pd.DataFrame:
    """Return the predictions of each refit below each other: `refit` numbers them, `parts` names what they lacked."""
    import pandas as pd

    told = [predictions(ids, scored, classes).assign(refit=number) for number, scored in enumerate(again)]
    empty = pd.DataFrame({"row": ids[:0], "refit": np.arange(0)})
    return pd.concat([empty, *told], ignore_index=True).assign(parts=parts) if told else empty.assign(parts=parts)


def scored_of(table: pd.DataFrame, task: str, inputs: int | None = None) -> Scored:
    """Return a table of predictions as metrics take it; `inputs` is the number of columns that the model takes."""
    if task == "regression":
        truth, labels = (table[name].to_numpy(dtype=float) for name in ("truth", "prediction"))
        return Scored(truth, labels, columns=inputs)
    if task == "clustering":
        places = [name for name in table.columns if name.startswith("place_")]
        return Scored(table[places].to_numpy(dtype=float), table["prediction"].to_numpy())
    names = class_names(table)
    codes = {name: code for code, name in enumerate(names)}
    truth, labels = (table[name].map(codes).to_numpy(dtype="int64") for name in ("truth", "prediction"))
    return Scored(truth, labels, table[[f"probability_{name}" for name in names]].to_numpy())


def refits_of(
    refits: pd.DataFrame, told: pd.DataFrame, places: np.ndarray, task: str, inputs: int | None = None
) -> list[Scored]:
    """Return what each refit says of some of the rows.

    Args:
        refits: evaluation/refits.parquet.
        told: evaluation/predictions.parquet, which holds the truth.
        places: (n,) positions of the rows.
        task: of the problem.
        inputs: the number of columns that the model takes.
    """
    truth = {"truth": told["truth"].to_numpy()[places]} if "truth" in told else {}
    tables = (table.iloc[places].assign(**truth) for _, table in refits.groupby("refit"))
    return [scored_of(table, task, inputs) for table in tables]


def class_names(table: pd.DataFrame) -> list[str]:
    """Return the classes that a table of predictions has probabilities of, in their order."""
    return [name.removeprefix("probability_") for name in table.columns if name.startswith("probability_")]


def inputs_of(schema: Schema) -> int:
    """Return how many columns the model takes, which adjusted_r2 needs."""
    return sum(column.kind != "time" and column.treatment != "drop" for column in schema.inputs)
