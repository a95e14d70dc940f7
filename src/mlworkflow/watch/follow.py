"""Reads what is new in the log, once: predictions into sketches, outcomes to the predictions that they are of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.recording.reading import Outcome, Raw, newest, newest_outcome, raw, raw_outcomes, raw_outcomes_of
from mlworkflow.rows.reading import as_word
from mlworkflow.runtime.fields import RowsError
from mlworkflow.watch.spans import number_of, rows_of
from mlworkflow.watch.state import Labelled, State

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.monitoring.watched import Reference, Watched
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.runtime.model import Model

CHUNK = 20_000  # predictions a transaction
FUTURE = 3_600.0  # seconds that a clock may be ahead


@dataclass(frozen=True)
class Follower:
    """What follows the log of one version.

    Attributes:
        folder: of the log.
        model: that is watched.
        version: as the log names it.
        reference: what its rows are set against.
        settings: windows, and how far is too far.
        state: what is known so far.
        now: seconds since 1970.
        counts: what the log counts by the minute: (seconds since 1970, kind, number).
    """

    folder: Path
    model: Model
    version: str
    reference: Reference
    settings: Monitor
    state: State
    now: float
    counts: Sequence[tuple[float, str, int]] = ()

    def follow(self, tell: Callable[[int, int], None] = lambda done, all: None) -> None:
        """Read all that is new.

        Raises:
            LogUnreadableError, LogVersionError: the log cannot be opened.
            LogDamagedError: it is damaged further on; what came before is kept.
            StateError: what was read cannot be kept.
        """
        outcomes, last = newest_outcome(self.folder), newest(self.folder)  # in this order: see `_take_outcomes`
        if last < self.state.progress.predictions:
            with self.state.step():
                self.state.forget()
                self.state.keep("replaced", "yes")
        for chunk in raw(self.folder, self.state.progress.predictions, last, CHUNK):
            with self.state.step():
                self._take(chunk)
            tell(chunk[-1].seq, last)
        for told in raw_outcomes(self.folder, self.state.progress.outcomes, outcomes):
            with self.state.step():
                self._take_outcomes(told)
                progress = self.state.progress
                self.state.progress = replace(progress, outcomes=told[-1][0].seq)

    # ---- predictions -------------------------------------------------------------------------------------------------

    def _take(self, chunk: Sequence[Raw]) -> None:
        """Take some predictions, and the outcomes that came before them."""
        progress, counts = self.state.progress, Counter[str]()
        own = [row for row in chunk if row.role == "champion" and row.version == self.version]
        counts["rows of other versions"] = sum(row.role == "champion" for row in chunk) - len(own)
        inputs, columns, ready = self._decoded(own, counts)
        numbers = self._numbers(ready, inputs, progress.rows, counts)
        placed = numbers >= 0
        for number in np.unique(numbers[placed]).tolist():
            self._sketch(number, np.flatnonzero(numbers == number), ready, columns)
        newest_asked = max([progress.newest, *(row.time for row in ready)])
        counts["asked earlier than a row before"] = _backwards(progress.newest, [row.time for row in ready])
        self.state.progress = replace(
            progress, predictions=chunk[-1].seq, rows=progress.rows + len(ready), newest=newest_asked,
            counts=(progress.counts or Counter()) + counts,
        )  # fmt: skip
        if early := self.state.come([row.id for row in chunk]):
            self._take_outcomes(raw_outcomes_of(self.folder, early))

    def _decoded(
        self, own: Sequence[Raw], counts: Counter[str]
    ) -> tuple[Sequence[Mapping[str, Any]], Columns, Sequence[Raw]]:
        """Return (inputs, typed columns, rows of the log) of those that fit the schema; the others are counted."""
        inputs, fields = _objects([row.inputs for row in own]), self.model.fields
        try:
            return inputs, fields.read(inputs), own
        except RowsError:
            bad = fields.unfit(inputs)
            counts["rows of another schema"] += len(bad)
            kept = [place for place in range(len(own)) if place not in bad]
            good = [inputs[place] for place in kept]
            return good, fields.read(good), [own[place] for place in kept]

    def _numbers(
        self, rows: Sequence[Raw], inputs: Sequence[Mapping[str, Any]], before: int, counts: Counter[str]
    ) -> np.ndarray:
        """Return the (n,) numbers of the rows' windows; -1 where the time is not known or has not come yet."""
        if (size := rows_of(self.settings.window)) is not None:
            return (before + np.arange(len(rows))) // size
        moments = [self._moment(row, fields) for row, fields in zip(rows, inputs, strict=True)]
        found = np.array(
            [-1 if one is None else number_of(self.settings.window, one) for one in moments], dtype="int64"
        )
        late = np.array([one is not None and one > self.now + FUTURE for one in moments], dtype=bool)
        late &= self.settings.clock == "log"
        counts["rows from the future"] += int(late.sum())
        counts["rows without a time"] += int((found < 0).sum())
        return np.where(late, -1, found)

    def _moment(self, row: Raw, inputs: Mapping[str, Any]) -> float | None:
        """Return when a row was, in seconds since 1970, by the clock that is asked for."""
        if self.settings.clock == "log":
            return float(row.time)
        name = self.model.schema.time
        told = inputs.get(name) if name else None
        if told is None:
            return None
        moment = np.datetime64(str(told)[:26], "us")
        return None if np.isnat(moment) else float(moment.astype("int64") / 1e6)

    def _sketch(self, number: int, places: np.ndarray, rows: Sequence[Raw], typed: Columns) -> None:
        """Add rows to the sketches of their window."""
        some = [rows[place] for place in places]
        watched = self._window(number)
        columns = {name: values[places] for name, values in typed.items()}
        said = self._said(_objects([row.output for row in some]))
        times, latencies = np.array([row.time for row in some]), np.array([row.latency_ms for row in some])
        watched.add(columns, *said, [row.id for row in some], self.model.impossible(columns))
        watched.health.add(latencies, times)
        self.state.keep_window(number, some[0].seq, watched.to_dict())

    def _window(self, number: int) -> Watched:
        from mlworkflow.monitoring.watched import Watched

        known = self.state.window(number)
        return Watched.empty(self.reference) if known is None else Watched.from_dict(known, self.reference)

    def _said(self, outputs: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the (n,) labels (codes or values) and the (n, K) probabilities of answers."""
        return said_of(outputs, self.model.classes)

    # ---- outcomes ----------------------------------------------------------------------------------------------------

    def _take_outcomes(self, told: Iterable[tuple[Outcome, Sequence[Raw]]]) -> None:
        """Take outcomes; one whose prediction was not read yet waits for it.

        It is asked how far outcomes go before it is asked how far predictions go; still an outcome may be visible
        before its prediction, which another process writes.
        """
        counts, progress = Counter[str](), self.state.progress
        for outcome, rows in told:
            if not rows or any(row.seq > progress.predictions for row in rows):
                self.state.wait_for(outcome.id)
                continue
            self._label(outcome, rows, counts)
        self.state.progress = replace(self.state.progress, counts=(progress.counts or Counter()) + counts)

    def _label(self, outcome: Outcome, rows: Sequence[Raw], counts: Counter[str]) -> None:
        """Give an outcome to each prediction of its id."""
        truth = truth_of(outcome.outcome, self.model.classes)
        if truth is None:
            counts["outcomes that cannot be"] += 1
            return
        for row in rows:
            known = self.state.told_of(outcome.id, row.role)
            if known is not None and outcome.seq <= known[0]:
                continue
            if known is not None:
                counts["outcomes told again" if known[1] == truth else "outcomes that contradict an earlier one"] += 1
            labels, probabilities = self._said([json.loads(row.output)])
            number = self._number_of(row)
            if number is not None:
                said = None if probabilities is None else probabilities[0]
                one = Labelled(
                    outcome.id, row.role, row.version, number, row.seq, outcome.seq, truth, float(labels[0]), said
                )
                self.state.label(one)

    def _number_of(self, row: Raw) -> int | None:
        """Return the number of the window that a prediction was counted in."""
        if rows_of(self.settings.window) is not None:
            begun = [number for number, first in self.state.windows().items() if first <= row.seq]
            return begun[-1] if begun else None
        moment = self._moment(row, json.loads(row.inputs))
        return None if moment is None else number_of(self.settings.window, moment)


def _objects(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the objects of JSON texts, all at once."""
    import msgspec

    found: list[dict[str, Any]] = msgspec.json.decode(f"[{','.join(texts)}]")
    return found


def _backwards(before: float, times: Sequence[float]) -> int:
    """Return how many of the times are earlier than the latest before them, by more than a minute."""
    if not times:
        return 0
    latest = np.maximum.accumulate([before, *times])[:-1]
    return int((np.array(times) < latest - 60.0).sum())


def said_of(outputs: Sequence[Mapping[str, Any]], classes: Sequence[Any]) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the (n,) labels (codes, or values) and the (n, K) probabilities of answers; NaN where there are none."""
    if not classes:
        return np.array([_number(one.get("prediction")) for one in outputs], dtype="float64"), None
    names = [str(name) for name in classes]
    codes = {name: code for code, name in enumerate(names)}
    labels = np.array([codes.get(str(one.get("prediction")), -1) for one in outputs], dtype="int64")
    lines = [[(one.get("probabilities") or {}).get(name) for name in names] for one in outputs]
    return labels, np.array(lines, dtype="float64").reshape(len(outputs), len(names))


def truth_of(outcome: Any, classes: Sequence[Any]) -> float | None:
    """Return an outcome as a code or a value, None where it is neither a class nor a finite number."""
    if not classes:
        value = _number(outcome)
        return value if np.isfinite(value) else None
    codes = {str(name): code for code, name in enumerate(classes)}
    word = outcome.strip() if isinstance(outcome, str) else as_word(outcome)
    return codes.get(word)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
