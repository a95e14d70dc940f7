"""Where in an order the values of a column change, and by which conversion: numbers from arrays.

A change of units keeps the shape of a distribution and moves it by a factor or an offset that is known beforehand.
So it is looked for as a change point (in the manner of Pettitt 1979, A non-parametric approach to the change-point
problem, with the two-sample statistic of Kolmogorov and Smirnov) whose two sides agree once one is converted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUTS = np.arange(10, 95, 5) / 100  # where a change is looked for, as shares of the rows
FEWEST = 10  # rows of a class on each side of a cut
CHANCE = 1.36  # times sqrt(1 / n + 1 / m): what the distance of two samples of one distribution exceeds 5% of times
LARGE = 0.3  # a distance that drift alone rarely reaches within a table
LARGE_OF_HOURS = 0.2  # the same for hours of day: two hours among those of a shop
WINDOW = 0.1  # share of the rows on each side of a cut that tell whether the change is sudden
FEWEST_NEAR = 25  # or so many rows, where the table is small
SUDDEN = 1.2  # how many times further apart neighbours must be at the cut than anywhere else
HOURS = 24
CONVERSIONS: dict[str, tuple[float, float]] = {  # what is written -> (factor, offset)
    "metres to feet": (3.28084, 0),
    "inches to centimetres": (2.54, 0),
    "inches to millimetres": (25.4, 0),
    "kilograms to pounds": (2.20462, 0),
    "ounces to grams": (28.3495, 0),
    "miles to kilometres": (1.609344, 0),
    "gallons to litres": (3.78541, 0),
    "degrees Celsius to Fahrenheit": (1.8, 32),
    "degrees Celsius to kelvin": (1, 273.15),
    "kilocalories to kilojoules": (4.184, 0),
    "hours to minutes, or minutes to seconds": (60, 0),
    "hours to seconds": (3600, 0),
    "days to hours": (24, 0),
    "years to months": (12, 0),
    "a tenfold": (10, 0),
    "a hundredfold": (100, 0),
    "a thousandfold": (1000, 0),
    "a millionfold": (1e6, 0),
}


class Change(NamedTuple):
    """What happens at a cut, a share of the rows: how far apart the sides are, and once one of them is converted."""

    cut: float
    apart: float
    noise: float
    mended: float
    words: str
    factor: float = 1.0
    offset: float = 0.0


def distance(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the greatest difference of two distribution functions (Kolmogorov and Smirnov): 0 alike, 1 apart."""
    both = np.concatenate([before, after])
    shares = [np.searchsorted(np.sort(side), both, "right") / len(side) for side in (before, after)]
    return float(np.abs(shares[0] - shares[1]).max())


class Sides(NamedTuple):
    """The values before and after a cut, a pair for each class that is on both sides."""

    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]]

    def apart(self, factor: float = 1.0, offset: float = 0.0) -> float:
        """Return the mean distance within the classes after the earlier values were converted."""
        told = [distance(before * factor + offset, after) for before, after in self.pairs]
        return float(np.average(told, weights=self.weights)) if told else 0.0

    @property
    def noise(self) -> float:
        """What `apart` stays under 19 times of 20 where nothing changed."""
        told = [CHANCE * (1 / len(before) + 1 / len(after)) ** 0.5 for before, after in self.pairs]
        return float(np.average(told, weights=self.weights)) if told else 1.0

    @property
    def weights(self) -> list[int]:
        """The rows of each pair, those of the smaller side."""
        return [min(len(before), len(after)) for before, after in self.pairs]


def sides(values: NDArray[np.float64], classes: NDArray[np.int64], cut: float) -> Sides:
    """Return (n,) values in order on both sides of a cut, by class: a table sorted by class has no pair to compare."""
    place = int(cut * len(values))
    pairs = []
    for code in np.unique(classes):
        mine, at = values[classes == code], int((classes[:place] == code).sum())
        before, after = (side[~np.isnan(side)] for side in (mine[:at], mine[at:]))
        if min(len(before), len(after)) >= FEWEST:
            pairs.append((before, after))
    return Sides(pairs)


def unit_change(values: NDArray[np.float64], classes: NDArray[np.int64]) -> Change | None:
    """Return the change of units that divides (n,) values in order, or None."""
    cut = float(CUTS[_over_noise(values, classes).argmax()])
    parts = sides(values, classes, cut)
    apart, noise = parts.apart(), parts.noise
    if apart < LARGE or apart < 2 * noise:
        return None
    changes = [
        Change(cut, apart, noise, parts.apart(factor, offset), words, factor, offset)
        for words, (factor, offset) in _both_ways()
    ]
    best = min(changes, key=lambda change: change.mended)
    alike = best.mended < max(1.2 * noise, 0.06) and best.mended < apart / 3  # 0.06: the cut is known to a twentieth
    return best if alike and _sudden(values, cut) else None


def _over_noise(values: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each of CUTS how far the sides are apart beyond the noise: `apart` less `noise` of `sides`."""
    places, told, weights = (CUTS * len(values)).astype("int64"), [], []
    for code in np.unique(classes):
        mine = (classes == code) & ~np.isnan(values)
        before = np.concatenate([[0], np.cumsum(mine)])[places]
        after = mine.sum() - before
        order = np.argsort(values[mine], kind="stable")
        ranked = values[mine][order]
        last = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]  # of equal values: there both steps are done
        below = np.cumsum(order[None, :] < before[:, None], axis=1)[:, last]
        above = np.arange(1, len(ranked) + 1)[last] - below
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.abs(below / before[:, None] - above / after[:, None])
            noise = CHANCE * (1 / before + 1 / after) ** 0.5
        least = np.minimum(before, after)
        told.append(np.where(least >= FEWEST, apart.max(axis=1, initial=0.0) - noise, 0.0))
        weights.append(np.where(least >= FEWEST, least, 0))
    total = np.sum(weights, axis=0)
    return np.where(total > 0, (np.array(told) * weights).sum(axis=0) / np.maximum(total, 1), -1.0)


def _sudden(values: NDArray[np.float64], cut: float) -> bool:
    """Return whether neighbours differ more at the cut than anywhere else: seasons and drift change step by step."""
    width = min(max(WINDOW, FEWEST_NEAR / len(values)), 0.2)
    places = np.arange(width, 1 - width + 0.001, 0.01)
    told = np.array([_step(values, place, int(width * len(values))) for place in places])
    near = np.abs(places - cut) < 0.04  # the cut is known to a twentieth
    far = np.abs(places - cut) > width + 0.02
    return bool(near.any() and told[near].max() > SUDDEN * told[far].max(initial=0.0))


def _step(values: NDArray[np.float64], place: float, width: int) -> float:
    """Return how far the values just before a place are from those just after."""
    at = int(place * len(values))
    before, after = (side[~np.isnan(side)] for side in (values[at - width : at], values[at : at + width]))
    return distance(before, after) if min(len(before), len(after)) >= FEWEST else 0.0


def _both_ways() -> list[tuple[str, tuple[float, float]]]:
    back = [(f"{words}, backwards", (1 / factor, -offset / factor)) for words, (factor, offset) in CONVERSIONS.items()]
    return [*CONVERSIONS.items(), *back]


def two_units(values: NDArray[np.float64]) -> tuple[str, float] | None:
    """Return the conversion between two heaps of (n,) positive values and the share of the upper one, or None.

    The heaps must be apart by a gap that is wider than any other, and be alike once the lower one is converted.
    """
    ordered = np.sort(values[values > 0])
    if len(ordered) < 10 * FEWEST:
        return None
    place = int(np.diff(np.log(ordered)).argmax()) + 1
    low, high = ordered[:place], ordered[place:]
    share = len(high) / len(ordered)
    if not 0.05 <= share <= 0.95 or high[0] / low[-1] < 2 or len(np.unique(low)) < FEWEST:
        return None
    noise = CHANCE * (1 / len(low) + 1 / len(high)) ** 0.5
    told = [(distance(low * factor + offset, high), words) for words, (factor, offset) in CONVERSIONS.items()]
    best, words = min(told)
    return (words, share) if best < min(noise, LARGE) else None


def hour_shift(hours: NDArray[np.int64]) -> tuple[Change, int] | None:
    """Return the change at which (n,) hours of day in order shift by whole hours, and by how many, or None."""
    cut, apart, noise = max((_hours_apart(hours, float(cut), 0) for cut in CUTS), key=lambda told: told[1] - told[2])
    if apart < LARGE_OF_HOURS or apart < 2 * noise:
        return None
    told = [(_hours_apart(hours, cut, shift)[1], abs(shift), shift) for shift in range(-11, 13) if shift]
    mended, _, shift = min(told)
    if mended > apart / 2 or mended > max(1.5 * noise, 0.1):
        return None
    return Change(cut, apart, noise, mended, f"{shift:+d} hours"), shift


def _hours_apart(hours: NDArray[np.int64], cut: float, shift: int) -> tuple[float, float, float]:
    """Return the cut, half the sum of the differences of the shares of each hour, and what chance makes of that."""
    place = int(cut * len(hours))
    before = np.bincount((hours[:place] + shift) % HOURS, minlength=HOURS) / max(place, 1)
    after = np.bincount(hours[place:], minlength=HOURS) / max(len(hours) - place, 1)
    spread = np.sqrt((before + after) / 2 * (1 / max(place, 1) + 1 / max(len(hours) - place, 1)) * 2 / np.pi)
    return cut, float(np.abs(before - after).sum() / 2), float(spread.sum() / 2)
