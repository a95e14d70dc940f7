"""A bundle as MLflow's own loader gives it back: exported, then loaded."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Protocol

import pandas as pd

from mlworkflow.exporting.command import Wanted, export
from tests.conftest import ROOT


class Predicting(Protocol):
    """What `mlflow.pyfunc.load_model` returns."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame: ...


def mlflow_exported(bundle: Path) -> Path:
    """Return the folder of MLflow beside a bundle, made where it is not there; the lock is this repository's."""
    folder = bundle.with_name(f"{bundle.name}.mlflow")
    if not folder.exists():
        with contextlib.chdir(ROOT):
            export(Wanted("mlflow", folder.absolute(), bundle.absolute()))
    return folder


def mlflow_loaded(bundle: Path, backend: str = "auto") -> Predicting:
    """Return a bundle, exported and loaded by MLflow; `predict` takes a table of raw rows and returns one.

    This process has the package already, so it is that one, and not its copy in the folder, that computes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own type hints when it is imported
        import mlflow.pyfunc
    return mlflow.pyfunc.load_model(str(mlflow_exported(bundle)), model_config={"backend": backend})
