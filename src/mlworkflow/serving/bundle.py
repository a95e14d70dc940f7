"""The bundle: what serving needs and nothing else, from its folder (folder.py) to the predictions of raw rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io
from mlworkflow.core.errors import ConfError, DamagedBundleError, TableError, nearest
from mlworkflow.features import Feature, add_features, build
from mlworkflow.rows import past
from mlworkflow.rows.cast import cast
from mlworkflow.rows.possible import Ranges, possible
from mlworkflow.rows.schema import Schema, codes
from mlworkflow.serving.folder import FILES, FORMAT, HISTORY, read, versions

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlworkflow.learning.threshold import Threshold

FEATURE = re.compile(r"mlworkflow\.features\.[A-Z]\w*")  # loading a bundle builds nothing else


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes:
        manifest: problem, task, model, versions of the packages.
        schema: the raw columns; `wide` knows the features too.
        ranges: column -> (low, high) of possible values, either may be None.
        profile: what `profile.profile` returned for the training rows.
        history: the Parquet bytes of what `past.history` returned for the training rows.
    """

    manifest: dict[str, Any]
    schema: Schema
    wide: Schema
    features: list[Feature]
    ranges: Ranges
    threshold: Threshold | None
    profile: dict[str, Any]
    pipeline: Any
    history: bytes = b""

    @property
    def columns(self) -> list[str]:
        """The raw columns that a row must have: the inputs, the time, and what features that look back go by."""
        back = [name for name in past.columns(self.features, self.schema.time) if name != self.schema.target]
        return list(dict.fromkeys([*self.schema.names, *self.schema.with_role("time"), *back]))

    def typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the columns that a row must have, typed as in training; impossible values are missing.

        The target comes too where it is there and features look back at it: what was, as far as it is known.

        Raises:
            TableError: columns are missing (all are named), or values cannot be read.
        """
        lost = [name for name in self.columns if name not in table]
        if lost:
            others = [str(name) for name in table if name not in self.columns]
            found = [f"the column {name!r} is missing{nearest(name, others)}" for name in lost]
            raise TableError("the rows", found, "Name the columns as in the table that the model was trained on.")
        known = [name for name in self.schema.with_role("target") if self._looks_at_target and name in table]
        return possible(cast(table, self.schema, only=[*self.columns, *known]), self.ranges)

    @property
    def _looks_at_target(self) -> bool:
        return self.schema.target in past.columns(self.features, self.schema.time)

    def wider(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return raw rows with every feature, those that look back from the history and the earlier rows of `table`."""
        typed = self.typed(table)
        if not past.looking_back(self.features):
            return add_features(typed, self.features)
        if self._looks_at_target:
            typed = typed.assign(**{str(self.schema.target): self._past_target(typed)})
        return add_features(typed, self.features, self.schema.time, io.table_of(self.history))

    def _past_target(self, typed: pd.DataFrame) -> Any:
        """Return the target as in training, classes as codes; missing where it is not known."""
        import numpy as np

        if self.schema.target not in typed:
            return np.nan
        values = typed[self.schema.target]
        if not self.schema.classes:
            return values
        said = codes(values, self.schema.classes).astype("float64")
        return np.where(said < 0, np.nan, said)

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return `prediction` (class, value or cluster) and for classes `probability_<class>` of raw rows; index kept.

        Raises:
            TableError: the rows have not the columns or values that the schema demands.
        """
        import pandas as pd

        from mlworkflow.learning.models import inputs, probabilities

        rows = inputs(self.wider(table), self.wide)
        names = [f"probability_{name}" for name in self.schema.classes]
        if rows.empty:
            return pd.DataFrame(columns=["prediction", *names], index=table.index, dtype="float64")
        if not self.schema.classes:
            return pd.DataFrame({"prediction": self.pipeline.predict(rows)}, index=table.index)
        said = probabilities(self.pipeline, rows)
        columns = {name: said[:, code] for code, name in enumerate(names)}
        return pd.DataFrame({"prediction": self._words(said), **columns}, index=table.index)

    def _words(self, probabilities: np.ndarray) -> list[Any]:
        codes = self.threshold.labels(probabilities) if self.threshold else probabilities.argmax(axis=1)
        return [self.schema.classes[code] for code in codes]

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


def load(folder: Path, *, pipeline: bool = True) -> Bundle:
    """Return the bundle in `folder`; its manifest is checked first, and nothing is unpickled.

    Without `pipeline` it cannot predict, but needs no scikit-learn.

    Raises:
        UnreadableError: there is no such folder, or its pipeline is no model file.
        DamagedBundleError: a file is not the one of the manifest; nothing was loaded.
        UntrustedModelError: the pipeline holds other types than estimators.
    """
    manifest, contents = read(folder)
    try:
        parts = {name: json.loads(contents[name]) for name in FILES if name.endswith(".json")}
        schema, wide = (Schema.from_dict(stored) for stored in (parts["schema.json"], parts["features.json"]["schema"]))
        config, ranges = parts["features.json"]["features"], parts["features.json"]["ranges"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBundleError([f"a JSON file does not fit format {FORMAT} ({error!r})"]) from error
    check_features(config)
    return Bundle(
        manifest,
        schema,
        wide,
        build(config, schema),
        ranges,
        _threshold(parts["threshold.json"], schema),
        parts["profile.json"],
        _pipeline(contents["pipeline.skops"], manifest["files"]["pipeline.skops"]) if pipeline else None,
        contents[HISTORY],
    )


def _threshold(stored: dict[str, Any], schema: Schema) -> Threshold | None:
    from mlworkflow.learning.threshold import Threshold

    return Threshold.from_dict(stored) if schema.classes else None


def _pipeline(content: bytes, sha256: str) -> Any:
    import warnings

    from sklearn.exceptions import InconsistentVersionWarning

    from mlworkflow.learning import modelfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)  # `other_versions` tells it once
        return modelfile.loads(content, sha256=sha256)


def check_features(config: Sequence[Mapping[str, Any]]) -> None:
    """Demand that every `_target_` of the features is a class of mlworkflow.features.

    Raises:
        ConfError: a feature names other code, which a bundle may not bring along.
    """
    found = [
        f"problem.features: {target} is no class of mlworkflow.features"
        for target in _targets(list(config))
        if not FEATURE.fullmatch(target)
    ]
    if found:
        raise ConfError(found, "Put the feature into src/mlworkflow/features.py, so that serving can use it.")


def _targets(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [str(value["_target_"])] if "_target_" in value else []
        return own + [target for item in value.values() for target in _targets(item)]
    if isinstance(value, list | tuple):
        return [target for item in value for target in _targets(item)]
    return []
