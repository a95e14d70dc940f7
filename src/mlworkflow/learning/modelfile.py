"""The model file: a fitted pipeline as skops bytes that are the same each time, and that hold no code.

skops writes a zip of arrays and a schema.json, with the time, memory addresses and random names in it. `dumps` renames
and renumbers all of these by their first appearance, so equal pipelines give equal bytes. `loads` checks the SHA-256
first, then every type in the file: nothing is unpickled, and nothing but estimators is built.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from mlworkflow.core.errors import UnreadableError, UntrustedModelError
from mlworkflow.core.params import PACKAGES

TRUSTED_TYPES = (  # no estimators, but parts of them, beside what skops itself trusts of builtins, NumPy and SciPy
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.model_selection._split.KFold",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "xgboost.core.Booster",
)
FUNCTION_MODULES = ("mlworkflow.features", "mlworkflow.learning.models")  # their functions may be steps of a pipeline
VALUES = ("JsonNode", "TypeNode", "FunctionNode")  # identity says nothing about these
THREADS = ("_n_threads", "n_threads")  # attributes in which fitted estimators keep this machine's number of cores
SCHEMA = "schema.json"


def dumps(fitted: object) -> bytes:
    """Return `fitted` as skops bytes: equal objects give equal bytes, in any process on any day."""
    import skops.io

    with ZipFile(io.BytesIO(skops.io.dumps(fitted))) as archive:
        schema = json.loads(archive.read(SCHEMA))
        _forget_threads(schema)
        _sort_sets(schema)
        _renumber(schema)
        names = _rename(schema)
        members = {new: _without_padding(archive.read(old)) for old, new in names.items()}
    return _zip(members | {SCHEMA: json.dumps(schema, separators=(",", ":")).encode()})


def loads(content: bytes, sha256: str | None = None) -> Any:
    """Return the fitted object in `content`.

    Raises:
        UnreadableError: the bytes have not the SHA-256 asked for (they are not opened), or are no model file.
        UntrustedModelError: the file holds other types than estimators; nothing was built.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise UnreadableError(
            "the model file", f"its SHA-256 is {found} instead of {sha256}", "Nothing was loaded. Type `dvc checkout`."
        )
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            trusted = sorted(trusted_names(json.loads(archive.read(SCHEMA))))
        return skops.io.loads(content, trusted=trusted)
    except UntrustedTypesFoundException as error:
        found_types = set(skops.io.get_untrusted_types(data=content)) - set(trusted)
        raise UntrustedModelError(sorted(found_types)) from error
    except (BadZipFile, KeyError, TypeError, ValueError, AttributeError, ImportError, EOFError) as error:
        reason = f"it is no whole model file ({type(error).__name__}: {error})"
        raise UnreadableError("the model file", reason, "Type `dvc repro train`, or `dvc checkout`.") from error


def trusted_names(schema: dict[str, Any]) -> set[str]:
    """Return the full names in a skops schema that this project trusts, beside those that skops trusts."""
    called = {_name(node) for node in _nodes(schema) if node["__loader__"] == "ConstructorFromReduceNode"}
    return {name for name in {_name(node) for node in _nodes(schema)} - called if _is_trusted(name)}


def _is_trusted(name: str) -> bool:
    """Whether `name` is an estimator, or a function that may be a step, of a package that is trusted."""
    module, _, attribute = name.rpartition(".")
    if name in TRUSTED_TYPES:
        return True
    if module.split(".")[0] not in PACKAGES:
        return False
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    if isinstance(found, type):
        from sklearn.base import BaseEstimator

        return issubclass(found, BaseEstimator)
    return module in FUNCTION_MODULES and getattr(found, "__module__", None) == module


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each node of a skops schema, parents first, in the order of the file."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "__loader__" in item:
                yield item
            waiting.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            waiting.extend(reversed(item))


def _name(node: dict[str, Any]) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _forget_threads(schema: dict[str, Any]) -> None:
    """Put 1 where a fitted estimator holds the number of cores it was fitted with: it changes speed alone."""
    for node in _nodes(schema):
        content = node.get("content")
        for name in THREADS:
            if isinstance(content, dict) and content.get(name, {}).get("__loader__") == "JsonNode":
                content[name]["content"] = "1"


def _sort_sets(schema: dict[str, Any]) -> None:
    """Put the items of each set into the order of their content: a set's own order hangs on the hash seed."""
    for node in _nodes(schema):
        if node["__loader__"] == "SetNode":
            node["content"].sort(key=lambda item: (item["__module__"], item["__class__"], str(item.get("content"))))


def _renumber(schema: dict[str, Any]) -> None:
    """Replace memory addresses by 1, 2, ...; only objects that occur more than once need a number at all."""
    seen = Counter(node.get("__id__") for node in _nodes(schema) if node["__loader__"] not in VALUES)
    numbers: dict[int, int] = {}
    for node in _nodes(schema):
        address = node.pop("__id__", None)
        if address is not None and node["__loader__"] not in VALUES and seen[address] > 1:
            node["__id__"] = numbers.setdefault(address, len(numbers) + 1)


def _rename(schema: dict[str, Any]) -> dict[str, str]:
    """Give the files of the archive the names 1.npy, 2.bin, ... in the schema; return old -> new name."""
    names: dict[str, str] = {}
    for node in _nodes(schema):
        if "file" in node:
            suffix = node["file"].rpartition(".")[2]
            node["file"] = names.setdefault(node["file"], f"{len(names) + 1}.{suffix}")
    return names


def _without_padding(content: bytes) -> bytes:
    """Return a .npy file whose unused bytes between the fields of a record are zero; others as they are."""
    import numpy as np

    if not content.startswith(b"\x93NUMPY"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, dtype=array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    """Return a zip of `members` with fixed times and rights; stored, as compressed bytes hang on zlib's version."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for name, content in members.items():
            info = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()
