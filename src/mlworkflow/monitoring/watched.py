"""One window as a whole: what was sketched of its rows, what came of them, and all that is asked of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import DamagedBundleError, first_line
from mlworkflow.monitoring import columns as spreads
from mlworkflow.monitoring import joint, outcomes
from mlworkflow.monitoring.checks import Check
from mlworkflow.monitoring.health import Health
from mlworkflow.monitoring.report import Value
from mlworkflow.monitoring.sketch import Sketch, hashed

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.measures.expected import Confidence
    from mlworkflow.measures.metrics import Scored
    from mlworkflow.rows.arrays import Columns


@dataclass(frozen=True)
class Reference:
    """What a bundle says of the rows learnt from and of itself.

    Attributes:
        profile: the spread of the training rows (bundling/reference.py).
        promise: what the model did on the test rows (bundling/promise.py); empty for older bundles.
        sample: some training rows; None where the bundle holds none.
        classes: as they are written; none for values and clusters.
        task: binary, multiclass, regression or clustering.
    """

    profile: Mapping[str, Any]
    promise: Mapping[str, Any]
    sample: Columns | None
    classes: Sequence[str]
    task: str

    @property
    def sampled(self) -> list[str]:
        """The columns of the sample."""
        return [] if self.sample is None else [*self.sample]


def reference_of(folder: Path) -> Reference:
    """Return the reference of a bundle that was loaded; raises what `serving.folder.read` does."""
    from mlworkflow.serving.folder import PROMISE, SAMPLE, read

    _, contents = read(folder)
    schema = json.loads(contents["schema.json"])
    return Reference(
        json.loads(contents["profile.json"]),
        json.loads(contents[PROMISE]) if PROMISE in contents else {},
        _sample(contents[SAMPLE]) if SAMPLE in contents else None,
        [str(name) for name in schema["classes"]],
        schema["task"],
    )


def _sample(content: bytes) -> Columns:
    import pyarrow as pa

    from mlworkflow.core import io
    from mlworkflow.rows.arrays import Arrays
    from mlworkflow.serving.folder import SAMPLE

    try:
        return dict(Arrays(io.table_of(content)))
    except (OSError, pa.ArrowException) as error:
        raise DamagedBundleError([f"{SAMPLE} is no Parquet file ({first_line(error)})"]) from error


def ranked(profile: Mapping[str, Any]) -> dict[str, float]:
    """Return {column: its share of the importance}, the most important first."""
    weights = profile.get("weights") or {}
    return dict(sorted(((name, weights.get(name, 0.0)) for name in profile["columns"]), key=lambda pair: -pair[1]))


@dataclass
class Watched:
    """The sketches of one window."""

    reference: Reference
    sketch: Sketch
    confidence: Confidence | None
    health: Health

    @classmethod
    def empty(cls, reference: Reference) -> Watched:
        """Return a window without rows."""
        from mlworkflow.measures.expected import Confidence

        confidence = Confidence.empty(len(reference.classes)) if reference.classes else None
        return cls(reference, Sketch.empty(reference.profile, reference.sampled), confidence, Health())

    def add(
        self,
        columns: Columns,
        labels: np.ndarray,
        probabilities: np.ndarray | None,
        ids: Sequence[str],
        impossible: Columns | None = None,
    ) -> None:
        """Add (n,) rows: typed columns, what was said of them, and ids, by which a sample of them is drawn.

        Numbers that cannot be are missing, as they were in the training rows and as the model takes them.
        """
        from mlworkflow.measures.expected import Confidence

        mended = {name: np.where(bad, np.nan, columns[name]) for name, bad in (impossible or {}).items()}
        columns = {**columns, **mended}
        hashes = hashed(ids) if self.reference.sample is not None else None
        self.sketch.add(columns, watched(labels, probabilities, self.reference), hashes, impossible)
        if self.confidence is not None and probabilities is not None:
            whole = np.isfinite(probabilities).all(axis=1) & (labels >= 0)
            self.confidence = self.confidence + Confidence.of(labels[whole], probabilities[whole])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        confidence = None if self.confidence is None else self.confidence.to_dict()
        return {"sketch": self.sketch.to_dict(), "confidence": confidence, "health": self.health.to_dict()}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any], reference: Reference) -> Watched:
        """Return what `to_dict` told, of the same reference."""
        from mlworkflow.measures.expected import Confidence

        made = cls.empty(reference)
        made.sketch.take(told["sketch"])
        made.health = Health.from_dict(told["health"])
        made.confidence = None if told["confidence"] is None else Confidence.from_dict(told["confidence"])
        return made


def watched(labels: np.ndarray, probabilities: np.ndarray | None, reference: Reference) -> np.ndarray | None:
    """Return (n,) what tells drift of predictions: the positive class's probability, the class, the value.

    None for clusters.
    """
    if reference.task == "clustering":
        return None
    if reference.task == "binary" and probabilities is not None:
        return probabilities[:, 1]
    if reference.classes:
        return np.asarray(np.array([*reference.classes, None], dtype="object")[labels])
    return labels


@dataclass(frozen=True)
class Judged:
    """What a window says by itself: numbers, checks that are not decided yet, and what could not be told."""

    numbers: dict[str, Value]
    checks: list[Check]
    notes: list[str]


def judged(window: Watched, scored: Scored | None, settings: Monitor) -> Judged:
    """Return what a window says by itself.

    Args:
        window: its sketches.
        scored: its rows whose outcome is known; None where there are none.
        settings: how far is too far.
    """
    reference, sketch = window.reference, window.sketch
    numbers = spreads.numbers(reference.profile, sketch)
    notes = []
    checks: list[Check] = []
    if sketch.rows >= settings.fewest_rows:
        checks += spreads.checks(reference.profile, sketch, settings)
        found, why = joint.check(reference.sample, sketch.sample, settings, joint.steady(reference.profile))
        if found is not None:
            checks.append(found)
            numbers["joint/auc"] = Value(found.value)
        notes += [why] if why else []
    elif sketch.rows:
        rows = "1 row is" if sketch.rows == 1 else f"{sketch.rows:,} rows are"
        notes.append(f"nothing is said of its columns: {rows} there, {settings.fewest_rows} are needed")
    told = outcomes.judged(reference, window.confidence, scored, settings)
    return Judged({**numbers, **told.numbers}, [*checks, *told.checks], [*notes, *told.notes])
