"""Can a table carry the problem? Its columns, its number of rows, its target; told all at once, batch after batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlworkflow.core.errors import nearest
from mlworkflow.rows.cast import read
from mlworkflow.rows.reading import as_word, spelt, words
from mlworkflow.rows.schema import Column

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.problem import Problem

MOST_CLASSES = 1000  # more are not counted


class Fitness:
    """Sees the raw rows, batch after batch; then says what keeps them from carrying the problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rows, self.targets = 0, 0  # seen; with a target
        self.columns: list[str] | None = None
        self.twice: list[str] = []
        self.classes: dict[str, int] = {}
        self.bad = ""  # the first target of a regression that is no number
        self.untrue, self.untrue_rows = 0, ""  # values of reference.best that cannot be the truth; the first of them

    def add(self, batch: pd.DataFrame) -> None:
        """Note further rows."""
        if self.columns is None:
            self.columns = [str(name) for name in batch]
            self.twice = [str(name) for name in batch.columns[batch.columns.duplicated()]]
        target = self.problem.data.target
        if target is not None and target in batch and not self.twice:
            self._add_target(batch[target], target)
        if self.problem.reference.best in batch and not self.twice:
            self._add_best(batch[self.problem.reference.best])
        self.rows += len(batch)

    def _add_target(self, values: pd.Series, name: str) -> None:
        problem, blanks = self.problem, self.problem.data.blanks
        if problem.task == "regression":
            column = Column(name, "number", "target", comma=name in problem.data.commas)
            read_values, bad = read(values, column, blanks)
            self.targets += int(read_values.notna().sum() + bad.sum())
            if bad.any() and not self.bad:
                first = int(np.flatnonzero(bad)[0])
                self.bad = f"row {self.rows + first + 1} has {as_word(values.iloc[first])!r}"
            return
        found = spelt(words(values, blanks), problem.prepare.spelling.get(name, {}))
        self.targets += int(found.notna().sum())
        if len(self.classes) <= MOST_CLASSES:
            for word, count in found.value_counts(sort=False).head(MOST_CLASSES + 1).items():
                self.classes[str(word)] = self.classes.get(str(word), 0) + int(count)

    def _add_best(self, values: pd.Series) -> None:
        """Note the values that cannot be a true probability, or a true mean."""
        import pandas as pd

        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
        right = (numbers >= 0) & (numbers <= 1) if self.problem.task == "binary" else np.isfinite(numbers)
        wrong = np.flatnonzero(~right)
        if len(wrong) and not self.untrue:
            self.untrue_rows = ", ".join(f"row {self.rows + row + 1}: {values.iloc[row]!r}" for row in wrong[:3])
        self.untrue += len(wrong)

    def mistakes(self) -> list[str]:
        """Return all that keeps the rows from carrying the problem."""
        if self.twice:
            return [f"the column {name!r} is there twice" for name in self.twice]
        data, split, columns = self.problem.data, self.problem.split, self.columns or []
        reference = self.problem.reference
        named: list[str | None] = [data.target, data.group, data.time, split.column, *reference.columns]
        named += [*data.key, *data.hidden]
        policy = self.problem.prepare
        told = [*named, *data.ranges, *data.kinds, *data.commas, *data.dates, *policy.spelling, *policy.outliers]
        told += [part.column for part in self.problem.constraints.slices]
        missing = dict.fromkeys(name for name in told if name is not None and name not in columns)
        found = [f"the column {name!r} is not there{nearest(name, columns)}" for name in missing]
        if self.rows < 2 * split.folds:
            found.append(f"it has {self.rows} rows, too few for {split.folds} folds")
        if not set(columns) - set(named):
            found.append("no column is left for a model to see")
        if self.untrue:
            kind = "a probability from 0 to 1" if self.problem.task == "binary" else "a finite number"
            where = f"in every row, but is not in {self.untrue} ({self.untrue_rows})"
            found.append(f"reference.best: {reference.best!r} must be {kind} {where}")
        return found + (self._target_mistakes(data.target) if data.target in columns else [])

    def _target_mistakes(self, name: str | None) -> list[str]:
        if not self.targets:
            return [f"the target {name!r} is missing in every row"]
        if self.problem.task == "regression":
            return [f"the target {name!r} must be a number, but {self.bad}"] if self.bad else []
        classes, folds = sorted(self.classes), self.problem.split.folds
        if len(classes) > MOST_CLASSES:
            return [f"the target {name!r} has more than {MOST_CLASSES} classes: is it a number, for a regression?"]
        if len(classes) < 2:
            return [f"the target {name!r} must have two classes or more, but has only {classes[0]!r}"]
        found = self._binary_mistakes(name, classes) if self.problem.task == "binary" else []
        least = min(classes, key=lambda word: self.classes[word])
        if (rows := self.classes[least]) < folds:
            found.append(f"the class {least!r} has {rows} rows, too few for {folds} folds")
        return found

    def _binary_mistakes(self, name: str | None, classes: list[str]) -> list[str]:
        positive = self.problem.data.positive
        found = []
        if len(classes) > 2:
            count = f"has {len(classes)}: {classes[:5]}"
            found.append(f"the target {name!r} must have two classes in a binary task, but {count}")
        if (word := as_word(positive)) not in classes:
            found.append(f"the positive class {positive!r} is not in {name!r}{nearest(word, classes)}")
        return found
