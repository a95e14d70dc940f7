"""What a table's columns are: found out once from the raw table (infer.py), then demanded of every row (cast.py)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Kind, Outliers, Treatment

Role = Literal["input", "target", "key", "group", "time", "hidden", "existing", "best"]
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


def codes(values: pd.Series, classes: list[Any]) -> Any:
    """Return the (n,) int64 codes of the words `values` in the order of `classes`; -1 where a word is none of them."""
    import pandas as pd

    return pd.Index(classes).get_indexer(pd.Index(values)).astype("int64")
