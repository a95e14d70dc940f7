"""What MLflow calls to load the folder of `mlworkflow export mlflow`: it needs NumPy, pandas, and the backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.serving.bundle import Bundle, load

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Loaded:
    """A bundle as MLflow asks it."""

    bundle: Bundle

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return `prediction`, and for classes `probability_<class>`, of raw rows; index kept.

        Columns that a row may lack are missing values where they are not there.

        Raises:
            TableError: the rows have not the columns or values that the schema demands.
        """
        lacking = {
            one.name: None
            for one in self.bundle.model.fields.all
            if not one.required and one.name not in table and one.name != self.bundle.schema.target
        }
        return self.bundle.predict(table.assign(**lacking))


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> Loaded:
    """Return the bundle in the folder `path`; `backend` in the configuration is that of `runtime.load`."""
    return Loaded(load(Path(path), backend=(model_config or {}).get("backend", "auto")))
