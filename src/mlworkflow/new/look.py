"""What a column of an unknown table seems to be: evidence from its values, nothing decided yet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlworkflow.core.problem import BLANKS, Kind
from mlworkflow.rows import kinds
from mlworkflow.rows.possible import LARGEST
from mlworkflow.rows.reading import dates, fit, numbers, words

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
EXACT = 2.0**53  # from here on neighbouring whole numbers run together as float64
TOGETHER = 0.99  # where fewer of such numbers stay apart, they are names
TRIED = 10_000  # words on which the way of writing is tried
MOST_SHOWN = 100  # of the commonest values, kept as evidence
LIKE_A_KEY = re.compile(
    r"^(customer|client|patient|user|account|member|subject|household)$|(^|[\W_])(id|key|uuid|guid|nr|no|number|index|idx|instant|ref)$|(?<=[a-z])(ID|Id|Key|No|Nr)$"
)


@dataclass(frozen=True)
class Evidence:
    """One column as its values show it.

    Attributes:
        kind: how its values can be read.
        distinct: different values, missing ones left out.
        whole: numbers that are all whole.
        names: whole numbers so long that as numbers they would run together; the kind is category then.
        huge: rows with numbers that no model computes with.
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
    names: bool
    huge: int
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
    kind, unread, comma, form, others = _reading(values, pd.Series(counts.index[:TRIED], dtype="str"))
    known = counts[~counts.index.isin(unread)]
    amounts = numbers(pd.Series(known.index, dtype="str"), comma) if kind == "number" else pd.Series(dtype="float64")
    names = not pd.api.types.is_float_dtype(values) and _run_together(pd.Series(known.index, dtype="str"), amounts)
    kind = "category" if names else kind
    return Evidence(
        name=str(values.name),
        kind=kind,
        rows=len(values),
        missing=len(values) - int(known.sum()),
        distinct=len(known),
        whole=kind == "number" and len(amounts) > 0 and bool((amounts % 1 == 0).all()),
        names=names,
        huge=int(known[(amounts.abs() > LARGEST).to_numpy()].sum()) if kind == "number" else 0,
        unread=unread,
        comma=comma,
        dates=form,
        others=others,
        common={str(word): int(count) for word, count in known.iloc[:MOST_SHOWN].items()},
        variants=_variants(known) if kind == "category" else {},
        in_order=_in_order(values, kind, comma, form),
    )


def _counts(values: pd.Series) -> pd.Series:
    """Return how often each word is there, the commonest first, equals in their own order; blanks left out."""
    counts = words(values, BLANKS).value_counts()
    return counts.sort_index().sort_values(ascending=False, kind="stable")


def _reading(values: pd.Series, found: pd.Series) -> tuple[Kind, list[str], bool, str | None, list[str]]:
    """Return (kind, words that mean missing, decimal comma, way of writing dates, other ways) for distinct words."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(values):
        return "category", [], False, None, []
    if pd.api.types.is_datetime64_any_dtype(values):
        return "time", [], False, None, []
    blank = found.str.lower().isin(MISSING_WORDS)
    rest, unread = found[~blank], found[blank].tolist()
    if rest.empty:
        return "category", [], False, None, []
    if (kind := _kind(rest)) in ("number", "time"):
        return kind, unread, False, None, []
    if rest.str.fullmatch(WHOLE_OR_COMMA).all() and rest.str.fullmatch(COMMA).any():
        return "number", unread, True, None, []
    if ways := [way for way in DATES if _written(rest.iloc[:100], way) and _written(rest, way)]:
        return "time", unread, False, ways[0], ways[1:]
    return _kind(found), [], False, None, []


def _run_together(found: pd.Series, amounts: pd.Series) -> bool:
    """Return whether whole numbers, all distinct as words, are too long to stay so as `amounts`."""
    long = (amounts.abs() >= EXACT).to_numpy()
    if not long.any() or not fit(found[long], r"[-+]?\d+").all():
        return False
    apart = amounts[long].nunique() >= TOGETHER * long.sum()
    return not apart or bool((amounts.abs() > LARGEST).any())


def _kind(found: pd.Series) -> Kind:
    """Return what all words can be read as, as prepare will judge it."""
    judged = kinds.Evidence([])
    judged.add(found)
    return judged.kind


def _written(found: pd.Series, way: str) -> bool:
    """Return whether all words are dates that are written this way."""
    return bool(dates(found, way).notna().all())


def _variants(counts: pd.Series) -> dict[str, str]:
    """Return {spelling: the commonest of those that differ in case or spaces alone}."""
    folded = [" ".join(str(word).casefold().split()) for word in counts.index]
    first: dict[str, str] = {}
    for word, fold in zip(counts.index, folded, strict=True):
        first.setdefault(fold, str(word))
    pairs = zip(map(str, counts.index), folded, strict=True)
    return {word: first[fold] for word, fold in pairs if first[fold] != word}


def _in_order(values: pd.Series, kind: Kind, comma: bool, form: str | None) -> bool:
    """Return whether numbers or times never fall from row to row."""
    import pandas as pd

    if kind not in ("number", "time") or values.isna().all():
        return False
    read = values
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values)):
        read = numbers(words(values), comma) if kind == "number" else dates(words(values), form)
    return bool(read.dropna().is_monotonic_increasing)


def one_spelling(column: Evidence) -> Evidence:
    """Return the evidence with each variant counted for its word."""
    common: dict[str, int] = {}
    for word, count in column.common.items():
        said = column.variants.get(word, word)
        common[said] = common.get(said, 0) + count
    ranked = dict(sorted(common.items(), key=lambda pair: -pair[1]))
    return replace(column, common=ranked, distinct=column.distinct - len(column.variants))


def look(table: pd.DataFrame) -> list[Evidence]:
    """Return the evidence of each column of a raw table."""
    return [evidence(table[name]) for name in table]


def named(columns: Iterable[Evidence]) -> dict[str, Evidence]:
    """Return the columns by their names."""
    return {column.name: column for column in columns}
