"""Words read as numbers, dates and categories, each value by itself: shared by training, contract and serving."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import ConfError, first_line

if TYPE_CHECKING:
    import pandas as pd

SIGNS = "$€£¥₹%"
NUMBER = rf"[+-]?[{SIGNS}]?\s?[+-]?(\d+|\d{{1,3}}([,'’ \x{{a0}}\x{{202f}}]\d{{3}})+)?(\.\d+)?\s?[{SIGNS}]?"  # RE2
MARKS = re.compile(rf"[{SIGNS},'’\s]")  # what a number may be written with beside its digits


def as_word(value: Any) -> str:
    """Return the word for a category: whole floats as integers, so that 1 and 1.0 are one category."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def words(values: pd.Series, blanks: Sequence[str] = ()) -> pd.Series:
    """Return the values as trimmed words (dtype str), missing where they are missing or one of `blanks`."""
    import pandas as pd

    if pd.api.types.is_object_dtype(values) and pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty"):
        values = values.astype("str")
    if isinstance(values.dtype, pd.StringDtype):
        return _known(values.astype("str"), blanks)
    if pd.api.types.is_numeric_dtype(values):
        codes, uniques = pd.factorize(values)
        known = _known(_spelt_out(uniques), blanks)
        return pd.Series(known.array.take(codes, allow_fill=True), index=values.index)
    present = values.astype("object").where(values.notna(), None)
    return _known(present.map(as_word, na_action="ignore").astype("str"), blanks)


def _spelt_out(values: Any) -> pd.Series:
    """Return an index or array of numbers, none of them missing, as words."""
    import pandas as pd
    import pyarrow as pa

    if pd.api.types.is_integer_dtype(values):
        return pd.Series(pa.array(values).cast(pa.large_string()).to_pandas(), dtype="str")
    return pd.Series([as_word(value) for value in values.tolist()], dtype="str")


def _known(found: pd.Series, blanks: Sequence[str]) -> pd.Series:
    trimmed: pd.Series = found.str.strip()
    blank = trimmed.isin(blanks).to_numpy()
    return trimmed.where(~blank) if blank.any() else trimmed


def spelt(found: pd.Series, variants: Mapping[str, str]) -> pd.Series:
    """Return the words with each variant replaced by its word; case and spaces do not count."""
    import pandas as pd

    if not variants:
        return found
    known = {same_spelling(word): word for word in variants.values()} | {
        same_spelling(old): new for old, new in variants.items()
    }
    codes, uniques = pd.factorize(found)
    mended = np.array([*(known.get(same_spelling(word), word) for word in uniques), None], dtype="object")
    return pd.Series(mended[codes], index=found.index, dtype="str")


def same_spelling(word: str) -> str:
    """Return what two spellings of one word share."""
    return " ".join(word.casefold().split())


def numbers(found: pd.Series, comma: bool = False) -> pd.Series:
    """Return the (n,) float64 of words; NaN where a word is no number.

    Thousands may be parted by commas, apostrophes or spaces, and one of SIGNS may stand before or after: `$1,234.5` is
    1234.5, `12%` is 12.

    Args:
        found: words.
        comma: the decimal comma is used: `1.234,5` and `1,5`; a word with one point and no comma keeps its point.
    """
    import pandas as pd

    plain = _pointed(found) if comma else found
    if (read := plain_numbers(plain)) is not None:
        return pd.Series(read, index=found.index, dtype="float64")
    values = pd.to_numeric(plain, errors="coerce").to_numpy(dtype="float64", na_value=np.nan, copy=True)
    left = np.flatnonzero(np.isnan(values) & plain.notna().to_numpy())
    others = plain.iloc[left]
    marked = left[fit(others, NUMBER)]
    bare = plain.iloc[marked].map(lambda word: MARKS.sub("", word))
    values[marked] = pd.to_numeric(bare, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    return pd.Series(values, index=found.index)


def plain_numbers(found: pd.Series) -> np.ndarray | None:
    """Return the (n,) float64 of words that are all written as programs write numbers or missing, else None."""
    import pyarrow as pa

    try:
        read = pa.array(found, type=pa.large_string(), from_pandas=True).cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return np.asarray(read.to_numpy(zero_copy_only=False), dtype="float64")


def fit(found: pd.Series, pattern: str) -> np.ndarray:
    """Return an (n,) bool: True for words that a pattern of RE2 fits from end to end; none that is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pa.array(found, type=pa.large_string(), from_pandas=True)
    fits = pc.fill_null(pc.match_substring_regex(words, rf"^(?:{pattern})$"), False)
    return np.asarray(fits.to_numpy(zero_copy_only=False), dtype=bool)


def _pointed(found: pd.Series) -> pd.Series:
    """Return words with a decimal comma as words with a decimal point; points beside it part thousands."""
    comma = found.str.contains(",", regex=False, na=False)
    many = found.str.count(r"\.").fillna(0) > 1
    bare = found.where(~(comma | many), found.str.replace(".", "", regex=False))
    pointed: pd.Series = bare.where(~comma, bare.str.replace(",", ".", regex=False))
    return pointed


def dates(found: pd.Series, form: str | None = None) -> pd.Series:
    """Return the (n,) datetime64[us] of words, in UTC where a zone is told; NaT where a word is no date.

    Args:
        found: words.
        form: how they are written, as strptime takes it; ISO 8601 by default.

    Raises:
        ConfError: `form` says nothing to strptime.
    """
    import pandas as pd

    try:
        read = pd.to_datetime(found, errors="coerce", format=form or "ISO8601", utc=True)
    except ValueError as error:
        line = f"problem.data.dates: {form!r} is no way to write a date ({first_line(error)})"
        raise ConfError([line], "Write it as in %d/%m/%Y or %Y-%m-%d %H:%M.") from error
    return naive(read)


def naive(values: pd.Series) -> pd.Series:
    """Return points in time as datetime64[us], those of a zone in UTC."""
    if values.dt.tz is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    return values.astype("datetime64[us]")
