"""Champion against challenger: which model in use is better, by the comparison that `review` makes.

- paired: both scored the same rows (a shadow). Both are resampled together: see measures/compare.py.
- not paired: each answered a share of the keys. The two intervals are made alone (BCa bootstrap), and the distances of
  their ends are put together by the method of variance estimates recovery (MOVER: Zou and Donner 2008).

Who looks every day finds a difference some day, and nobody knows how many days will come. So the error is spent: the
interval of look k is moved out to the level 1 - 0.05 / (k (k + 1)), see measures/many.py. These errors sum to 0.05 over
all k: the chance that any look at two equal models finds a difference is at most 5%, however long one goes on, and one
may stop as soon as a difference shows. The first look pays half of it: its interval is 14% wider than that of a single
look; that of the sixtieth is 2.2 times as wide. A look is a window of the report: who looks several times in one, as
outcomes come, is not counted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlworkflow.measures import bootstrap, worth
from mlworkflow.measures.compare import UNCLEAR, Difference, differences
from mlworkflow.measures.intervals import intervals
from mlworkflow.measures.many import level_at, moved_out
from mlworkflow.measures.metrics import gain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlworkflow.core.problem import Value
    from mlworkflow.measures.metrics import Scored

LEVEL = 0.95
FEWEST = 2  # rows of each; of fewer nothing is said


def compared(
    champion: Scored,
    challenger: Scored,
    paired: bool,
    primary: str,
    least_gain: float,
    names: Sequence[str],
    value: Value | None,
    classes: Sequence[Any],
    seed: int,
    look: int | None = None,
) -> dict[str, Any]:
    """Return how much better the challenger is, as plain JSON.

    Args:
        champion: rows whose outcome is known, as the champion predicted them.
        challenger: the same rows in the same order where `paired`, else those that the challenger answered.
        paired: whether the rows are the same.
        primary: the metric that decides.
        least_gain: the least difference worth having.
        names: further metrics.
        value: what outcomes are worth, if the problem says it.
        classes: as the worth names them; none of a regression.
        seed: of the resamples.
        look: which look at these two this is, from 1, where others may follow; None: the only one.

    The keys: `word` (better, worse, no clear difference), `primary`, `differences` {metric: {value, low, high, word}},
    above zero the challenger is better; `money` (a row, in `unit`) or None; `rows` {champion, challenger}; `values` of
    both; `paired`, `look`, `level`, `words`.

    Raises:
        ValueError: `paired`, and the numbers of rows differ.
    """
    level = LEVEL if look is None else level_at(look, LEVEL)
    asked = list(dict.fromkeys([primary, *names]))
    enough = min(len(champion), len(challenger)) >= FEWEST
    found = _differences(champion, challenger, paired, asked, seed) if enough else {}
    found = {name: moved_out(one, LEVEL, level) for name, one in found.items()}
    money = None
    if enough and value is not None:
        earned = moved_out(_money(champion, challenger, paired, value, classes, seed), LEVEL, level)
        money = {**_plain(earned), "unit": value.unit}
    word = found[primary].word(least_gain) if primary in found else UNCLEAR
    rows = {"champion": len(champion), "challenger": len(challenger)}
    return {
        "word": word,
        "primary": primary,
        "least_gain": least_gain,
        "differences": {
            n: {**_plain(one), "word": one.word(least_gain if n == primary else 0)} for n, one in found.items()
        },
        "money": money,
        "rows": rows,
        "paired": paired,
        "look": look,
        "level": level,
        "words": _words(word, found.get(primary), primary, rows, paired, look),
    }


def _differences(
    champion: Scored, challenger: Scored, paired: bool, names: Sequence[str], seed: int
) -> dict[str, Difference]:
    if paired:
        return differences(names, challenger, champion, seed=seed, level=LEVEL)
    sides = [
        intervals(names, one, seed=seed + place, level=LEVEL)["metrics"]
        for place, one in enumerate((challenger, champion))
    ]
    return {name: mover(name, sides[0][name], sides[1][name]) for name in names if name in sides[0]}


def mover(name: str, candidate: dict[str, float], base: dict[str, float]) -> Difference:
    """Return how much better the candidate is than the base by a metric, from two independent intervals (MOVER)."""
    sign = gain(name, 1.0, 0.0)
    ours, theirs = (Difference(*sorted_ends(one, sign)) for one in (candidate, base))
    return _apart(ours, theirs)


def sorted_ends(ends: dict[str, float], sign: float) -> tuple[float, float, float]:
    """Return (value, low, high) turned so that above is better."""
    low, high = sorted((sign * ends["low"], sign * ends["high"]))
    return sign * ends["value"], low, high


def _apart(ours: Difference, theirs: Difference) -> Difference:
    value = ours.value - theirs.value
    below = float(np.hypot(ours.value - ours.low, theirs.high - theirs.value))
    above = float(np.hypot(ours.high - ours.value, theirs.value - theirs.low))
    return Difference(value, value - below, value + above)


def _money(
    champion: Scored, challenger: Scored, paired: bool, value: Value, classes: Sequence[Any], seed: int
) -> Difference:
    """Return what the challenger earns more, a row."""
    ours, theirs = (worth.per_row(one, value, classes) for one in (challenger, champion))
    if paired:
        return _mean(ours - theirs, seed)
    return _apart(_mean(ours, seed), _mean(theirs, seed + 1))


def _mean(values: NDArray[Any], seed: int) -> Difference:
    """Return the mean with its BCa interval."""
    n, mean = len(values), float(values.mean())
    chunks = bootstrap.resample_counts(n, bootstrap.resamples_for(n), seed=seed)
    drawn = np.concatenate([np.einsum("rn,n->r", weights, values) / n for weights in chunks])
    low, high = bootstrap.bca(mean, drawn, (values.sum() - values) / (n - 1), LEVEL)
    return Difference(mean, low, high)


def _plain(one: Difference) -> dict[str, float | None]:
    return {key: None if np.isnan(end) else float(end) for key, end in one.to_dict().items()}


def _words(
    word: str, found: Difference | None, primary: str, rows: dict[str, int], paired: bool, look: int | None
) -> str:
    if found is None or np.isnan(found.value):
        return f"nothing can be said of {primary}: {rows['champion']:,} and {rows['challenger']:,} rows with outcomes"
    ours, theirs = rows["challenger"], rows["champion"]
    on = f"the same {theirs:,} rows" if paired else f"{ours:,} rows against {theirs:,}"
    often = "" if look is None else f", at look {look}: all looks together err in at most {1 - LEVEL:.0%}"
    start = word if word == UNCLEAR else f"the challenger is {word}"
    return f"{start} by {primary}: {found.value:+.3g} ({found.low:+.3g} to {found.high:+.3g}) on {on}{often}"
