"""What a table's columns are: found out once from the collected table, then demanded of every row.

`infer` is called by prepare; `cast` types rows one by one and is shared by prepare and serving.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlworkflow.core.errors import TableError, nearest
from mlworkflow.rows.kinds import Evidence
from mlworkflow.rows.reading import as_word as as_word
from mlworkflow.rows.reading import dates, naive, numbers, spelt, words

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Kind, Outliers, Problem, Treatment

Role = Literal["input", "target", "key", "group", "time", "hidden", "existing", "best"]
MOST_CATEGORIES = 1000  # more are not listed in the schema
LARGEST = float(np.finfo("float32").max)  # trees compute in float32; infinite numbers are beyond it too


@dataclass(frozen=True)
class Column:
    """One column: its kind, its role, how its words are read, what its training rows held, how a model sees it."""

    name: str
    kind: Kind
    role: Role
    missing: float = 0.0  # share of the training rows
    low: float | None = None
    high: float | None = None
    categories: list[str] = field(default_factory=list)
    distinct: int | None = None  # words of a category or text; MOST_CATEGORIES + 1 stands for more
    spelling: dict[str, str] = field(default_factory=dict)  # variant -> word
    comma: bool = False  # numbers are written with a decimal comma
    dates: str | None = None  # how dates are written, where it is not ISO 8601
    outliers: Outliers = "leave"
    treatment: Treatment | None = None  # how a model sees an input
    why: str = ""  # the reason for the treatment


@dataclass(frozen=True)
class Schema:
    """The columns of a table, and the classes of its target in the order of their codes."""

    task: str
    target: str | None
    classes: list[Any]
    columns: list[Column]
    blanks: list[str] = field(default_factory=list)  # words that mean missing
    rows: int = 0  # training rows that `describe` saw
    rare: float = 0.005  # categories with a smaller share of the training rows are pooled

    @property
    def inputs(self) -> list[Column]:
        """The columns that a model may see."""
        return [column for column in self.columns if column.role == "input"]

    @property
    def names(self) -> list[str]:
        """The names of the columns that a model may see."""
        return [column.name for column in self.inputs]

    @property
    def time(self) -> str | None:
        """The name of the column with the time of a row, if there is one."""
        return next(iter(self.with_role("time")), None)

    def with_role(self, role: Role) -> list[str]:
        """Return the names of the columns in `role`."""
        return [column.name for column in self.columns if column.role == role]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Schema:
        """Return the schema that `to_dict` stored."""
        return cls(**{**stored, "columns": [Column(**column) for column in stored["columns"]]})


def infer(table: pd.DataFrame, problem: Problem) -> Schema:
    """Return the schema of the raw `table`: kinds by what all its values can be read as, roles by the problem."""
    return infer_batches([table], problem)


def infer_batches(batches: Iterable[pd.DataFrame], problem: Problem) -> Schema:
    """Return the schema of a raw table that comes in batches."""
    data, policy, blanks = problem.data, problem.prepare, problem.data.blanks
    seen: dict[str, Evidence] = {}
    classes: set[str] = set()
    for batch in batches:
        for name in batch:
            seen.setdefault(str(name), Evidence(blanks)).add(batch[name])
        if problem.task in ("binary", "multiclass") and data.target in batch:
            found = spelt(words(batch[data.target], blanks), policy.spelling.get(str(data.target), {}))
            classes.update(found.dropna().unique())
    known = roles(problem)
    columns = [
        Column(
            name,
            kind=_kind(name, evidence, known.get(name, "input"), problem),
            role=known.get(name, "input"),
            spelling=policy.spelling.get(name, {}),
            comma=name in data.commas,
            dates=data.dates.get(name),
            outliers=policy.outliers.get(name, "leave"),
        )
        for name, evidence in seen.items()
    ]
    return Schema(problem.task, data.target, _ordered(classes, problem), columns, blanks, rare=policy.rare)


def roles(problem: Problem) -> dict[str, Role]:
    """Return the role of each column that the problem gives one; the others are inputs."""
    data = problem.data
    found: dict[str, Role] = dict.fromkeys(data.hidden, "hidden")
    found |= dict.fromkeys(data.key, "key")
    reference = problem.reference
    named = {"existing": reference.existing, "best": reference.best, "group": data.group, "time": data.time}
    for role, name in named.items():
        if name:
            found[name] = role  # type: ignore[assignment]
    if problem.split.column:
        found[problem.split.column] = "hidden"
    if data.target:
        found[data.target] = "target"
    return found


def _kind(name: str, evidence: Evidence, role: Role, problem: Problem) -> Kind:
    """Return what the problem says of a column, else what its values say."""
    if stated := stated_kind(name, problem):
        return stated
    return "category" if evidence.kind == "text" and role not in ("input", "hidden") else evidence.kind


def stated_kind(name: str, problem: Problem) -> Kind | None:
    """Return what the problem says of a column, by a line of its own or by its role; None where it says nothing."""
    data, role = problem.data, roles(problem).get(name, "input")
    if role == "target":
        return "number" if problem.task == "regression" else "category"
    if role == "time":
        return "time"
    if name in data.kinds:
        return data.kinds[name]
    if name in data.dates:
        return "time"
    if name in data.commas or role == "best":
        return "number"
    if role == "key" or name == problem.split.column:
        return "category"  # as numbers, long ones would run together
    return None


def known_words(values: pd.Series, blanks: Sequence[str]) -> pd.Series:
    """Return the values that are there, as words."""
    return words(values, blanks).dropna()


def _ordered(classes: Iterable[str], problem: Problem) -> list[Any]:
    """Return the classes in the order of their codes: sorted, in a binary problem the positive one last."""
    ordered = sorted(classes, key=_number_then_word)
    if problem.task == "binary":
        ordered.sort(key=lambda name: name == as_word(problem.data.positive))
    return ordered


def _number_then_word(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


def cast(table: pd.DataFrame, schema: Schema, *, only: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the schema's columns of `table`, each row typed by itself.

    Numbers become float64, dates datetime64[us], words are trimmed and spelt in one way, blanks are missing.

    Args:
        table: raw rows; further columns are left out.
        schema: what each column must be.
        only: names of the columns to type; all of the schema by default.

    Raises:
        TableError: columns are missing, or values cannot be read; all of them at once, with row numbers.
    """
    typed, found = read_rows(table, schema, only=only)
    if found:
        raise TableError("the table", found[:20], "Mend the rows, or name the right columns in conf/problem.")
    return typed


def read_rows(
    table: pd.DataFrame, schema: Schema, *, only: Iterable[str] | None = None, first: int = 1
) -> tuple[pd.DataFrame, list[str]]:
    """Return what `cast` does, and all that is wrong in sentences; `first` is the number of the first row."""
    import pandas as pd

    chosen = None if only is None else set(only)
    wanted = [column for column in schema.columns if chosen is None or column.name in chosen]
    found = [
        f"the column {column.name!r} is missing{nearest(column.name, table.columns)}"
        for column in wanted
        if column.name not in table
    ]
    typed: dict[str, pd.Series] = {}
    for column in wanted:
        if column.name in table:
            values = table[column.name]
            typed[column.name], bad = read(values, column, schema.blanks)
            for position in np.flatnonzero(bad)[:5]:
                word = as_word(values.iloc[position])
                found.append(f"{column.name!r}, row {first + position}: {word!r} is no {column.kind}{_form(column)}")
    return pd.DataFrame(typed, index=table.index), found


def _form(column: Column) -> str:
    """Return how a date must be written, where the column has dates."""
    if column.kind != "time":
        return ""
    return f", which is written as {column.dates or '2024-01-31 or 2024-01-31 13:05'} (problem.data.dates)"


def read(values: pd.Series, column: Column, blanks: Sequence[str]) -> tuple[pd.Series, np.ndarray]:
    """Return (the values typed as the column says, an (n,) bool: True where a word cannot be read)."""
    import pandas as pd

    none = np.zeros(len(values), dtype=bool)
    if column.kind == "number" and pd.api.types.is_numeric_dtype(values):  # truth counts as 0 and 1
        return values.astype("float64"), none
    if column.kind == "time" and pd.api.types.is_datetime64_any_dtype(values):
        return naive(values), none
    found = words(values, blanks)
    if column.kind in ("category", "text"):
        return spelt(found, column.spelling), none
    typed = numbers(found, column.comma) if column.kind == "number" else dates(found, column.dates)
    return typed, (typed.isna() & found.notna()).to_numpy()


def impossible(values: pd.Series, limits: Sequence[float | None]) -> pd.Series:
    """Return an (n,) bool: True for numbers outside (low, high), None is no limit, and beyond LARGEST."""
    low, high = limits
    bad: pd.Series = values.abs() > LARGEST
    bad |= values < low if low is not None else False
    bad |= values > high if high is not None else False
    return bad


def describe(schema: Schema, rows: pd.DataFrame) -> Schema:
    """Return the schema with what `rows`, training rows, hold: shares of missing values, ranges, categories."""
    description = Description(schema)
    description.add(rows)
    return description.schema()


class Description:
    """What the training rows hold, batch after batch."""

    def __init__(self, schema: Schema) -> None:
        self.of, self.rows = schema, 0
        self.missing = dict.fromkeys((column.name for column in schema.columns), 0)
        self.ranges: dict[str, tuple[float, float]] = {}
        self.counts: dict[str, dict[str, int] | None] = {}  # None: more than MOST_CATEGORIES words

    def add(self, rows: pd.DataFrame) -> None:
        """Note further training rows."""
        self.rows += len(rows)
        for column in self.of.columns:
            name, values = column.name, rows[column.name]
            self.missing[name] += int(values.isna().sum())
            if column.role == "key":
                continue  # whom the rows are about stays out of every output
            if column.kind == "number" and values.notna().any():
                low, high = self.ranges.get(name, (np.inf, -np.inf))
                self.ranges[name] = min(low, float(values.min())), max(high, float(values.max()))
            if column.kind in ("category", "text"):
                self.counts[name] = _counted(self.counts.get(name, {}), values)

    def schema(self) -> Schema:
        """Return the schema with all that was noted."""
        return replace(self.of, columns=[self._described(column) for column in self.of.columns], rows=self.rows)

    def _described(self, column: Column) -> Column:
        name = column.name
        column = replace(column, missing=self.missing[name] / self.rows if self.rows else 0.0)
        if name in self.ranges:
            low, high = self.ranges[name]
            return replace(column, low=low, high=high)
        if name not in self.counts:
            return column
        counts = self.counts[name]
        told = sorted(counts) if counts is not None and column.kind == "category" else []
        return replace(column, categories=told, distinct=MOST_CATEGORIES + 1 if counts is None else len(counts))


def _counted(counts: dict[str, int] | None, values: pd.Series) -> dict[str, int] | None:
    """Return how often each word was there, None where there are too many to list."""
    if counts is None:
        return None
    found = values.value_counts(sort=False)
    if len(found) <= MOST_CATEGORIES:
        for word, count in zip(found.index.tolist(), found.tolist(), strict=True):
            counts[word] = counts.get(word, 0) + count
    return counts if max(len(found), len(counts)) <= MOST_CATEGORIES else None


def codes(values: pd.Series, classes: list[Any]) -> Any:
    """Return the (n,) int64 codes of the words `values` in the order of `classes`; -1 where a word is none of them."""
    import pandas as pd

    return pd.Index(classes).get_indexer(pd.Index(values)).astype("int64")
