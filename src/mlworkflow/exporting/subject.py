"""What is exported: a checked bundle, its name and its version; and what an export is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.core.errors import ProjectError, listed
from mlworkflow.runtime.loading import load
from mlworkflow.runtime.model import Model
from mlworkflow.serving.folder import MANIFEST, ONNX, read

PACKAGE = Path(__file__).parents[1]
LEFT = ("__pycache__",)  # of a package: what Python leaves there


class ExportError(ProjectError):
    """A bundle cannot be exported as it was asked for; nothing was written."""

    def __init__(self, found: list[str], next_step: str) -> None:
        super().__init__(f"nothing was exported:\n{listed(found)}\n{next_step}")


@dataclass(frozen=True)
class Subject:
    """A bundle that is exported.

    files: the bundle's own, the manifest among them.
    model: loaded for its fields and schema; it cannot predict.
    named_image: what the image is called, where it is not `image`.
    """

    version: str
    files: Mapping[str, bytes]
    model: Model
    named_image: str | None = None

    @property
    def name(self) -> str:
        """The problem's name as images, Kubernetes and DNS take it."""
        return re.sub(r"[^a-z0-9]+", "-", self.model.name.lower())[:40].strip("-") or "model"

    @property
    def image(self) -> str:
        """The name and tag of its image."""
        return self.named_image or f"{self.name}:{self.version}"

    @property
    def has_onnx(self) -> bool:
        """Whether the bundle holds an ONNX file."""
        return ONNX in self.files

    @property
    def is_small(self) -> bool:
        """Whether NumPy and onnxruntime are all it is used with."""
        return self.has_onnx and self.model.look_back is None

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"{self.model.name} {self.version} ({'ONNX' if self.has_onnx else 'skops'})"


@dataclass(frozen=True)
class Export:
    """A folder to write: {path: content}, a word on it, and the lines to type next, given the folder."""

    words: str
    files: Mapping[str, bytes]
    next_lines: Callable[[str], list[str]]


def subject(folder: Path, version: str, image: str | None = None) -> Subject:
    """Return the bundle in `folder`, each file compared with the manifest; raises what `runtime.load` does."""
    _, files = read(folder)
    return Subject(version, {MANIFEST: io.read_bytes(folder / MANIFEST), **files}, load(folder, "none"), image)


def source() -> dict[str, bytes]:
    """Return the files of this package by their path in it."""
    paths = (path for path in sorted(PACKAGE.rglob("*")) if path.is_file() and not {*path.parts} & {*LEFT})
    return {path.relative_to(PACKAGE).as_posix(): io.read_bytes(path) for path in paths}


def beneath(place: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files moved into a folder."""
    return {f"{place}/{name}": content for name, content in files.items()}
