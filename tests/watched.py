"""A bundle, and a prediction log written without a server: for the tests of what watches it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlworkflow.core import paths
from mlworkflow.core.params import Monitor
from mlworkflow.core.problem import Value
from mlworkflow.monitoring.watched import reference_of
from mlworkflow.recording.database import Database
from mlworkflow.recording.record import Row
from mlworkflow.runtime.loading import load
from mlworkflow.runtime.model import Model
from mlworkflow.watch.follow import Follower
from mlworkflow.watch.state import State
from tests.test_bundle import customers, make, question

DAY = 86_400.0
START = 1_704_067_200.0  # 2024-01-01, a Monday, UTC
ROWS = 1_500  # that the bundle learns from
FIELDS = ("age", "paid", "plan", "since")


def packaged(folder: Path, *, personal: bool = False, value: dict[str, Any] | None = None) -> Path:
    """Return a bundle about customers, made in a folder; of persons it keeps no rows, and is judged faster."""
    problem = question()
    rights = problem.rights.model_copy(update={"personal_data": personal})
    worth = Value.model_validate(value) if value else None
    with contextlib.chdir(folder):
        make(problem.model_copy(update={"rights": rights, "value": worth}), customers(ROWS))
    return folder / paths.BUNDLE


def asked(count: int, seed: int, **changes: Any) -> list[dict[str, Any]]:
    """Return rows as a server is asked for them: like those that the bundle learnt from, but for changed columns."""
    table = customers(ROWS, seed).sample(count, random_state=seed)
    return [
        {"age": None if age == "?" else float(age), "paid": float(paid), "plan": plan, "since": since, **changes}
        for age, paid, plan, since in table[list(FIELDS)].itertuples(index=False)
    ]


def truths(rows: Sequence[dict[str, Any]], seed: int) -> list[str]:
    """Return the outcomes of rows by the rule of `customers`: the older they are the likelier they leave."""
    noise = np.random.default_rng(seed).normal(0, 5, len(rows))
    return ["yes" if (row["age"] or 49) + more > 50 else "no" for row, more in zip(rows, noise, strict=True)]


@dataclass
class Desk:
    """A log, and who writes it: requests and outcomes at a time that it is told."""

    folder: Path
    model: Model
    version: str = "v1"
    told: int = 0
    ids: list[str] = field(default_factory=list)

    def predict(
        self, rows: Sequence[dict[str, Any]], when: float, *, every: float = 1.0, role: str = "champion",
        ids: Sequence[str] = (), latency: Sequence[float] = (), version: str | None = None,
    ) -> list[str]:  # fmt: skip
        """Write the predictions of rows, one `every` seconds from `when` on; return their ids."""
        ids = list(ids) or [f"id-{self.told + number}" for number in range(len(rows))]
        answers, took = self.model.predict(rows), list(latency) or [1.5] * len(rows)
        said = version or self.version
        written: list[Row] = [
            (id, when + every * number, said, role, None, json.dumps(row), json.dumps(answer), milliseconds)
            for number, (id, row, answer, milliseconds) in enumerate(zip(ids, rows, answers, took, strict=True))
        ]
        self.write(written)
        self.told += len(rows)
        self.ids += ids
        return ids

    def tell(self, ids: Sequence[str], outcomes: Sequence[Any], when: float = START) -> None:
        """Write what became of predictions."""
        self.write(outcomes=[(id, json.dumps(one), when) for id, one in zip(ids, outcomes, strict=True)])

    def count(self, kind: str, number: int, when: float) -> None:
        """Count what left no record."""
        self.write(counts=[(int(when // 60), kind, number)])

    def write(self, predictions: Sequence[Row] = (), outcomes: Sequence[Any] = (), counts: Sequence[Any] = ()) -> None:
        """Write into the log as the server does."""
        database = Database(self.folder)
        database.write(predictions, outcomes, counts)
        database.close()


def desk(folder: Path, bundle: Path) -> Desk:
    """Return who writes a log in a folder with the answers of a bundle."""
    return Desk(folder, load(bundle))


def follower(log: Path, bundle: Path, state: State, now: float, version: str = "v1", **settings: Any) -> Follower:
    """Return what follows a log."""
    model, reference = load(bundle, "none"), reference_of(bundle)
    return Follower(log, model, version, reference, Monitor(name="test", **settings), state, now)
