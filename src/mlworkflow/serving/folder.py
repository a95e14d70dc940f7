"""The folder of a bundle: written whole or not at all, read only when every file is the one that its manifest names.

- pipeline.skops: the fitted pipeline
- model.onnx: the same pipeline for onnxruntime, where it could be converted and was proven equal
- schema.json: what a raw row must have
- features.json: the row-wise features, the ranges of possible values, the columns that the pipeline takes
- threshold.json: how probabilities become a class
- profile.json: how the training rows were spread
- sample.parquet: some of their inputs, to set new rows against; not where they describe persons
- promise.json: what the model did on the test rows, to which monitoring holds it; no prediction needs it
- history.parquet: the last values of each key that features look back at; no row where none does
- card.md: the model card
- manifest.json: the SHA-256 of each of these files, and the versions of the packages
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlworkflow.core import io
from mlworkflow.core.errors import DamagedBundleError, UnreadableError, UnwritableError

FORMAT = 2
MANIFEST = "manifest.json"
HISTORY = "history.parquet"
PIPELINE = "pipeline.skops"
ONNX, SAMPLE = "model.onnx", "sample.parquet"  # may be absent; the manifest's `onnx` and `sample` say why
PROMISE = "promise.json"  # absent in bundles of older versions
OPTIONAL = (ONNX, SAMPLE, PROMISE)
FILES = (PIPELINE, "schema.json", "features.json", "threshold.json", "profile.json", HISTORY, "card.md")
PACKAGES = {
    "numpy": ("numpy",),
    "pandas": ("pandas",),
    "scikit-learn": ("scikit-learn",),
    "skops": ("skops",),
    "xgboost": ("xgboost-cpu", "xgboost"),
    "onnxruntime": ("onnxruntime",),
}


def versions() -> dict[str, str]:
    """Return the installed version of each package that a prediction rests on."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for name, distributions in PACKAGES.items():
        for distribution in distributions:
            try:
                found.setdefault(name, version(distribution))
            except PackageNotFoundError:
                continue
    return found


def write(folder: Path, files: Mapping[str, bytes], about: Mapping[str, Any]) -> None:
    """Write the bundle whole or not at all; `about` goes into its manifest.

    Raises:
        UnwritableError: the disk is full, the folder is read-only; what was there is as it was.
    """
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = {"format": FORMAT, "files": hashes, **about, "packages": versions()}
    with replacing_folder(folder) as beside:
        for name, content in files.items():
            io.write_bytes(content, beside / name)
        io.write_json(manifest, beside / MANIFEST)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder beside `folder` that replaces it on success and vanishes on failure."""
    beside, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{end}") for end in ("tmp", "old"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left in folder.parent.glob(f".{folder.name}.*.tmp"):  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        beside.mkdir()
        yield beside
        if folder.exists():
            folder.rename(old)
        beside.rename(folder)
    except OSError as error:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise UnwritableError(folder, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return (manifest, content of each file), every file compared with the manifest before.

    Raises:
        UnreadableError: there is no such folder.
        DamagedBundleError: files are missing, changed or too many; all are named.
    """
    if not folder.is_dir():
        raise UnreadableError(folder, "there is no such folder", "Type `dvc repro package`, or `dvc pull`.")
    contents = {path.name: io.read_bytes(path) for path in sorted(folder.iterdir()) if path.is_file()}
    manifest = _manifest(contents.pop(MANIFEST, None))
    wanted = manifest["files"]
    found = [f"{name} is missing" for name in sorted({*FILES, *wanted} - set(contents))]
    found += [f"{name} is not in the manifest" for name in sorted(contents) if name not in wanted]
    found += [f"{path.name}/ is a folder" for path in sorted(folder.iterdir()) if path.is_dir()]
    for name in sorted(set(contents) & set(wanted)):
        actual = hashlib.sha256(contents[name]).hexdigest()
        if actual != wanted[name]:
            found.append(f"{name} has the SHA-256 {actual[:12]}... instead of {str(wanted[name])[:12]}...")
    if found:
        raise DamagedBundleError(found)
    return manifest, contents


def _manifest(content: bytes | None) -> dict[str, Any]:
    if content is None:
        raise DamagedBundleError([f"{MANIFEST} is missing"])
    try:
        manifest: Any = json.loads(content)
    except ValueError as error:
        raise DamagedBundleError([f"{MANIFEST} is no JSON ({error})"]) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DamagedBundleError([f"{MANIFEST} must be of format {FORMAT}"])
    keys = {"files": dict, "problem": str, "task": str, "model": str, "packages": dict, "onnx": dict}
    wrong = [f"{MANIFEST} must have {key!r}" for key, kind in keys.items() if not isinstance(manifest.get(key), kind)]
    if wrong:
        raise DamagedBundleError(wrong)
    return manifest
