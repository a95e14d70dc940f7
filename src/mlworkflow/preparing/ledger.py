"""What each rule did to the rows: seen, changed, dropped, with examples; batches add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 3


@dataclass
class Line:
    """One rule and the column it was applied to (None: the row as a whole)."""

    rule: str
    column: str | None = None
    always: bool = False  # told even where it did nothing
    seen: int = 0
    changed: int = 0
    dropped: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, seen: int, *, changed: int = 0, dropped: int = 0, examples: Iterable[str] = ()) -> None:
        """Add what the rule did to further rows."""
        self.seen += seen
        self.changed += changed
        self.dropped += dropped
        for example in examples:
            if len(self.examples) < EXAMPLES and example not in self.examples:
                self.examples.append(example)


class Ledger:
    """A line for each rule and column, in the order in which they were first named."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str | None], Line] = {}

    def line(self, rule: str, column: str | None = None, *, always: bool = False) -> Line:
        """Return the line of a rule, begun where there is none."""
        return self.lines.setdefault((rule, column), Line(rule, column, always))

    def table(self) -> pd.DataFrame:
        """Return the ledger as a table; of a rule that changed nothing in any column a single line is told."""
        import pandas as pd

        rows: dict[tuple[str, str | None], Line] = {}
        worked = {line.rule for line in self.lines.values() if line.changed or line.dropped or line.always}
        for line in self.lines.values():
            if line.column is None or line.changed or line.dropped or line.always:
                rows[line.rule, line.column] = line
            elif line.rule not in worked:
                rows.setdefault((line.rule, None), Line(line.rule)).seen = line.seen
        return pd.DataFrame(map(_told, rows.values()), columns=["rule", "seen", "changed", "dropped", "examples"])


def _told(line: Line) -> dict[str, object]:
    return {
        "rule": line.rule if line.column is None else f"{line.rule} in {line.column}",
        "seen": line.seen,
        "changed": line.changed,
        "dropped": line.dropped,
        "examples": "; ".join(line.examples),
    }
