"""Reads what is new in the log, once: predictions into sketches, outcomes to the predictions that they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.recording.reading import Outcome, Raw, given, id_of, raw, raw_outcomes, raw_outcomes_of
from mlworkflow.rows.reading import as_word
from mlworkflow.watch.decoding import columns_of, number, said_of
from mlworkflow.watch.spans import numbers_of, rows_of
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
        outcomes, last = given(self.folder)
        if self._is_another(last):
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

    def _is_another(self, last: int) -> bool:
        """Return whether the log is another than the one that was read; a log that is gone may come back."""
        progress = self.state.progress
        if not last or not progress.predictions:
            return False
        found = id_of(self.folder, progress.predictions)
        return last < progress.predictions or (found is not None and found != progress.last_id)

    # ---- predictions -------------------------------------------------------------------------------------------------

    def _take(self, chunk: Sequence[Raw]) -> None:
        """Take some predictions, and the outcomes that came before them."""
        progress, counts = self.state.progress, Counter[str]()
        own = [row for row in chunk if row.role == "champion" and row.version == self.version]
        counts["rows of other versions"] = sum(row.role == "champion" for row in chunk) - len(own)
        columns, fit = columns_of([row.inputs for row in own], self.model.fields)
        counts["rows of another schema"] = len(own) - len(fit)
        ready = [own[place] for place in fit]
        numbers, placed = self._numbers(ready, columns, progress.rows, counts)
        for window in np.unique(numbers[placed]).tolist():
            self._sketch(window, np.flatnonzero(placed & (numbers == window)), ready, columns)
        times = np.array([row.time for row in ready])
        counts["rows asked before an earlier one"] = _backwards(progress.newest, times)
        self.state.progress = replace(
            progress,
            predictions=chunk[-1].seq,
            last_id=chunk[-1].id,
            rows=progress.rows + len(ready),
            newest=max([progress.newest, *times[times <= self.now + FUTURE]]),
            counts=(progress.counts or Counter()) + counts,
        )
        if early := self.state.come([row.id for row in chunk]):
            self._take_outcomes(raw_outcomes_of(self.folder, early))

    def _numbers(
        self, rows: Sequence[Raw], columns: Columns, before: int, counts: Counter[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n,) numbers of the rows' windows, and (n,) whether a row has one: its time may not be known."""
        if (size := rows_of(self.settings.window)) is not None:
            return (before + np.arange(len(rows))) // size, np.ones(len(rows), bool)
        moments = self._moments(rows, columns)
        known = np.isfinite(moments)
        late = known & (moments > self.now + FUTURE) & (self.settings.clock == "log")
        counts["rows from the future"] += int(late.sum())
        counts["rows without a time"] += int((~known).sum())
        return numbers_of(self.settings.window, np.where(known, moments, 0.0)), known & ~late

    def _moments(self, rows: Sequence[Raw], columns: Columns) -> np.ndarray:
        """Return (n,) when rows were, in seconds since 1970, by the clock that is asked for; NaN: not known."""
        if self.settings.clock == "log":
            return np.array([row.time for row in rows], dtype="float64")
        told = columns[self.model.schema.time or ""]
        return np.where(np.isnat(told), np.nan, told.astype("datetime64[us]").astype("int64") / 1e6)

    def _sketch(self, number: int, places: np.ndarray, rows: Sequence[Raw], columns: Columns) -> None:
        """Add rows to the sketches of their window."""
        some = [rows[place] for place in places]
        if len(some) < len(rows):
            columns = {name: values[places] for name, values in columns.items()}
        watched = self._window(number)
        said = said_of([row.output for row in some], self.model.classes)
        times, latencies = np.array([row.time for row in some]), np.array([row.latency_ms for row in some])
        watched.add(columns, *said, [row.id for row in some], self.model.impossible(columns))
        watched.health.add(latencies, times)
        self.state.keep_window(number, some[0].seq, watched.to_dict())

    def _window(self, number: int) -> Watched:
        from mlworkflow.monitoring.watched import Watched

        known = self.state.window(number)
        return Watched.empty(self.reference) if known is None else Watched.from_dict(known, self.reference)

    # ---- outcomes ----------------------------------------------------------------------------------------------------

    def _take_outcomes(self, told: Iterable[tuple[Outcome, Sequence[Raw]]]) -> None:
        """Take outcomes; one whose prediction was not read yet waits for it.

        It is asked how far outcomes go before it is asked how far predictions go; still an outcome may be visible
        before its prediction, which another process writes.
        """
        counts, progress = Counter[str](), self.state.progress
        ready: list[tuple[Outcome, Raw]] = []
        for outcome, rows in told:
            if not rows or any(row.seq > progress.predictions for row in rows):
                self.state.wait_for(outcome.id)
            else:
                ready += [(outcome, row) for row in rows]
        self._label(ready, counts)
        self.state.progress = replace(self.state.progress, counts=(progress.counts or Counter()) + counts)

    def _label(self, ready: Sequence[tuple[Outcome, Raw]], counts: Counter[str]) -> None:
        """Give outcomes to predictions, in the order in which they were told."""
        rows = [row for _, row in ready]
        labels, said = said_of([row.output for row in rows], self.model.classes)
        numbers, placed = self._numbers_of(rows)
        for place, (outcome, row) in enumerate(ready):
            truth = truth_of(outcome.outcome, self.model.classes)
            known = self.state.told_of(outcome.id, row.role)
            if known is not None and outcome.seq <= known[0]:
                continue
            if truth is None:
                counts["outcomes that cannot be"] += row.role != "shadow"
                continue
            if known is not None:
                counts["outcomes told again" if known[1] == truth else "outcomes that contradict an earlier one"] += 1
            if placed[place]:
                probabilities = None if said is None else said[place]
                number, label = int(numbers[place]), float(labels[place])
                self.state.label(
                    Labelled(row.id, row.role, row.version, number, row.seq, outcome.seq, truth, label, probabilities)
                )

    def _numbers_of(self, rows: Sequence[Raw]) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n,) numbers of the windows that predictions were counted in, and (n,) whether they are known."""
        if rows_of(self.settings.window) is not None:
            begun = self.state.windows()
            place = np.searchsorted([*begun.values()], [row.seq for row in rows], side="right") - 1
            return np.array([*begun, 0])[place], place >= 0
        moments = np.full(len(rows), np.nan)
        if self.settings.clock == "log":
            moments = self._moments(rows, {})
        else:
            columns, fit = columns_of([row.inputs for row in rows], self.model.fields)
            moments[fit] = self._moments(rows, columns)
        known = np.isfinite(moments)
        return numbers_of(self.settings.window, np.where(known, moments, 0.0)), known


def _backwards(before: float, times: np.ndarray) -> int:
    """Return how many of (n,) times are earlier than the latest before them, by more than a minute."""
    latest = np.maximum.accumulate(np.array([before, *times]))[:-1]
    return int((times < latest - 60.0).sum())


def truth_of(outcome: Any, classes: Sequence[Any]) -> float | None:
    """Return an outcome as a code or a value, None where it is neither a class nor a finite number."""
    if not classes:
        value = number(outcome)
        return value if np.isfinite(value) else None
    codes = {str(name): code for code, name in enumerate(classes)}
    word = outcome.strip() if isinstance(outcome, str) else as_word(outcome)
    return codes.get(word)
