"""What the bundle keeps of the rows learnt from, for those who watch the model in use: spreads, seasons, some rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core import io
from mlworkflow.rows.arrays import array
from mlworkflow.rows.profile import column_profile, lengths, profile
from mlworkflow.rows.seasons import seen

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Rights
    from mlworkflow.rows.schema import Schema

SAMPLED = 2_000  # rows, to set new ones against
PERSONAL = "problem.rights.personal_data is true, so no rows are kept"


def reference(
    train: pd.DataFrame,
    schema: Schema,
    held_out: pd.Series | None,
    fitted: np.ndarray | None,
    importance: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the profile of the training rows with what monitoring needs.

    Args:
        train: the typed training rows.
        schema: their columns.
        held_out: what was predicted of rows that the model was not fitted on.
        fitted: (n,) what the model says of the training rows themselves: how that changes with the seasons.
        importance: lines of `column` and `drop`, as `evaluate` measures it.

    Returns:
        `profile`, and: `seen` in each column and the predictions (rows/seasons.py), where rows have a time; `target`,
        the spread of the target; `weights`, {column: its share of the importance of all of these columns}.
    """
    told = profile(train, schema, held_out)
    if schema.time is not None and len(train):
        _add_seasons(told, train, train[schema.time], fitted)
    drops = {line["column"]: max(float(line["drop"]), 0.0) for line in importance if line["column"] in told["columns"]}
    whole = sum(drops.values()) or 1.0
    target = None if schema.target is None else column_profile(as_words(train[schema.target], schema.classes))
    return {**told, "target": target, "weights": {name: drop / whole for name, drop in drops.items()}}


def _add_seasons(told: dict[str, Any], train: pd.DataFrame, times: pd.Series, fitted: np.ndarray | None) -> None:
    columns = {name: countable(train[name], spread) for name, spread in told["columns"].items()}
    for name, farthest in seen(columns, told["columns"], times).items():
        told["columns"][name]["seen"] = farthest
    if told["predictions"] is not None and fitted is not None:
        told["predictions"]["seen"] = seen({"said": fitted}, {"said": told["predictions"]}, times)["said"]


def as_words(target: pd.Series, classes: Sequence[Any]) -> pd.Series:
    """Return the codes of classes as their names; values as they are."""
    return target.map({code: str(name) for code, name in enumerate(classes)}) if len(classes) else target


def countable(values: pd.Series, spread: Mapping[str, Any]) -> np.ndarray:
    """Return a column as it is counted: texts as their numbers of words."""
    return array(lengths(values) if spread["kind"] == "text" else values)


def sample(
    train: pd.DataFrame, told: Mapping[str, Any], rights: Rights, seed: int
) -> tuple[bytes | None, dict[str, Any]]:
    """Return (some training rows as Parquet, {"rows": how many}), or (None, {"left_out": why}).

    Args:
        train: the typed training rows.
        told: what `reference` returned; its columns are kept.
        rights: of the problem.
        seed: which rows are drawn.
    """
    if rights.personal_data:
        return None, {"left_out": PERSONAL}
    drawn = np.sort(np.random.default_rng(seed).permutation(len(train))[:SAMPLED])
    rows = train[[*told["columns"]]].iloc[drawn].reset_index(drop=True)
    for name, spread in told["columns"].items():
        if spread["kind"] == "text":
            rows[name] = lengths(rows[name])
    return io.parquet(rows), {"rows": len(rows)}
