"""A table as NumPy arrays by name: what features, the model file and the runtime take, with pandas and without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, np.ndarray]  # (n,) float64 with NaN, datetime64[us] with NaT, or objects: words, None if missing


class Arrays(Mapping[str, np.ndarray]):
    """The columns of a typed table, each made an array when it is asked for."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table
        self._made: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._made:
            self._made[name] = array(self._table[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(map(str, self._table.columns))

    def __len__(self) -> int:
        return self._table.shape[1]


def array(values: pd.Series) -> np.ndarray:
    """Return the (n,) array of one typed column."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(dtype="float64", na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.to_numpy().astype("datetime64[us]")
    return np.asarray(values.astype("object").where(values.notna(), None), dtype="object")
