"""The bundle as pandas takes it: raw tables in, tables of predictions out; what it computes is runtime/model.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core.errors import TableError, nearest
from mlworkflow.rows.arrays import Arrays
from mlworkflow.rows.cast import cast
from mlworkflow.rows.possible import possible
from mlworkflow.runtime import loading
from mlworkflow.runtime.model import Model, Scored
from mlworkflow.serving.folder import versions

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.rows.schema import Schema


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle for tables."""

    model: Model

    @property
    def manifest(self) -> Any:
        """Problem, task, model, versions of the packages."""
        return self.model.manifest

    @property
    def schema(self) -> Schema:
        """The raw columns."""
        return self.model.schema

    @property
    def profile(self) -> Any:
        """What `profile.profile` returned for the training rows."""
        return self.model.profile

    @cached_property
    def columns(self) -> list[str]:
        """The raw columns that a row must have: all inputs, as their drift is watched, and what is looked back at."""
        return [one.name for one in self.model.fields.all if one.name != self.schema.target]

    def typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the columns that a row must have, typed as in training; impossible values are missing.

        The target comes too where it is there and features look back at it: what was, as far as it is known.

        Raises:
            TableError: columns are missing (all are named), or values cannot be read.
        """
        return possible(self.cast(table), self.model.ranges)

    def cast(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return what `typed` does, with impossible values as they are."""
        self.demand_columns(table)
        known = [one.name for one in self.model.fields.all if one.name == self.schema.target and one.name in table]
        return cast(table, self.schema, only=[*self.columns, *known])

    def demand_columns(self, table: pd.DataFrame, called: str = "the rows") -> None:
        """Demand every column that a row must have. Raises TableError, which names all that are missing."""
        if lost := [name for name in self.columns if name not in table]:
            others = [str(name) for name in table if name not in self.columns]
            found = [f"the column {name!r} is missing{nearest(name, others)}" for name in lost]
            raise TableError(called, found, "Name the columns as in the table that the model was trained on.")

    @cached_property
    def known(self) -> frozenset[str]:
        """The names of all columns that the schema knows."""
        return frozenset(column.name for column in self.schema.columns)

    def empty(self, also: Iterable[str]) -> pd.DataFrame:
        """Return no rows of words, with every column that a row must have and those of `also`."""
        import pandas as pd

        names = dict.fromkeys([*also, *self.columns])
        return pd.DataFrame({name: [] for name in names}, dtype="str")

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return `prediction` (class, value or cluster) and for classes `probability_<class>` of raw rows; index kept.

        Raises:
            TableError: the rows have not the columns or values that the schema demands.
        """
        return self.told(self.model.score(dict(Arrays(self.typed(table)))), table.index)

    def told(self, scored: Scored, index: Any) -> pd.DataFrame:
        """Return predictions as a table."""
        import pandas as pd

        if scored.probabilities is None:
            return pd.DataFrame(
                {"prediction": scored.predictions}, index=index, dtype=None if len(index) else "float64"
            )
        said = dict(zip((f"probability_{name}" for name in self.schema.classes), scored.probabilities.T, strict=True))
        return pd.DataFrame({"prediction": scored.predictions, **said}, index=index)

    def other_versions(self) -> list[str]:
        """Return a line for each package whose version here is not the one that the model was trained with."""
        now = versions()
        return [
            f"{name} {now.get(name, 'is not installed')} here, {version} in training"
            for name, version in self.manifest["packages"].items()
            if now.get(name) != version
        ]


def watched(predictions: pd.DataFrame, schema: Schema) -> pd.Series | None:
    """Return what tells drift of predictions: the positive class's probability, else the prediction; None: clusters."""
    if schema.task == "clustering":
        return None
    if schema.task == "binary":
        return predictions[f"probability_{schema.classes[1]}"]
    return predictions["prediction"]


def load(folder: Path, *, backend: str = "auto") -> Bundle:
    """Return the bundle in `folder`; raises what `runtime.load` does."""
    return Bundle(loading.load(folder, backend))
