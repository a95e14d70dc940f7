"""Reads what is new in the log, once: predictions into sketches, outcomes to the predictions that they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.ahead import ahead
from mlworkflow.recording.reading import Outcome, Raw, given, id_of, raw, raw_outcomes, raw_outcomes_of
from mlworkflow.rows.reading import as_word
from mlworkflow.watch.decoding import Decoded, Rows, columns_of, decoded, number, said_of
from mlworkflow.watch.spans import numbers_of, rows_of
from mlworkflow.watch.state import Labelled, State

if TYPE_CHECKING:
    from mlworkflow.core.params import Monitor
    from mlworkflow.monitoring.watched import Reference, Watched
    from mlworkflow.rows.arrays import Columns
    from mlworkflow.runtime.model import Model

CHUNK = 20_000  # predictions a transaction
FUTURE = 3_600.0  # seconds that a clock may be ahead
EARLIEST = -62_000_000_000.0  # seconds since 1970: the year 5


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
        for chunk in ahead(self._decoded(self.state.progress.predictions, last)):
            with self.state.step():
                self._take(chunk)
            tell(chunk.last, last)
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

    def _decoded(self, after: int, last: int) -> Generator[Decoded, None, None]:
        """Yield the predictions of the log above a number and up to another one, decoded."""
        for chunk in raw(self.folder, after, last, CHUNK):
            yield decoded(chunk, self.version, self.model)

    def _take(self, chunk: Decoded) -> None:
        """Take some predictions, and the outcomes that came before them."""
        progress, rows = self.state.progress, chunk.rows
        counts = Counter[str](chunk.counts)
        numbers, placed = self._numbers(rows, progress.rows, counts)
        for window, places in _parts(numbers, placed):
            self._sketch(window, rows.some(places))
        counts["rows asked before an earlier one"] = _backwards(progress.newest, rows.times)
        self.state.progress = replace(
            progress,
            predictions=chunk.last,
            last_id=chunk.ids[-1],
            rows=progress.rows + len(rows),
            newest=max([progress.newest, *rows.times[rows.times <= self.now + FUTURE].tolist()]),
            counts=(progress.counts or Counter()) + counts,
        )
        if early := self.state.come(chunk.ids):
            self._take_outcomes(raw_outcomes_of(self.folder, early))

    def _numbers(self, rows: Rows, before: int, counts: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n,) numbers of the rows' windows, and (n,) whether a row has one: its time may not be known."""
        if (size := rows_of(self.settings.window)) is not None:
            return (before + np.arange(len(rows))) // size, np.ones(len(rows), bool)
        moments = self._moments(rows.times, rows.columns)
        placed, late = self._placed(moments), moments > self.now + FUTURE
        counts["rows from the future"] += int(late.sum())
        counts["rows without a time"] += int((~placed & ~late).sum())
        return numbers_of(self.settings.window, np.where(placed, moments, 0.0)), placed

    def _placed(self, moments: np.ndarray) -> np.ndarray:
        """Return whether each of (n,) moments is one in which rows can have come."""
        return (moments > EARLIEST) & (moments <= self.now + FUTURE)  # NaN is not

    def _moments(self, times: np.ndarray, columns: Columns) -> np.ndarray:
        """Return (n,) when rows were, in seconds since 1970, by the clock that is asked for; NaN: not known."""
        if self.settings.clock == "log":
            return times
        told = columns[self.model.schema.time or ""]
        return np.where(np.isnat(told), np.nan, told.astype("datetime64[us]").astype("int64") / 1e6)

    def _sketch(self, number: int, rows: Rows) -> None:
        """Add rows to the sketches of their window."""
        watched = self._window(number)
        watched.add(
            rows.columns, rows.labels, rows.probabilities, rows.ids.tolist(), self.model.impossible(rows.columns)
        )
        watched.health.add(rows.latencies, rows.times)
        self.state.keep_window(number, int(rows.seqs[0]), watched.to_dict())

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
        placed &= self._fit(rows)
        codes = {str(name): code for code, name in enumerate(self.model.classes)}
        told = self.state.told([outcome.id for outcome, _ in ready])
        labelled: dict[tuple[str, str], Labelled] = {}
        for place, (outcome, row) in enumerate(ready):
            truth, key = truth_of(outcome.outcome, codes), (row.id, row.role)
            known = told.get(key)
            if known is not None and outcome.seq <= known[0]:
                continue
            if truth is None:
                counts["outcomes that cannot be"] += row.role != "shadow"
                continue
            if known is not None:
                counts["outcomes told again" if known[1] == truth else "outcomes that contradict an earlier one"] += 1
            if placed[place]:
                probabilities = None if said is None else said[place]
                window, label = int(numbers[place]), float(labels[place])
                labelled[key] = Labelled(*key, row.version, window, row.seq, outcome.seq, truth, label, probabilities)
                told[key] = outcome.seq, truth
        self.state.label(labelled.values())

    def _fit(self, rows: Sequence[Raw]) -> np.ndarray:
        """Return (n,) whether predictions were counted: not those of another schema, where there are such."""
        counts: Mapping[str, int] = self.state.progress.counts or {}
        fit = np.ones(len(rows), bool)
        if counts.get("rows of another schema"):
            fit[:] = False
            fit[columns_of([row.inputs for row in rows], self.model.fields)[1]] = True
        return fit

    def _numbers_of(self, rows: Sequence[Raw]) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n,) numbers of the windows that predictions were counted in, and (n,) whether they are known."""
        if rows_of(self.settings.window) is not None:
            begun = self.state.windows()
            place = np.searchsorted([*begun.values()], [row.seq for row in rows], side="right") - 1
            return np.array([*begun, 0])[place], place >= 0
        moments = np.full(len(rows), np.nan)
        if self.settings.clock == "log":
            moments = self._moments(np.array([row.time for row in rows], dtype="float64"), {})
        else:
            columns, fit = columns_of([row.inputs for row in rows], self.model.fields)
            moments[fit] = self._moments(np.empty(0), columns)
        placed = self._placed(moments)
        return numbers_of(self.settings.window, np.where(placed, moments, 0.0)), placed


def _parts(numbers: np.ndarray, placed: np.ndarray) -> Iterator[tuple[int, np.ndarray | slice]]:
    """Yield each of (n,) numbers once, with the places of its rows; where they lie in one piece, as a slice."""
    order = np.flatnonzero(placed)
    order = order[np.argsort(numbers[order], kind="stable")]
    found, starts = np.unique(numbers[order], return_index=True)
    for window, places in zip(found.tolist(), np.split(order, starts[1:]), strict=False):
        first, end = int(places[0]), int(places[-1]) + 1
        yield window, slice(first, end) if end - first == len(places) else places


def _backwards(before: float, times: np.ndarray) -> int:
    """Return how many of (n,) times are earlier than the latest before them, by more than a minute."""
    latest = np.maximum.accumulate(np.array([before, *times]))[:-1]
    return int((times < latest - 60.0).sum())


def truth_of(outcome: Any, codes: Mapping[str, int]) -> float | None:
    """Return an outcome as a code or a value, None where it is neither a class nor a finite number.

    `codes`: {class: code}; none for values.
    """
    if not codes:
        value = number(outcome)
        return value if np.isfinite(value) else None
    return codes.get(outcome.strip() if isinstance(outcome, str) else as_word(outcome))
