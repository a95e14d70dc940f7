"""What a table's columns are: found out once from the collected table, then demanded of every row.

`infer` is called by prepare; `cast` types rows one by one and is shared by prepare and serving.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from mlworkflow.errors import TableError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.problem import Kind, Outliers, Problem, Treatment

Role = Literal["input", "target", "key", "group", "time", "hidden", "existing"]
DATE = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?"
DATES: dict[str, Any] = {"errors": "coerce", "format": "ISO8601"}  # how a date is read, each row by itself
MOST_CATEGORIES = 1000  # more are not listed in the schema


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
    data = problem.data
    blanks = data.blanks
    roles: dict[str, Role] = dict.fromkeys(data.hidden, "hidden")
    roles |= dict.fromkeys(data.key, "key")
    for name, role in ((problem.reference.existing, "existing"), (data.group, "group"), (data.time, "time")):
        if name:
            roles[name] = role  # type: ignore[assignment]
    if problem.split.column:
        roles[problem.split.column] = "hidden"
    if data.target:
        roles[data.target] = "target"
    kinds = {str(name): _kind(table[name], blanks, name == data.time) for name in table}
    if classes := _classes(table, problem):
        kinds[str(data.target)] = "category"
    columns = [Column(name, kind, roles.get(name, "input")) for name, kind in kinds.items()]
    return Schema(problem.task, data.target, classes, columns, blanks)


def _kind(values: pd.Series, blanks: list[str], is_time: bool) -> Kind:
    import pandas as pd

    if is_time or pd.api.types.is_datetime64_any_dtype(values):
        return "time"
    if pd.api.types.is_bool_dtype(values):
        return "category"
    if pd.api.types.is_numeric_dtype(values):
        return "number"
    known = known_words(values, blanks)
    if known.empty:
        return "category"
    if pd.to_numeric(known, errors="coerce").notna().all():
        return "number"
    is_date = known.str.fullmatch(DATE).all() and pd.to_datetime(known, **DATES).notna().all()
    return "time" if is_date else "category"


def known_words(values: pd.Series, blanks: Sequence[str]) -> pd.Series:
    """Return the values that are there, as words."""
    words = values.dropna().map(as_word).astype("str")
    return words[~words.isin(blanks)]


def _classes(table: pd.DataFrame, problem: Problem) -> list[Any]:
    """The classes of the target in the order of their codes: sorted, in a binary problem the positive one last."""
    if problem.task not in ("binary", "multiclass") or problem.data.target not in table:
        return []
    classes = sorted(set(known_words(table[problem.data.target], problem.data.blanks)), key=_number_then_word)
    if problem.task == "binary":
        classes.sort(key=lambda name: name == as_word(problem.data.positive))
    return classes


def _number_then_word(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


def cast(table: pd.DataFrame, schema: Schema, *, only: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the schema's columns of `table`, each row typed by itself.

    Numbers become float64, words are trimmed, blanks are missing.

    Args:
        table: raw rows; further columns are left out.
        schema: what each column must be.
        only: names of the columns to type; all of the schema by default.

    Raises:
        TableError: columns are missing, or values cannot be read; all of them at once, with row numbers.
    """
    import pandas as pd

    wanted = [column for column in schema.columns if only is None or column.name in set(only)]
    found = [
        f"the column {column.name!r} is missing{nearest(column.name, table.columns)}"
        for column in wanted
        if column.name not in table
    ]
    typed: dict[str, pd.Series] = {}
    for column in wanted:
        if column.name in table:
            typed[column.name] = _cast_column(table[column.name], column, schema, found)
    if found:
        raise TableError("the table", found[:20], "Mend the rows, or name the right columns in conf/problem.")
    return pd.DataFrame(typed, index=table.index)


def _cast_column(values: pd.Series, column: Column, schema: Schema, found: list[str]) -> pd.Series:
    import pandas as pd

    if column.kind == "number" and pd.api.types.is_numeric_dtype(values):
        return values.astype("float64")
    if column.kind == "time" and pd.api.types.is_datetime64_any_dtype(values):
        return values
    if column.kind in ("category", "text"):
        words = values.astype("object").where(values.notna(), None).map(as_word, na_action="ignore")
    else:
        words = values.astype("str").where(values.notna()).str.strip()
    words = words.astype("str").where(words.notna() & ~words.isin(schema.blanks))
    if column.kind in ("category", "text"):
        return words
    read = pd.to_numeric(words, errors="coerce") if column.kind == "number" else pd.to_datetime(words, **DATES)
    bad = read.isna() & words.notna()
    for position in bad.to_numpy().nonzero()[0][:5]:
        found.append(f"{column.name!r}, row {position + 1}: {words.iloc[position]!r} is no {column.kind}")
    return read.astype("float64") if column.kind == "number" else read


def as_word(value: Any) -> str:
    """Return the word for a category: whole floats as integers, so that 1 and 1.0 are one category."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def impossible(values: pd.Series, limits: Sequence[float | None]) -> pd.Series:
    """Return an (n,) bool: True for infinite numbers and those outside (low, high); None is no limit."""
    import numpy as np

    low, high = limits
    bad: pd.Series = np.isinf(values)
    bad |= values < low if low is not None else False
    bad |= values > high if high is not None else False
    return bad


def describe(schema: Schema, rows: pd.DataFrame) -> Schema:
    """Return the schema with what `rows`, training rows, hold: shares of missing values, ranges, categories."""
    columns = [_describe_column(column, rows[column.name]) for column in schema.columns]
    return replace(schema, columns=columns, rows=len(rows))


def _describe_column(column: Column, values: pd.Series) -> Column:
    missing = float(values.isna().mean()) if len(values) else 0.0
    if column.role == "key":
        return replace(column, missing=missing)  # whom the rows are about stays out of every output
    if column.kind == "category":
        categories = sorted(values.dropna().unique().tolist())
        listed, distinct = categories[: MOST_CATEGORIES + 1], min(len(categories), MOST_CATEGORIES + 1)
        return replace(
            column, missing=missing, categories=listed if distinct <= MOST_CATEGORIES else [], distinct=distinct
        )
    if column.kind == "number" and values.notna().any():
        return replace(column, missing=missing, low=float(values.min()), high=float(values.max()))
    return replace(column, missing=missing)


def codes(values: pd.Series, classes: list[Any]) -> Any:
    """Return the (n,) int64 codes of the words `values` in the order of `classes`; -1 where a word is none of them."""
    import pandas as pd

    return pd.Index(classes).get_indexer(pd.Index(values)).astype("int64")
