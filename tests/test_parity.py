"""The same rows give the same answer at every door: in memory, batch, API, protocol, embedded, exported to MLflow.

For every embedded problem and every model of the shelf: to the last bit on one backend, within what the manifest allows
across backends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bench.bundles import packed

from mlworkflow.api.front import Front
from mlworkflow.api.keys import Keys
from mlworkflow.api.served import Served
from mlworkflow.api.service import Service
from mlworkflow.api.settings import Settings
from mlworkflow.api.shape import Shape
from mlworkflow.batch.command import Wanted, predict
from mlworkflow.config import conf
from mlworkflow.core.problem import Problem
from mlworkflow.learning.models import inputs, probabilities
from mlworkflow.rows.cast import cast
from mlworkflow.runtime import load
from mlworkflow.runtime.model import Model
from mlworkflow.stages.collect import collect
from tests.conftest import ROOT
from tests.mlflow_door import mlflow_loaded
from tests.test_models import CLAIMS
from tests.test_shelf import small

PROBLEMS = sorted(path.stem for path in (ROOT / "conf/problem").glob("*.yaml"))
ROWS, ASKED = 140, 40
FEWER = {"churn": ["problem.source.customers=40", "problem.source.months=6"]}


@cache
def asked(name: str) -> tuple[Problem, pd.DataFrame]:
    """Return the problem and some of its raw rows."""
    with contextlib.chdir(ROOT):
        problem = Problem.model_validate(conf.compose([f"problem={name}", *FEWER.get(name, [])])["problem"])
        table = collect(problem)
    return problem, table.sample(min(ROWS, len(table)), random_state=0).reset_index(drop=True)


CASES = [(problem, model) for problem in PROBLEMS for model, task in CLAIMS if task == asked(problem)[0].task]


def rows_of(model: Model, raw: pd.DataFrame) -> list[dict]:
    """Return raw rows as JSON has them: values of their kinds, null where missing."""
    typed = cast(raw, model.schema, only=[one.name for one in model.fields.all if one.required])
    plain = typed.astype("object").where(typed.notna(), None)
    dates = [name for name in typed if typed[name].dtype.kind == "M"]
    spelt = {name: [None if date is None else date.isoformat() for date in plain[name]] for name in dates}
    return plain.assign(**{name: pd.Series(words, dtype="object") for name, words in spelt.items()}).to_dict("records")


class Doors:
    """What each door says of some rows: a (n, K) or (n,) of numbers."""

    def __init__(self, folder: Path, backend: str, raw: pd.DataFrame) -> None:
        self.model = load(folder / "bundle", backend)
        self.rows, self.raw = rows_of(self.model, raw), raw
        self.folder, self.backend = folder, backend

    def batch(self) -> np.ndarray:
        self.raw.to_parquet(self.folder / "rows.parquet")
        out = self.folder / f"{self.backend}.parquet"
        predict(
            Wanted(str(self.folder / "rows.parquet"), out, self.folder / "bundle", backend=self.backend),
            say=lambda line: None,
        )
        return self._of_table(pd.read_parquet(out))

    def exported_to_mlflow(self) -> np.ndarray:
        return self._of_table(mlflow_loaded(self.folder / "bundle", self.backend).predict(self.raw))

    def embedded(self) -> np.ndarray:
        return self._numbers(self.model.predict(self.rows))

    def api(self) -> np.ndarray:
        return self._numbers(self._post("/predict", self.rows)["predictions"])

    def protocol(self) -> np.ndarray:
        kinds = {one.name: one.kind for one in self.model.fields.all}
        tensors = [
            {
                "name": name,
                "shape": [len(self.rows)],
                "datatype": "FP64" if kinds[name] == "number" else "BYTES",
                "data": [row[name] for row in self.rows],
            }
            for name in self.rows[0]
        ]
        outputs = self._post(f"/v2/models/{self.model.name}/infer", {"inputs": tensors})["outputs"]
        found = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in outputs}
        return found["probabilities" if self.model.classes else "prediction"]

    def _of_table(self, said: pd.DataFrame) -> np.ndarray:
        names = [f"probability_{name}" for name in self.model.classes]
        return said[names].to_numpy() if names else said["prediction"].to_numpy()

    def _numbers(self, answers: list[dict]) -> np.ndarray:
        if self.model.classes:
            return np.array([list(one["probabilities"].values()) for one in answers])
        return np.array([one["prediction"] for one in answers])

    def _post(self, path: str, body: object) -> dict:
        """Ask the API in this process."""
        content, sent = json.dumps(body).encode(), []
        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "path": path, "method": "POST", "query_string": b"", "headers": headers}

        async def receive() -> dict:
            return {"type": "http.request", "body": content}

        async def send(message: dict) -> None:
            sent.append(message)

        async def ask() -> None:
            service = Service(Settings(Path(), log="off"), Served(self.model, "v1", Shape(self.model, 1000)))
            await Front(service, None, Keys(None))(scope, receive, send)
            await service.close()

        asyncio.run(ask())
        assert sent[0]["status"] == 200, sent[1]["body"]
        return json.loads(sent[1]["body"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # models are grown less far than they want
@pytest.mark.parametrize(("name", "model"), CASES)
def test_every_door_gives_the_same_answer(name, model, tmp_path):
    problem, raw = asked(name)
    fitted, test, wide = packed(tmp_path / "bundle", problem, small(model, problem.task), raw)
    few = raw.head(ASKED)
    doors = {backend: Doors(tmp_path, backend, few) for backend in backends(tmp_path / "bundle")}
    said = {backend: each.embedded() for backend, each in doors.items()}
    for backend, each in doors.items():
        for door in (each.batch, each.api, each.protocol, each.exported_to_mlflow):
            np.testing.assert_array_equal(door(), said[backend], err_msg=f"{backend}, {door.__name__}")
    model_here = doors["skops"].model
    memory = inputs(pd.DataFrame(dict(model_here.wider(model_here.fields.read(doors["skops"].rows)))), wide)
    np.testing.assert_array_equal(
        probabilities(fitted, memory) if wide.classes else fitted.predict(memory), said["skops"], err_msg="in memory"
    )
    if "onnx" in said:
        allowed = model_here.manifest["onnx"]["tolerance"]
        np.testing.assert_allclose(said["onnx"], said["skops"], rtol=allowed, atol=allowed)
    assert len(test)


def backends(folder: Path) -> list[str]:
    """Return the backends of a bundle, after a look at why one is not there."""
    proof = load(folder).manifest["onnx"]
    if "left_out" not in proof:
        return ["skops", "onnx"]
    assert any(word in proof["left_out"] for word in ("texts", "neighbours", "hash")), proof
    return ["skops"]


def test_a_door_that_skips_a_feature_is_found(tmp_path, monkeypatch):
    problem, raw = asked("breast_cancer")
    ratio = {"_target_": "mlworkflow.features.Ratio", "over": "mean area", "under": "mean radius"}
    problem = Problem.model_validate({**problem.model_dump(by_alias=True), "features": [ratio]})
    packed(tmp_path / "bundle", problem, small("logistic", "binary"), raw)
    doors = Doors(tmp_path, "onnx", raw.head(ASKED))
    before = doors.api()
    np.testing.assert_array_equal(before, doors.embedded())
    skipped = lambda columns, features: {"mean area / mean radius": np.full(len(columns["mean area"]), np.nan)}  # noqa: E731
    monkeypatch.setattr("mlworkflow.runtime.model.row_wise", skipped)
    assert not np.array_equal(doors.api(), before)
