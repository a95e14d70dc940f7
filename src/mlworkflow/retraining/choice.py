"""Which candidate is taken: the cheapest that is better than the champion, unless a dearer one is better than that.

Who tries five candidates finds one that is better by chance five times as often. So each interval is moved out to the
level that all need together (Bonferroni), by the normal distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlworkflow.measures.compare import BETTER, UNCLEAR, WORSE, Difference
from mlworkflow.measures.many import level_of, moved_out

Told = Mapping[str, Any]  # a review as JSON has it
Reviewed = Callable[[str, str], Told]  # (base, candidate) -> the review


@dataclass(frozen=True)
class Chosen:
    """What came of it.

    Attributes:
        word: better, no clear difference, worse: of the one that is taken, else of the best.
        name: of the candidate that is taken; None: none is.
        sentence: the same in one sentence.
        reviews: name -> its review against the champion.
        words: name -> the word of it as one of several.
    """

    word: str
    name: str | None
    sentence: str
    reviews: Mapping[str, Told]
    words: Mapping[str, str]


def choose(names: Sequence[str], champion: str, reviewed: Reviewed) -> Chosen:
    """Return which of the candidates, the cheapest first, takes the champion's place."""
    reviews = {name: reviewed(champion, name) for name in names}
    said = {name: word_of(told, len(names)) for name, told in reviews.items()}
    better = [name for name in names if said[name] == BETTER]
    if not better:
        words = set(said.values())
        word = UNCLEAR if UNCLEAR in words or not words else WORSE
        return Chosen(word, None, _none(names, reviews, said), reviews, said)
    taken = better[0]
    for dearer in better[1:]:
        if word_of(reviewed(taken, dearer), len(names)) == BETTER:
            taken = dearer
    sentence = f"{taken} is better than the champion. {reviews[taken]['sentence']}"
    return Chosen(BETTER, taken, sentence, reviews, said)


def word_of(told: Told, count: int) -> str:
    """Return the word of a review as one of so many."""
    first = next(iter(told["metrics"]), None)
    if not first or not first["difference"]:
        return str(told["word"])
    found = Difference(**first["difference"])
    return moved_out(found, level_of(1), level_of(count)).word(told["least_gain"])


def _none(names: Sequence[str], reviews: Mapping[str, Told], said: Mapping[str, str]) -> str:
    """Return why nothing is taken."""
    if not names:
        return "nothing was tried"
    best = max(names, key=lambda name: _gain(reviews[name]))
    told = reviews[best]
    chance = f" With {len(names)} tried, chance alone may give that." if told["word"] != said[best] else ""
    return f"none of {', '.join(names)} is clearly better than the champion. Of {best}: {told['sentence']}{chance}"


def _gain(told: Told) -> float:
    first = next(iter(told["metrics"]), None)
    difference = first and first["difference"]
    return float(difference["value"]) if difference else float("-inf")
