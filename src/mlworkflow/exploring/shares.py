"""Whether the classes keep their shares: over time, and between training and test rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from mlworkflow.exploring.changes import FEWEST_ROWS, SHARE_MOVED
from mlworkflow.exploring.findings import Data, Finding
from mlworkflow.pages.templates import percent
from mlworkflow.rows.cast import read_rows
from mlworkflow.rows.sampling import thinned
from mlworkflow.rows.schema import codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUARTERS = (0.25, 0.5, 0.75)  # shares of the rows in time; a class is compared before and after each
MOST_COUNTED = 40_000  # evenly spaced raw rows whose classes are counted
LEVEL = 0.001  # of all classes and parts together: how often a difference that is chance is told


class Part(NamedTuple):
    """Two parts of the rows: (n,) which are in the second, and the names of both."""

    second: NDArray[np.bool_]
    names: tuple[str, str]


class Moved(NamedTuple):
    """A class in two parts of the rows; the chance of such a difference comes first, so that the least sorts first."""

    chance: float
    code: int
    shares: tuple[float, float]
    names: tuple[str, str]


def label_shift(data: Data) -> list[Finding]:
    """A class whose share differs between earlier and later rows, or between training and test rows.

    All collected rows count whose class is known. A difference is told that matters and is beyond chance, by the exact
    test of Fisher (1935) and Bonferroni over the classes and the parts.
    """
    classes, name = data.schema.classes, data.schema.target
    if not classes or name is None or name not in data.raw.columns:
        return []
    known, parts = _parted(data, name)
    tried = len(parts) * (len(classes) if len(classes) > 2 else 1)  # of two classes, one tells the other's share
    least = min((_least_likely(known, part, len(classes)) for part in parts), default=None)
    if least is None or least.chance * tried >= LEVEL:
        return []
    before, after = (f"{percent(share)} of {part}" for share, part in zip(least.shares, least.names, strict=True))
    what = (
        f"The class {str(classes[least.code])!r} makes up {before} but {after}: probabilities learnt here will be off "
        f"where shares are others. {'Find out why.' if data.by_time else 'Validate by time, or find out why.'}"
    )
    return [Finding("label_shift", "medium", name, what, abs(least.shares[1] - least.shares[0]))]


def _parted(data: Data, target: str) -> tuple[NDArray[np.int64], list[Part]]:
    """Return the (n,) codes of rows whose class is known, and the parts of these rows that are large enough."""
    keep = thinned(len(data.raw), MOST_COUNTED)
    names = [name for name in (target, *data.schema.with_role("time")) if name in data.raw.columns]
    rows, _ = read_rows(pd.DataFrame({name: data.raw[name].iloc[keep] for name in names}), data.schema, only=names)
    found = codes(rows[target], data.schema.classes)
    known = (found >= 0) & rows.notna().all(axis=1).to_numpy()
    parts = list(_by_time(rows.loc[known, data.time])) if data.time in names else []
    if data.test is not None:
        parts.append(Part(data.test[keep][known], ("the training", "the test rows")))
    return found[known], [part for part in parts if min(part.second.sum(), (~part.second).sum()) >= FEWEST_ROWS / 2]


def _by_time(times: pd.Series) -> Iterator[Part]:
    """Yield the rows before and after each quarter of them; rows of one time are in one part."""
    ordered = times.sort_values()
    for share in QUARTERS:
        later = (times >= ordered.iloc[int(share * len(ordered))]).to_numpy() if len(ordered) else np.zeros(0, bool)
        yield Part(later, (f"the earliest {percent(share)} of the rows", "the others"))


def _least_likely(known: NDArray[np.int64], part: Part, classes: int) -> Moved:
    """Return the class whose share differs least by chance between two parts, of those where it matters."""
    sides = ~part.second, part.second
    shares = np.array([np.bincount(known[side], minlength=classes) / side.sum() for side in sides])
    matters = np.abs(shares[1] - shares[0]) >= np.minimum(SHARE_MOVED, shares.max(axis=0) / 2)
    chances = np.where(matters, _chances(known, part.second, classes), 1.0)
    worst = int(chances.argmin())
    return Moved(float(chances[worst]), worst, (float(shares[0, worst]), float(shares[1, worst])), part.names)


def _chances(known: NDArray[np.int64], second: NDArray[np.bool_], classes: int) -> NDArray[np.float64]:
    """Return (classes,): how often chance moves as many rows of a class into one of the parts (two-sided)."""
    from scipy.stats import hypergeom

    count, rows = (np.bincount(codes, minlength=classes) for codes in (known[second], known))
    law = len(known), rows, int(second.sum())
    return np.asarray(np.minimum(1.0, 2 * np.minimum(hypergeom.cdf(count, *law), hypergeom.sf(count - 1, *law))))
