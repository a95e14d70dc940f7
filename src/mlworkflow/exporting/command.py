"""`mlworkflow export`: which bundle, in which form, into which folder; and alerts for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.exporting import docker, folder, kubernetes, mlflow_folder, onnx_folder
from mlworkflow.exporting.subject import Export, ExportError, Subject, subject

KINDS: dict[str, Callable[[Subject], Export]] = {
    "docker": docker.export,
    "kubernetes": kubernetes.export,
    "mlflow": mlflow_folder.export,
    "onnx": onnx_folder.export,
}


ALERTS = "alerts"  # a file, of no bundle


@dataclass(frozen=True)
class Wanted:
    """What `mlworkflow export` was asked for; see its --help."""

    kind: str
    output: Path | None
    bundle: Path | None = None
    stage: str = "prod"
    image: str | None = None
    here: Path = Path()  # where the user stands


def export(wanted: Wanted) -> str:
    """Write the folder, and return what was written and the lines to type next.

    Raises:
        ExportError: the folder is not for this, an option does not fit, the bundle cannot be had in this form.
        ProjectError: the bundle cannot be read; there is no release; the folder cannot be written. Nothing was written.
    """
    if wanted.kind == ALERTS:
        return _alerts(wanted)
    if wanted.output is None:
        raise ExportError([f"{wanted.kind} is a folder, and it has no name"], "Name it with -o FOLDER.")
    if wanted.image is not None and wanted.kind != "kubernetes":
        raise ExportError(["--image is of kubernetes alone"], f"Leave it out, or export kubernetes, not {wanted.kind}.")
    folder.demand_free(wanted.output, wanted.kind)
    version, place = _chosen(wanted)
    made = KINDS[wanted.kind](subject(place, version, wanted.image))
    folder.write(wanted.output, wanted.kind, made.files)
    told = folder.shown(wanted.output, wanted.here)
    return "\n".join([f"{made.words}: {told}", "Type next:", *(f"  {line}" for line in made.next_lines(told))])


def _alerts(wanted: Wanted) -> str:
    """Return the rules for Prometheus, or write them into a file and say so."""
    from mlworkflow.core.params import read_params
    from mlworkflow.exporting.alerts import SLOWEST, alerts

    if wanted.image is not None or wanted.bundle is not None:
        raise ExportError(["--image and --bundle are of models, and alerts are about all of them"], "Leave them out.")
    limit = ((read_params()["problem"].get("constraints") or {}).get("slowest_prediction_milliseconds") or 0) / 1000
    content = alerts(limit or SLOWEST)
    if wanted.output is None:
        return content.rstrip()
    io.write_text(content, wanted.output)
    told = folder.shown(wanted.output, wanted.here)
    return f"Rules for Prometheus: {told}\nType next:\n  promtool check rules {told}"


def _chosen(wanted: Wanted) -> tuple[str, Path]:
    """Return (version, folder) of the bundle, as `mlworkflow serve` finds it."""
    from mlworkflow.api.command import released, version_of

    return released(wanted.stage) if wanted.bundle is None else (version_of(wanted.bundle), wanted.bundle)
