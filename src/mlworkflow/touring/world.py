"""The company of the tour: what is known of its customers each month, and what comes out a month later.

It is the stream of mlworkflow.churn without drift, until the reasons for leaving turn. Months are numbered from 1; the
first `history` of them are the table that the model is made of, the others are lived through.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.churn import START, stream

if TYPE_CHECKING:
    import pandas as pd

UNSEEN = ["note", "true_probability"]  # notes need a model of words, and no company knows the truth
TARGET = "churned"
BILLING = 7919  # spreads the customers over the days
TOLD = 0.95  # of the outcomes ever come


@dataclass(frozen=True)
class Setting:
    """What happens in the tour.

    Attributes:
        customers: at a time, so the rows of a month.
        history: months before the model is in use.
        months: in use.
        turn: the month in use, from 1, from which on customers leave for other reasons; None: never.
        mishap: the month in use at whose beginning somebody releases a bad model; None: nobody does.
        enough: months with outcomes that an alarm lasts, before another model is tried.
        seed: of everything random.
    """

    customers: int = 1000
    history: int = 12
    months: int = 12
    turn: int | None = 5
    mishap: int | None = 11
    enough: int = 3
    seed: int = 42


class World:
    """The months of a setting."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        turn = None if setting.turn is None else setting.history + setting.turn
        count = setting.history + setting.months
        rows = stream(setting.customers, count, drift=0.0, seed=setting.seed, turn=turn)
        rows = rows.drop(columns=UNSEEN).drop_duplicates(ignore_index=True)
        self._month = rows["month"].astype("str")
        days = rows["customer"] * BILLING % 28  # each customer has a day of the month
        dates = self._month.str[:8] + (days + 1).astype("str").str.zfill(2)
        self._rows = rows.drop(columns="month").assign(date=dates)
        order = dates.argsort(kind="stable")
        self._rows, self._month = self._rows.iloc[order], self._month.iloc[order]

    @property
    def history(self) -> pd.DataFrame:
        """The rows of the months before the model is in use, with what came of them."""
        return self._rows[self._month < self.name(1)]

    def name(self, month: int) -> str:
        """Return the first day of a month in use, as the rows have it: 2024-01-01."""
        return str((START + self.setting.history + month - 1).astype("datetime64[D]"))

    def label(self, month: int) -> str:
        """Return a month in use as people write it: 2024-01."""
        return self.name(month)[:7]

    def requests(self, month: int) -> list[dict[str, Any]]:
        """Return the rows of a month as they are sent: without the outcome, null where nothing is known."""
        rows = self._of(month).drop(columns=TARGET)
        told: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
        return told

    def outcomes(self, month: int) -> list[str | None]:
        """Return what came of each row of a month, None where it is never told."""
        random = np.random.default_rng([self.setting.seed, month])
        known = self._of(month)[TARGET].astype("str")
        return [word if told else None for word, told in zip(known, random.random(len(known)) < TOLD, strict=True)]

    def _of(self, month: int) -> pd.DataFrame:
        return self._rows[self._month == self.name(month)]
