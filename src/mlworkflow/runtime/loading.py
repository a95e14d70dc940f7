"""From the folder of a bundle to a Model: the manifest is checked first, and nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import DamagedBundleError, ProjectError, ended
from mlworkflow.featurelines import build, demand_own
from mlworkflow.features import Feature
from mlworkflow.learning.threshold import Threshold
from mlworkflow.rows import past
from mlworkflow.rows.schema import MOST_CATEGORIES, Schema
from mlworkflow.runtime.fields import Field, Fields
from mlworkflow.runtime.model import Backend, LookBack, Model
from mlworkflow.serving.folder import FORMAT, HISTORY, ONNX, PIPELINE, read

if TYPE_CHECKING:
    from mlworkflow.rows.arrays import Columns


class NeedsError(ProjectError):
    """A bundle cannot be used here: packages are missing."""

    def __init__(self, folder: Path, reason: str, extra: str) -> None:
        super().__init__(
            f"the bundle {folder} must have the packages that it is used with, but {ended(reason)} "
            f"Type `pip install mlworkflow[{extra}]` with the versions that its manifest.json names."
        )


def load(folder: str | Path, backend: str = "auto") -> Model:
    """Return the bundle in `folder`.

    Args:
        folder: as the stage `package` wrote it.
        backend: `onnx`, `skops`, or `auto`: ONNX where the bundle holds it, since then it was proven equal. `none`: it
            cannot predict, but its schema and profile are there.

    Raises:
        UnreadableError: there is no such folder, or its pipeline is no model file.
        DamagedBundleError: a file is not the one of the manifest; nothing was loaded.
        UntrustedModelError: the pipeline holds other types than estimators.
        NeedsError: packages are missing, or the bundle has no ONNX file.
    """
    folder = Path(folder)
    manifest, contents = read(folder)
    parts = _parts(contents)
    demand_own(parts["features"]["features"])
    schema, wide = parts["schema"], parts["wide"]
    features = build(parts["features"]["features"], schema)
    chosen = ("onnx" if ONNX in contents else "skops") if backend == "auto" else backend
    return Model(
        manifest,
        schema,
        wide,
        Fields(fields(schema, wide, features, parts["profile"]), schema),
        parts["features"]["ranges"],
        features,
        _threshold(parts["threshold"]) if schema.classes else None,
        chosen,
        _compute(folder, chosen, manifest, contents, wide),
        _look_back(folder, contents[HISTORY], features, schema),
        contents["card.md"].decode(),
        parts["profile"],
        folder,
    )


def _parts(contents: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the JSON files by the name before the dot, and the schemas built of them."""
    parts = {name.removesuffix(".json"): _object(name, text) for name, text in contents.items() if name[-5:] == ".json"}
    try:
        schema, wide = Schema.from_dict(parts["schema"]), Schema.from_dict(parts["features"]["schema"])
        parts["features"]["ranges"], parts["features"]["features"], parts["profile"]["columns"]
        return parts | {"schema": schema, "wide": wide}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBundleError([f"a JSON file does not fit format {FORMAT} ({error!r})"]) from error


def _object(name: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise DamagedBundleError([f"{name} is no JSON ({error})"]) from error
    if not isinstance(found, dict):
        raise DamagedBundleError([f"{name} holds no JSON object"])
    return found


def _threshold(told: Mapping[str, Any]) -> Threshold:
    try:
        return Threshold.from_dict(told)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedBundleError([f"threshold.json does not fit format {FORMAT} ({error!r})"]) from error


def _compute(
    folder: Path, backend: str, manifest: Mapping[str, Any], contents: Mapping[str, bytes], wide: Schema
) -> Backend:
    if backend == "none":
        return _unable
    if backend == "onnx":
        if ONNX not in contents:
            raise NeedsError(folder, f"it has no ONNX file: {manifest['onnx']['left_out']}", "workflow")
        try:
            from mlworkflow.runtime.session import Session
        except ImportError as error:
            raise NeedsError(folder, f"{error.name} is not installed", "runtime") from error
        return Session(contents[ONNX])
    try:
        from mlworkflow.serving.pipeline import computed_by
    except ImportError as error:
        left_out = manifest["onnx"].get("left_out")
        why = f" (it has no ONNX file: {left_out})" if left_out else ""
        raise NeedsError(folder, f"{error.name} is not installed{why}", "workflow") from error
    return computed_by(contents[PIPELINE], manifest["files"][PIPELINE], wide)


def _unable(columns: Columns) -> np.ndarray:
    raise NotImplementedError("a bundle that is loaded with the backend 'none' cannot predict")


def _look_back(folder: Path, history: bytes, features: Sequence[Feature], schema: Schema) -> LookBack | None:
    if not past.looking_back(features):
        return None
    try:
        from mlworkflow.serving.lookback import looking_back
    except ImportError as error:
        raise NeedsError(folder, f"features that look back need {error.name}", "workflow") from error
    return looking_back(history, features, schema)


def fields(schema: Schema, wide: Schema, features: Sequence[Feature], profile: Mapping[str, Any]) -> list[Field]:
    """Return what a row has: what the model or a feature reads is required, other inputs may be there.

    The target may be there where features look back at it.
    """
    back = past.columns(features, schema.time)
    seen = {column.name for column in wide.inputs if column.kind != "time" and column.treatment != "drop"}
    read_too = {value for feature in features for value in vars(feature).values() if isinstance(value, str)}
    made = []
    for column in schema.columns:
        needed = column.name in seen | read_too | set(back) and column.role != "target"
        if needed or column.role in ("input", "time") or column.name in back:
            kept = column.categories if (column.distinct or 0) <= MOST_CATEGORIES else []
            kind = "number" if column.role == "target" and not schema.classes else column.kind
            usual = _usual(profile["columns"].get(column.name))
            made.append(Field(column.name, kind, needed, kept, column.low, column.high, usual))
    return made


def _usual(spread: Mapping[str, Any] | None) -> Any:
    """Return the lower edge of the middle bin of a number, the most frequent word of a category."""
    if spread is None or spread["kind"] == "text" or not any(spread["counts"]):
        return None
    if spread["kind"] == "category":
        return next(iter(spread["counts"]), None)
    if not spread["edges"]:
        return None
    reached = np.cumsum(spread["counts"][1:-1])
    return spread["edges"][int(np.searchsorted(reached, reached[-1] / 2))]
