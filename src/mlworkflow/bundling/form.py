"""The ONNX form of a pipeline: kept only where it says what the pipeline says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mlworkflow.features import Feature, row_wise
from mlworkflow.learning import modelfile
from mlworkflow.onnxfile import hard
from mlworkflow.onnxfile.graph import NotConvertibleError
from mlworkflow.onnxfile.models import converted
from mlworkflow.onnxfile.parity import TOLERANCE, compared
from mlworkflow.rows import past
from mlworkflow.rows.arrays import Columns
from mlworkflow.rows.possible import LARGEST, Ranges
from mlworkflow.rows.schema import Schema
from mlworkflow.runtime.loading import fields
from mlworkflow.runtime.session import Session
from mlworkflow.serving.pipeline import with_pipeline

FAR = 1e6  # farther from every centre, the nearest one is a matter of rounding


@dataclass(frozen=True)
class Shape:
    """What rows are: raw and wide columns, features, possible values, how the training rows were spread."""

    schema: Schema
    wide: Schema
    features: Sequence[Feature]
    ranges: Ranges
    profile: dict[str, Any]

    def hard_rows(self) -> Columns:
        """Return wide columns of made-up hard rows; what looks back is missing in them."""
        largest = FAR if self.schema.task == "clustering" else LARGEST
        raw = hard.rows(fields(self.schema, self.wide, self.features, self.profile), largest)
        count = len(next(iter(raw.values())))
        back = {one.name: hard.missing(count) for one in past.looking_back(self.features)}
        return {**raw, **row_wise(raw, self.features), **back}


def onnx(content: bytes, shape: Shape, test_rows: Iterable[Columns]) -> tuple[bytes | None, dict[str, Any]]:
    """Return (the ONNX file of a model file, what is known of it), or (None, {"left_out": why}).

    Args:
        content: the pipeline as skops bytes.
        shape: what rows are.
        test_rows: wide columns, in batches.
    """
    fitted, wide = modelfile.loads(content), shape.wide
    try:
        made = converted(fitted, len(wide.classes))
    except NotConvertibleError as error:
        return None, {"left_out": str(error)}
    session, pipeline = Session(made), with_pipeline(fitted, wide)
    tested = compared(pipeline, session, test_rows)
    hardest = compared(pipeline, session, [shape.hard_rows()])
    difference = max(tested.difference, hardest.difference)
    if difference > TOLERANCE:
        where = "test rows" if tested.difference > TOLERANCE else "made-up hard rows"
        why = f"on {where} it was apart from the pipeline by {difference:.2g}, more than {TOLERANCE:g}"
        return None, {"left_out": why}
    known = {"difference": difference, "tolerance": TOLERANCE, "rows": tested.rows, "hard_rows": hardest.rows}
    return made, {**known, "inputs": session.inputs, "output": session.output}
