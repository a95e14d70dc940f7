"""What features that look back make of rows in use: the earlier ones among them, and the history in the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlworkflow.core import io
from mlworkflow.rows import past
from mlworkflow.rows.schema import Schema, codes

if TYPE_CHECKING:
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.runtime.model import LookBack


def looking_back(history: bytes, features: Sequence[Any], schema: Schema) -> LookBack:
    """Return what makes the columns of features that look back; `history`: the Parquet bytes of `past.history`."""
    before = io.table_of(history)
    names = past.columns(features, schema.time)

    def look(columns: Columns) -> Columns:
        rows = pd.DataFrame({name: columns[name] for name in names if name in columns and name != schema.target})
        if schema.target in names:
            rows[schema.target] = _past_target(columns, schema)
        made = past.look_back(rows, features, schema.time, before)
        return {str(name): made[name].to_numpy() for name in made}

    return look


def _past_target(columns: Columns, schema: Schema) -> Any:
    """Return the target as in training, classes as codes; missing where it is not known."""
    target = str(schema.target)
    if target not in columns:
        return np.nan
    if not schema.classes:
        return columns[target]
    said = codes(pd.Series(columns[target], dtype="str"), schema.classes).astype("float64")
    return np.where(said < 0, np.nan, said)
