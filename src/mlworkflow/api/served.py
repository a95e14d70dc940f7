"""One version of a model that serves: what it answers, and what is recorded of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from mlworkflow.api.shape import Asked, Shape
from mlworkflow.recording.record import Record, Role, new_id
from mlworkflow.runtime.loading import load
from mlworkflow.runtime.model import Model
from mlworkflow.runtime.reasons import reasons


@dataclass(frozen=True, eq=False)
class Served:
    """A loaded bundle, the version it is known by, and the shape of its requests."""

    model: Model
    version: str
    shape: Shape

    def answers(self, asked: Asked, most_reasons: int = 0) -> list[dict[str, Any]]:
        """Return for each row its id, prediction, probabilities by class, and what there is to note."""
        model = self.model
        scored, notes = model.score_with_notes(asked.columns)
        told = [{"id": new_id(), "prediction": said} for said in scored.predictions]
        if scored.probabilities is not None:
            names = [str(name) for name in model.classes]
            for answer, line in zip(told, scored.probabilities.tolist(), strict=True):
                answer["probabilities"] = dict(zip(names, line, strict=True))
        for row, lines in notes.items():
            told[row]["notes"] = lines
        if most_reasons:
            for answer, found in zip(told, reasons(model, asked.columns, most_reasons), strict=True):
                answer["reasons"] = [asdict(one) for one in found]
        return told

    def records(self, asked: Asked, answers: Sequence[dict[str, Any]], role: Role, started: float) -> list[Record]:
        """Return what is recorded of the answers; `started`: `time.perf_counter()` when the request was taken."""
        latency = (time.perf_counter() - started) * 1000
        now = time.time() - latency / 1000
        return [
            Record(
                answer["id"],
                now,
                self.version,
                role,
                self.shape.key(values),
                _encoded(dict(zip(asked.names, values, strict=True))),
                _encoded({name: answer[name] for name in ("prediction", "probabilities") if name in answer}),
                latency,
            )
            for values, answer in zip(asked.values, answers, strict=True)
        ]

    @property
    def quick(self) -> bool:
        """Whether a row takes microseconds, so that it is scored on the event loop."""
        return self.model.backend == "onnx" and self.model.look_back is None


def _encoded(value: dict[str, Any]) -> dict[str, Any] | bytes:
    """Return a value as JSON, ten times as fast as the log would do it; what msgspec refuses stays as it is."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError):  # half of a surrogate pair
        return value


def served(folder: Path, version: str, most_rows: int) -> Served:
    """Return a loaded bundle, warmed by a first prediction; raises what `runtime.load` does."""
    model = load(folder)
    made = Served(model, version, Shape(model, most_rows))
    first = model.fields.typed({one.name: [one.usual] for one in model.fields.all})
    model.score(first)
    return made
