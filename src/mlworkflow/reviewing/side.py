"""One side of a review: the parameters, metrics and predictions of a revision."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from mlworkflow.core import io, paths
from mlworkflow.core.problem import Problem
from mlworkflow.judging.predicted import inputs_of
from mlworkflow.reviewing import stale
from mlworkflow.reviewing.files import Files
from mlworkflow.reviewing.revisions import ReviewError
from mlworkflow.rows.schema import Schema

if TYPE_CHECKING:
    from pathlib import Path

MOST = 6
STALE = "Type `mlworkflow compose && dvc repro` first: a review tells of results, and these are of another state."


@dataclass(frozen=True)
class Side:
    """What a revision left.

    Attributes:
        files: where the rest of it is.
        params: params.yaml.
        problem: its question.
        tested: {metric: value on the test rows}.
        schema: of the features.
        predictions: of the test rows.
        refits: the same of models fitted without parts of the training rows; None where the revision has none.
    """

    files: Files
    params: dict[str, Any]
    problem: Problem
    tested: dict[str, float | None]
    schema: Schema
    predictions: pd.DataFrame
    refits: pd.DataFrame | None

    @property
    def words(self) -> str:
        """What it is called."""
        return self.files.revision.words

    @property
    def inputs(self) -> int:
        """How many columns its model takes."""
        return inputs_of(self.schema)

    def findings(self) -> dict[str, Any]:
        """Return evaluation/findings.json."""
        found: dict[str, Any] = json.loads(self.files.output(paths.FINDINGS))
        return found

    def rows(self) -> pd.DataFrame:
        """Return the test rows with their features, in the order of the predictions."""
        return io.table_of(self.files.output(paths.TEST))


def side(files: Files) -> Side:
    """Return what the revision left.

    Raises:
        ReviewError: it has no finished run, its predictions are not to be had, or the workspace was changed since.
    """
    params = _yaml(files, paths.PARAMS)
    if "evaluate" not in files.stages:
        raise ReviewError(f"{files.revision.words} has no stage evaluate in its dvc.lock", "Type `dvc repro` there.")
    if files.workspace and (changed := _changed(files, params)):
        raise ReviewError(f"the workspace changed since its last run: {', '.join(changed)}", STALE)
    refits = io.table_of(files.output(paths.REFITS)) if files.has(paths.REFITS) else None
    return Side(
        files,
        params,
        Problem.model_validate(params["problem"]),
        _json(files, paths.TEST_METRICS),
        Schema.from_dict(json.loads(files.output(paths.FEATURES))),
        io.table_of(files.output(paths.PREDICTIONS)),
        refits if refits is not None and len(refits) else None,
    )


def _changed(files: Files, params: dict[str, Any]) -> list[str]:
    told = stale.not_run(files.root, files.stages) + stale.changed_params(params, files.stages)
    told += stale.changed_files(files.root, files.stages)
    return [*told[:MOST], f"{len(told) - MOST} more"] if len(told) > MOST else told


def _yaml(files: Files, path: Path) -> dict[str, Any]:
    content = files.tracked(path)
    try:
        found = yaml.load(content, yaml.CSafeLoader) if content else None
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict) or "problem" not in found:
        raise ReviewError(f"{files.revision.words} has no {path} with a problem", "Type `mlworkflow compose` there.")
    return found


def _json(files: Files, path: Path) -> dict[str, Any]:
    content = files.tracked(path)
    if content is None:
        raise ReviewError(f"{files.revision.words} has no {path}", "Type `dvc repro` there, and commit.")
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ReviewError(
            f"{path} of {files.revision.words} is no JSON", "Type `dvc repro` there, and commit."
        ) from error
    if not isinstance(found, dict):
        raise ReviewError(f"{path} of {files.revision.words} holds no keys", "Type `dvc repro` there, and commit.")
    return found
