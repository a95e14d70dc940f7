"""What a column is, judged by all its values, batch after batch; the size of a batch changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.rows.reading import MARKS, SIGNS, dates, fit, numbers, plain_numbers, words

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Kind

DATE = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"
LONG, SPACED, MANY, FEW = 20, 3, 100, 20  # mean letters, mean spaces, and words of their own that make a text
GLANCE = 100


def _are_dates(found: pd.Series) -> bool:
    return bool(fit(found, DATE).all() and dates(found).notna().all())


class Evidence:
    """What the values of one column were so far, and what they can all be read as."""

    def __init__(self, blanks: Sequence[str]) -> None:
        self.blanks = blanks
        self.native: set[Kind] = set()  # what the dtypes say by themselves
        self.known = self.letters = self.spaces = 0
        self.number = self.date = True
        self.signs: set[str] = set()
        self.parted = self.unparted = False  # thousands: seen with separators, seen without
        self.distinct: set[str] = set()

    def add(self, values: pd.Series) -> None:
        """Note a further batch."""
        import pandas as pd

        if pd.api.types.is_datetime64_any_dtype(values):
            self.native.add("time")
        elif pd.api.types.is_bool_dtype(values):
            self.native.add("category")
        elif pd.api.types.is_numeric_dtype(values):
            self.native.add("number")
        else:
            self._add_words(words(values, self.blanks).dropna())

    def _add_words(self, found: pd.Series) -> None:
        if found.empty:
            return
        self.known += len(found)
        self.letters += int(found.str.len().sum())
        if len(self.distinct) <= MANY:
            self.distinct.update(found.unique()[: MANY + 1])
        plain = plain_numbers(found)
        if plain is not None and not np.isnan(plain).any():  # as most columns of numbers are: there is no more to see
            self.date = False
            self.signs.add("")
            self.unparted |= bool((np.abs(plain) >= 1000).any())
            return
        self.spaces += int(found.str.count(" ").sum())
        few = found.head(GLANCE)  # mostly they tell already that the others need no look
        self.number = self.number and bool(numbers(few).notna().all()) and self._are_numbers(found)
        self.date = self.date and _are_dates(few) and _are_dates(found)

    def _are_numbers(self, found: pd.Series) -> bool:
        read = numbers(found)
        if read.isna().any():
            return False
        marked = found.str.contains(MARKS.pattern, regex=True).to_numpy()
        large = np.abs(read.to_numpy()) >= 1000
        parted = found[marked].str.contains(r"[,'’\s]\d", regex=True).to_numpy()
        self.parted |= bool(parted.any())
        self.unparted |= bool(large[~marked].any() or large[marked][~parted].any())
        signs = found[marked].str.replace(rf"[^{SIGNS}]", "", regex=True).unique().tolist()
        self.signs.update(signs if marked.all() else [*signs, ""])
        return True

    @property
    def alike(self) -> bool:
        """Whether all numbers are written in one manner: one sign or none, large ones with separators or without."""
        return len(self.signs) <= 1 and not (self.parted and self.unparted)

    @property
    def kind(self) -> Kind:
        """What all values can be read as."""
        if self.native and not self.known:
            return self.native.copy().pop() if len(self.native) == 1 else "category"
        if not self.known or self.native - {"number"}:
            return "category"
        if self.number and self.alike:
            return "number"
        if self.date and not self.native:
            return "time"
        return "text" if self._is_text() else "category"

    def _is_text(self) -> bool:
        own = len(self.distinct)
        varied = own > MANY or (own >= FEW and own >= self.known / 2)
        return varied and self.letters >= LONG * self.known and self.spaces >= SPACED * self.known
