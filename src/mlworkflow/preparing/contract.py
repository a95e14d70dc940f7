"""The contract of a table: what every column of new rows must keep to, a line a column in conf/problem (pandera).

`Contract` sees the rows batch by batch and tells every violation at once: column, rule, how many rows, examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.core.errors import ConfError, ProjectError, listed, nearest
from mlworkflow.rows.cast import read
from mlworkflow.rows.reading import as_word, dates, words
from mlworkflow.rows.schema import Column
from mlworkflow.rows.split import fingerprints

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import ColumnRule, Kind, Problem

EXAMPLES = 3
KINDS = {"number": "a number", "time": "a date", "category": "a word", "text": "a text"}


class ContractError(ProjectError):
    """Rows break the contract; every violation at once."""

    def __init__(self, table: str, found: Iterable[str]) -> None:
        super().__init__(
            f"{table} must keep to the contract of the problem, but:\n{listed(found)}\n"
            "Mend the rows, or widen the rule under problem.contract in conf/problem."
        )


@dataclass
class Violation:
    """One rule of one column: what is demanded, how many rows break it, examples."""

    demand: str
    rows: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, rows: int, examples: Iterable[str]) -> None:
        """Add further rows that break the rule."""
        self.rows += rows
        self.examples += list(examples)[: EXAMPLES - len(self.examples)]

    def told(self, column: str) -> str:
        """Return the violation as a sentence."""
        count = "1 row breaks" if self.rows == 1 else f"{self.rows} rows break"
        return f"{column!r} must {self.demand}, but {count} this: {', '.join(self.examples)}"


class Contract:
    """Checks rows against the rules of `problem.contract`; without rules it checks nothing."""

    def __init__(self, problem: Problem) -> None:
        data, self.rules = problem.data, problem.contract
        self.blanks = data.blanks
        self.columns = {
            name: Column(
                name,
                rule.kind,
                "input",
                spelling=problem.prepare.spelling.get(name, {}),
                comma=name in data.commas,
                dates=data.dates.get(name),
            )
            for name, rule in self.rules.items()
        }
        self.limits = _limits(self.rules)
        self.rows = 0
        self.absent: list[str] = []
        self.new: list[str] = []
        self.found: dict[tuple[str, str], Violation] = {}
        self.prints: dict[str, list[np.ndarray]] = {}  # of columns that must be unique
        self.words: dict[str, list[pd.Series]] = {}
        self._schema: Any = None

    def add(self, batch: pd.DataFrame) -> None:
        """Check further rows."""
        if not self.rules:
            return
        if not self.rows and self._schema is None:
            self.new = [str(name) for name in batch if name not in self.rules]
            lost = [name for name in self.rules if name not in batch]
            self.absent = [f"the column {name!r} is missing{nearest(name, self.new)}" for name in lost]
            self._schema = self._pandera([name for name in self.rules if name in batch])
        self._check(batch)
        self.rows += len(batch)

    def _pandera(self, names: Iterable[str]) -> Any:
        """Return the pandera schema of the typed columns."""
        import pandera.pandas as pandera

        columns = {name: (self.rules[name], [*_checks(self.rules[name], *self.limits[name])]) for name in names}
        return pandera.DataFrameSchema(
            {name: pandera.Column(None, checks, nullable=rule.missing) for name, (rule, checks) in columns.items()}
        )

    def _check(self, batch: pd.DataFrame) -> None:
        import pandas as pd

        typed, unread = {}, {}
        numbered = batch.set_axis(pd.RangeIndex(self.rows + 1, self.rows + len(batch) + 1))
        for name in self._schema.columns:
            typed[name], unread[name] = read(numbered[name], self.columns[name], self.blanks)
            self._note(name, "kind", words(numbered[name][unread[name]]))
            if self.rules[name].unique:
                self.prints.setdefault(name, []).append(fingerprints(typed[name].to_frame()))
                self.words.setdefault(name, []).append(words(typed[name]))
        for name, rule, broken in self._broken(pd.DataFrame(typed, index=numbered.index)):
            self._note(name, rule, numbered[name][broken[~unread[name][broken - self.rows - 1]]])

    def _broken(self, typed: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray]]:
        """Yield (column, rule, numbers of the rows that break it)."""
        from pandera.errors import SchemaErrors

        try:
            self._schema.validate(typed, lazy=True)
        except SchemaErrors as errors:
            for error in errors.schema_errors:
                rule = getattr(error.check, "name", "missing")
                yield error.schema.name, rule, error.failure_cases["index"].to_numpy(dtype="int64")

    def _note(self, name: str, rule: str, values: pd.Series) -> None:
        """Note the raw values, by the number of their row, that break a rule."""
        if len(values):
            violation = self.found.setdefault((name, rule), Violation(self._demand(name, rule)))
            shown = "missing" if self.columns[name].role == "key" else rule  # whose rows they are stays untold
            violation.note(len(values), _shown(values.head(EXAMPLES), shown))

    def _demand(self, name: str, rule: str) -> str:
        kept, column = self.rules[name], self.columns[name]
        form = f" ({column.dates or '2024-01-31, 2024-01-31 13:05'})" if kept.kind == "time" else ""
        return {
            "kind": f"be {KINDS[kept.kind]}{form}",
            "missing": "not be missing",
            "low": f"be at least {kept.low}",
            "high": f"be at most {kept.high}",
            "values": f"be one of {', '.join(map(repr, kept.values or []))}",
            "unique": "be unique",
        }[rule]

    def violations(self) -> list[str]:
        """Return what breaks the contract, column after column."""
        for name in self.prints:
            self._note(name, "unique", self._repeated(name))
        rules = ("kind", "missing", "low", "high", "values", "unique")
        told = [
            self.found[name, rule].told(name) for name in self.rules for rule in rules if (name, rule) in self.found
        ]
        return [*self.absent, *told]

    def _repeated(self, name: str) -> pd.Series:
        """Return the values, by the number of their row, that an earlier row has."""
        import pandas as pd

        values = pd.concat(self.words.pop(name))
        prints = pd.DataFrame(np.concatenate(self.prints[name]), index=values.index)[values.notna()]
        again = prints.index[prints.duplicated()]
        repeated: pd.Series = values.loc[again]
        return repeated

    def warnings(self) -> list[str]:
        """Return what is only wider than the contract."""
        many = "columns" if len(self.new) > 1 else "column"
        names = ", ".join(map(repr, self.new))
        return [f"the contract has no rule for the new {many} {names}"] if self.new else []


def _checks(rule: ColumnRule, low: Any, high: Any) -> Iterator[Any]:
    """Yield the pandera checks of a rule whose limits are as its column's kind has them."""
    import pandera.pandas as pandera

    if low is not None:
        yield pandera.Check.ge(low, name="low")
    if high is not None:
        yield pandera.Check.le(high, name="high")
    if rule.values is not None:
        values = [float(value) if rule.kind == "number" else as_word(value) for value in rule.values]
        yield pandera.Check.isin(values, name="values")


def _shown(values: pd.Series, rule: str) -> list[str]:
    if rule == "missing":
        return [f"row {row}" for row in values.index]
    return [f"row {row} has {as_word(value)!r}" for row, value in values.items()]


def limit_mistakes(rules: Mapping[str, ColumnRule]) -> list[str]:
    """Return the limits and values of rules that no column of their kind can have; each begins with the column."""
    wanted = {"number": "must be a number", "time": "must be a date such as 2024-01-31"}
    found = []
    for name, rule in rules.items():
        ends = {"low": rule.low, "high": rule.high}
        read_ends = {end: _limit(value, rule.kind) for end, value in ends.items()}
        told = wanted.get(rule.kind, f"is not for the kind {rule.kind}")
        bad = [end for end in ends if ends[end] is not None and read_ends[end] is None]
        found += [f"{name}.{end} {told}, not {ends[end]!r}" for end in bad]
        if None not in read_ends.values() and read_ends["low"] > read_ends["high"]:
            found.append(f"{name} must go from low to high, but goes from {rule.low!r} to {rule.high!r}")
        if rule.values == []:
            found.append(f"{name}.values is empty, so that no value would do; leave it out")
        elif rule.values is not None and rule.kind == "time":
            found.append(f"{name}.values is not for the kind time; low and high are")
        elif rule.kind == "number":
            odd = [value for value in rule.values or [] if _limit(value, "number") is None]
            found += [f"{name}.values must be numbers, not {value!r}" for value in odd]
    return found


def _limits(rules: Mapping[str, ColumnRule]) -> dict[str, tuple[Any, Any]]:
    """Return (low, high) of each rule as its column's kind has them.

    Raises:
        ConfError: a limit is none; all that are.
    """
    if found := limit_mistakes(rules):
        raise ConfError([f"problem.contract.{told}" for told in found], "Mend problem.contract.")
    return {name: (_limit(rule.low, rule.kind), _limit(rule.high, rule.kind)) for name, rule in rules.items()}


def _limit(value: Any, kind: Kind) -> Any:
    """Return a limit as a column of the kind has it, None where it is none."""
    if kind == "number" and not isinstance(value, str):
        return None if value is None else float(value)
    if kind != "time" or value is None:
        return None
    import pandas as pd

    point = dates(pd.Series([str(value)], dtype="str")).iloc[0]
    return point if pd.notna(point) else None
