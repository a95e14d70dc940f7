"""What a column of an unknown table seems to be: evidence from its values, nothing decided yet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlworkflow.problem import BLANKS, Kind

if TYPE_CHECKING:
    import pandas as pd

MISSING_WORDS = (
    "unknown",
    "missing",
    "none",
    "not available",
    "not known",
    "n.a.",
    "#n/a",
    "nil",
    "-",
    "--",
    ".",
    "..",
)
DATES = (
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M",
    "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y%m%d", "%d %b %Y", "%d %B %Y",
    "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y",
)  # fmt: skip
COMMA = r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+"  # a number with a decimal comma
WHOLE_OR_COMMA = rf"({COMMA}|[-+]?\d+|[-+]?\d{{1,3}}(\.\d{{3}})+)"
TRIED = 10_000  # words on which the way of writing is tried
MOST_SHOWN = 100  # of the commonest values, kept as evidence
LIKE_A_KEY = re.compile(r"(^|[\W_])(id|key|uuid|guid|nr|no|number|index|idx|instant|ref)$|(?<=[a-z])(ID|Id|Key|No|Nr)$")


@dataclass(frozen=True)
class Evidence:
    """One column as its values show it.

    Attributes:
        kind: how its values can be read.
        distinct: different values, missing ones left out.
        whole: numbers that are all whole.
        unread: words among numbers or dates that probably mean missing.
        comma: numbers with a decimal comma.
        dates: how dates are written, None for ISO 8601; `others` are further ways that fit as well.
        common: the commonest values as words, with their counts.
        variants: {spelling: the commonest spelling} of words that differ in case or spaces alone.
        in_order: its values never fall from row to row.
    """

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int
    whole: bool
    unread: list[str]
    comma: bool
    dates: str | None
    others: list[str]
    common: dict[str, int]
    variants: dict[str, str]
    in_order: bool

    @property
    def unique(self) -> bool:
        """Whether each row has a value of its own."""
        return self.rows > 1 and self.distinct == self.rows

    @property
    def like_a_key(self) -> bool:
        """Whether its name says that it tells rows or members apart."""
        return bool(LIKE_A_KEY.search(self.name))


def evidence(values: pd.Series) -> Evidence:
    """Return what the (n,) values of one raw column show."""
    import pandas as pd

    counts = _counts(values)
    words = pd.Series(counts.index[:TRIED], dtype="str")
    kind, unread, comma, dates, others = _reading(values, words)
    known = counts[~counts.index.isin(unread)]
    numbers = _numbers(pd.Series(known.index), comma) if kind == "number" else None
    return Evidence(
        name=str(values.name),
        kind=kind,
        rows=len(values),
        missing=len(values) - int(known.sum()),
        distinct=len(known),
        whole=numbers is not None and len(numbers) > 0 and bool((numbers % 1 == 0).all()),
        unread=unread,
        comma=comma,
        dates=dates,
        others=others,
        common={str(word): int(count) for word, count in known.iloc[:MOST_SHOWN].items()},
        variants=_variants(known) if kind == "category" else {},
        in_order=_in_order(values, kind, comma, dates),
    )


def _counts(values: pd.Series) -> pd.Series:
    """Return how often each word is there, the commonest first, equals in their own order; blanks left out."""
    import pandas as pd

    from mlworkflow.schema import as_word

    raw = values.dropna().value_counts()
    words = pd.Series(raw.to_numpy(), index=pd.Index([as_word(value) for value in raw.index], dtype="str"))
    words = words[~words.index.isin(BLANKS)]
    words = words.groupby(level=0, sort=False).sum()
    return words.sort_index().sort_values(ascending=False, kind="stable")


def _reading(values: pd.Series, words: pd.Series) -> tuple[Kind, list[str], bool, str | None, list[str]]:
    """Return (kind, words that mean missing, decimal comma, way of writing dates, other ways) for distinct words."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(values):
        return "category", [], False, None, []
    if pd.api.types.is_datetime64_any_dtype(values):
        return "time", [], False, None, []
    blank = words.str.lower().isin(MISSING_WORDS)
    rest, unread = words[~blank], words[blank].tolist()
    if rest.empty:
        return "category", [], False, None, []
    if _all_numbers(rest):
        return "number", unread, False, None, []
    if rest.str.fullmatch(WHOLE_OR_COMMA).all() and rest.str.fullmatch(COMMA).any():
        return "number", unread, True, None, []
    if ways := _ways_of_dates(rest):
        return "time", unread, False, ways[0], [str(way) for way in ways[1:]]
    return _words_or_text(words), [], False, None, []


def _all_numbers(words: pd.Series) -> bool:
    """Return whether all words are numbers, as `schema.cast` reads them."""
    return bool(_numbers(words, comma=False).notna().all())


def _numbers(words: pd.Series, comma: bool) -> pd.Series:
    import pandas as pd

    plain = words.str.replace(".", "", regex=False).str.replace(",", ".", regex=False) if comma else words
    return pd.to_numeric(plain, errors="coerce")


def _ways_of_dates(words: pd.Series) -> list[str | None]:
    """Return the ways of writing dates that fit every word: None for ISO 8601, then those of DATES."""
    import pandas as pd

    from mlworkflow.schema import DATE
    from mlworkflow.schema import DATES as ISO

    if words.str.fullmatch(DATE).all() and pd.to_datetime(words, **ISO).notna().all():
        return [None]
    few = words.iloc[:100]
    fitting = [way for way in DATES if pd.to_datetime(few, format=way, errors="coerce").notna().all()]
    return [way for way in fitting if pd.to_datetime(words, format=way, errors="coerce").notna().all()]


def _words_or_text(words: pd.Series) -> Kind:
    """Return `text` for sentences of which hardly two are the same, else `category`."""
    spaces = words.str.count(r"\s").mean()
    return "text" if len(words) >= 20 and spaces >= 2 and words.str.len().mean() >= 20 else "category"


def _variants(counts: pd.Series) -> dict[str, str]:
    """Return {spelling: the commonest of those that differ in case or spaces alone}."""
    folded = [" ".join(str(word).casefold().split()) for word in counts.index]
    first: dict[str, str] = {}
    for word, fold in zip(counts.index, folded, strict=True):
        first.setdefault(fold, str(word))
    pairs = zip(map(str, counts.index), folded, strict=True)
    return {word: first[fold] for word, fold in pairs if first[fold] != word}


def _in_order(values: pd.Series, kind: Kind, comma: bool, dates: str | None) -> bool:
    """Return whether numbers or times never fall from row to row."""
    import pandas as pd

    from mlworkflow.schema import DATES as ISO

    if kind not in ("number", "time") or values.isna().all():
        return False
    if kind == "number":
        read = values if pd.api.types.is_numeric_dtype(values) else _numbers(values.astype("str").str.strip(), comma)
    elif pd.api.types.is_datetime64_any_dtype(values):
        read = values
    else:
        how: dict[str, Any] = {"format": dates, "errors": "coerce"} if dates else ISO
        read = pd.to_datetime(values.astype("str").str.strip(), **how)
    return bool(read.dropna().is_monotonic_increasing)


def look(table: pd.DataFrame) -> list[Evidence]:
    """Return the evidence of each column of a raw table."""
    return [evidence(table[name]) for name in table]


def named(columns: Iterable[Evidence]) -> dict[str, Evidence]:
    """Return the columns by their names."""
    return {column.name: column for column in columns}
