"""What a row must have, and rows of plain Python values made typed columns; every mistake told at once.

The rules are those of rows/cast.py for values that know their type: a number is no word that looks like one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import ProjectError, listed, nearest
from mlworkflow.rows.arrays import Columns
from mlworkflow.rows.reading import as_word, same_spelling

if TYPE_CHECKING:
    from mlworkflow.core.problem import Kind
    from mlworkflow.rows.schema import Column, Schema

MOST_TOLD = 50  # mistakes in one error
LONGEST = 80  # characters of a value that is shown
FEW = 8  # rows, below which each is looked at by itself
MOST_NAMES = 200  # of a row, among which the nearest to a missing one is looked for
MISSING, UNKNOWN = "must be there (null: not known)", "must be a field of the model"


@dataclass(frozen=True)
class Field:
    """One value that a row has.

    required: a row must have it, if only as null; others are taken where they are there.
    categories: the words of training, where they are few enough to be kept.
    low, high: of the training rows.
    usual: the middle or the most frequent value of the training rows; None where it is not known.
    """

    name: str
    kind: Kind
    required: bool = True
    categories: list[str] = field(default_factory=list)
    low: float | None = None
    high: float | None = None
    usual: Any = None


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a row: its number from 0, the field (None: the row as a whole), the rule, what was found.

    Of a field that is missing or unknown the value is None, and `hint` names the nearest.
    """

    row: int
    field: str | None
    rule: str
    value: Any = None
    hint: str = ""

    def __str__(self) -> str:
        """Return it in one line."""
        place = f"row {self.row + 1}" + (f", {self.field!r}" if self.field is not None else "")
        if self.value is None:
            return f"{place}: {self.rule}{self.hint}"
        shown = repr(self.value) if isinstance(self.value, str) else str(self.value)
        return f"{place}: {self.rule}, but is {shown[:LONGEST]}{'...' if len(shown) > LONGEST else ''}"


class RowsError(ProjectError):
    """Rows cannot be read; `mistakes` holds what is wrong, at most MOST_TOLD; `more` how many are not told."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes, self.more = list(mistakes[:MOST_TOLD]), max(len(mistakes) - MOST_TOLD, 0)
        more = [f"and {self.more} more"] if self.more else []
        super().__init__(
            f"every row must fit the schema of the bundle, but:\n{listed([*map(str, self.mistakes), *more])}\n"
            "Mend the rows; null stands for a value that is not known."
        )


class Fields:
    """The fields of a bundle, and how their values are read."""

    def __init__(self, fields: Sequence[Field], schema: Schema) -> None:
        self.all = list(fields)
        self.names = [one.name for one in fields]
        self._numbers = [one.name for one in fields if one.kind == "number"]
        self._others = [one for one in fields if one.kind != "number"]
        self._required = [one.name for one in fields if one.required]
        self._known = frozenset(self.names) | {column.name for column in schema.columns}
        self._columns = {column.name: column for column in schema.columns}
        self._blanks = frozenset(schema.blanks)
        self._spelling = {name: _spelling(self._columns[name]) for name in self.names}

    def otherwise(self, others: Fields) -> list[tuple[str, Kind, Kind]]:
        """Return (name, kind here, kind there) of the fields that `others` reads another way."""
        kinds = {one.name: one.kind for one in others.all}
        return [(one.name, one.kind, kinds[one.name]) for one in self.all if kinds.get(one.name, one.kind) != one.kind]

    def read(self, rows: Sequence[Mapping[str, Any]]) -> Columns:
        """Return the typed (n,) columns of rows: {field: value}, null or absent where it is not known.

        Raises:
            RowsError: fields are missing or unknown, or values are of another kind; all of them.
        """
        if (columns := self._sound(rows)) is not None:
            return self.typed(columns)
        mistakes = [mistake for number, row in enumerate(rows) for mistake in self._mistakes(number, row)]
        if mistakes:
            raise RowsError([self._hinted(one, rows) for one in mistakes[:MOST_TOLD]] + mistakes[MOST_TOLD:])
        return self.typed({name: [row.get(name) for row in rows] for name in self.names})

    def _sound(self, rows: Sequence[Any]) -> dict[str, list[Any]] | None:
        """Return the values of each field where a look at whole columns finds nothing wrong; None: look at each row.

        It says so of sound rows as well, where they are few or of different keys. Many times as fast as a look at rows.
        """
        if len(rows) < FEW or {*map(type, rows)} != {dict}:
            return None
        keys = rows[0].keys()
        if not (keys <= self._known and keys >= {*self._required}) or any(row.keys() != keys for row in rows):
            return None
        columns = {name: [row.get(name) for row in rows] for name in self.names}
        return columns if all(self._is_sound(one, columns[one.name]) for one in self.all) else None

    def _is_sound(self, one: Field, values: Sequence[Any]) -> bool:
        """Return whether values of the plainest types are sound."""
        kinds = {*map(type, values)} - {type(None)}
        if one.kind == "number":
            return kinds <= {int, float} and _are_finite(values)
        return kinds <= {str} and not any(self._broken(one, value) for value in {*values} - {None})

    def typed(self, values: Mapping[str, Sequence[Any]]) -> Columns:
        """Return the (n,) columns of lists of values that are of the right kinds."""
        numbers = np.array([values[name] for name in self._numbers], dtype="float64")  # None becomes NaN
        made = dict(zip(self._numbers, numbers, strict=True))
        return made | {one.name: self._typed(one, values[one.name]) for one in self._others}

    def column(self, name: str, values: Sequence[Any]) -> np.ndarray:
        """Return the (n,) values of a field that is no number, typed."""
        return next(self._typed(one, values) for one in self._others if one.name == name)

    def fits(self, row: Any) -> bool:
        """Return whether a row has no mistake."""
        return next(iter(self._mistakes(0, row)), None) is None

    def _typed(self, one: Field, values: Sequence[Any]) -> np.ndarray:
        if one.kind == "time":
            form = self._columns[one.name].dates
            dates = [None if self._is_blank(value) else _date(value, form) for value in values]
            return np.array(dates, dtype="datetime64[us]")
        known = {value: self._word(one.name, value) for value in {each for each in values if type(each) is str}}
        words = [
            known[value] if type(value) is str else None if value is None else self._word(one.name, value)
            for value in values
        ]
        return np.array([*words, 0], dtype="object")[:-1]  # of words alone, NumPy would make no objects

    def _word(self, name: str, value: Any) -> str | None:
        word = value.strip() if isinstance(value, str) else as_word(value)
        if word in self._blanks:
            return None
        spelling = self._spelling[name]
        return spelling.get(same_spelling(word), word) if spelling else word

    def _is_blank(self, value: Any) -> bool:
        return value is None or as_word(value) in self._blanks

    def _mistakes(self, number: int, row: Any) -> Iterable[Mistake]:
        if not isinstance(row, Mapping):
            yield Mistake(number, None, "must be an object of fields and values", row)
            return
        for name in self._required:
            if name not in row:
                yield Mistake(number, name, MISSING)
        for name in row:
            if name not in self._known:
                yield Mistake(number, str(name), UNKNOWN)
        for one in self.all:
            if (value := row.get(one.name)) is not None and (rule := self._broken(one, value)):
                yield Mistake(number, one.name, rule, value)

    def _hinted(self, one: Mistake, rows: Sequence[Any]) -> Mistake:
        """Return a mistake with the nearest name, where a name is wrong; looked for among short names, and not many."""
        if one.rule not in (MISSING, UNKNOWN) or one.field is None or len(one.field) > LONGEST:
            return one
        known = self.names if one.rule == UNKNOWN else islice(rows[one.row], MOST_NAMES)
        return replace(one, hint=nearest(one.field, (str(name)[:LONGEST] for name in known)))

    def _broken(self, one: Field, value: Any) -> str | None:
        """Return the rule that a value breaks."""
        if one.kind == "number":
            return None if _is_number(value) else "must be a finite number"
        if one.kind == "time":
            return self._broken_date(one, value)
        if one.kind == "text" and not isinstance(value, str):
            return "must be a text"
        return None if isinstance(value, str | int | float | np.generic) and _is_sound(value) else "must be a word"

    def _broken_date(self, one: Field, value: Any) -> str | None:
        form = self._columns[one.name].dates
        if isinstance(value, str) and self._is_blank(value):
            return None
        try:
            _date(value, form)
        except (TypeError, ValueError, OverflowError):
            return f"must be a date written as {form or '2024-01-31 or 2024-01-31T13:05:00'}"
        return None


def _spelling(column: Column) -> dict[str, str]:
    """Return {spelling without case and spaces: the word}, as rows/reading.py has it."""
    known = {same_spelling(word): word for word in column.spelling.values()}
    return known | {same_spelling(old): new for old, new in column.spelling.items()}


def _are_finite(values: Iterable[int | float | None]) -> bool:
    try:
        return all(map(math.isfinite, filter(None, values)))
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _is_sound(value: Any) -> bool:
    """Return whether a word can be kept: a finite number, or a string without halves of characters."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
    return math.isfinite(value)


def _date(value: Any, form: str | None) -> np.datetime64:
    """Return a date as datetime64[us], in UTC where a zone is told.

    Raises:
        ValueError, TypeError: it is none.
    """
    told = value.astype("datetime64[us]").item() if isinstance(value, np.datetime64) else value
    if not isinstance(told, datetime | str):
        raise TypeError
    if isinstance(told, str):
        told = datetime.strptime(value.strip(), form) if form else datetime.fromisoformat(value.strip())
    if told.tzinfo is not None:
        told = told.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(told, "us")
