"""What came of a retraining: for a terminal, as JSON, as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlworkflow.core import io
from mlworkflow.core.errors import listed
from mlworkflow.retraining.choice import Chosen
from mlworkflow.retraining.place import FOLDER


@dataclass(frozen=True)
class Result:
    """What came of a retraining.

    Attributes:
        problem: its name.
        champion: the version in service.
        branch: that holds it.
        reason: why.
        ledger: what rows came, and which were left out.
        chosen: the review's word, and what is taken.
        seconds: name of a candidate -> what its experiment took, where it was made in this run.
        tried: name -> what was done.
        released: the version that was released by itself; None: none was.
        against: why the winner is not released, or not without a reason; empty where nothing is against it.
        commands: to go on with.
    """

    problem: str
    champion: str
    branch: str
    reason: str
    ledger: Mapping[str, int]
    chosen: Chosen
    seconds: Mapping[str, float] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)
    released: str | None = None
    against: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def page(self) -> Path:
        """Where its page lies."""
        return FOLDER / f"{self.branch.rpartition('/')[2]}.html"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        told = {name: getattr(self, name) for name in ("problem", "champion", "branch", "reason", "released")}
        return told | {
            "word": self.chosen.word,
            "chosen": self.chosen.name,
            "sentence": self.chosen.sentence,
            "rows": dict(self.ledger),
            "candidates": dict(self.chosen.words),
            "against": list(self.against),
            "commands": list(self.commands),
        }

    def paged(self) -> Result:
        """Write the page, and return what it is of."""
        from mlworkflow.retraining.page import page

        io.write_text(page(self), self.page)
        return self


def words(made: Result) -> list[str]:
    """Return the result for a terminal."""
    lines = [f"{made.problem} {made.champion}, because: {made.reason}", ""]
    lines += [f"  {count:>7,}  {what}" for what, count in made.ledger.items() if count]
    lines.append("")
    for name, told in made.chosen.reviews.items():
        taken = "*" if name == made.chosen.name else " "
        lines.append(f"{taken} {name:<13} {made.chosen.words[name]:<20} {_number(told)}")
    lines += ["", made.chosen.sentence]
    if made.released:
        lines.append(f"Released as {made.released}, as conf/retrain says.")
    if made.against:
        lines += ["", f"Not to be released without a reason:\n{listed(made.against)}"]
    return [*lines, "Go on with:" if made.chosen.name else "The branch can go:", *(f"  {one}" for one in made.commands)]


def _number(told: Mapping[str, Any]) -> str:
    first = next(iter(told["metrics"]), None)
    if not first or not first["difference"]:
        return ""
    gain = first["difference"]
    return (
        f"{first['name']} {first['base']:.4g} -> {first['candidate']:.4g} ({gain['low']:+.3g} to {gain['high']:+.3g})"
    )
