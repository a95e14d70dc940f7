"""Churn: a simulated stream of monthly customer records whose true probabilities are known.

A company has a constant number of customers; whoever leaves is gone the month after, and a new one takes the place.
Each month a customer has a record, and leaves within the next month by the log-odds

    -1.0 + CONTRACTS[contract] + PLANS[plan].effect + REGIONS[region] + TONES[tone of the note].effect
    + (0.25 + 0.25 u) support_calls
    + 0.02 (charges - 30)
    - 0.4 log(1 + tenure)
    - 0.5 log((minutes + 10) / (minutes of the month before + 10))    0 in a customer's first month
    + 0.5 for a monthly contract in its first half year (tenure below 6)

with the tenure in months since that of the signup, and u = drift x years since the first month. A model can see all
that the probability rests on, but through the blemishes (blemishes.py), which are made after the outcome is drawn, and
the month before only through lags. Drift, for each unit of u: prices rise by 8%, minutes fall by 10%, data grow by 35%,
and a support call weighs 0.25 more. With `drift: 0` nothing moves but the calendar, as the company has run for RUN_IN
months before the first that is told: the mix of its customers is steady.

From the month `turn` on, if one is given, the reasons are others while the customers are the same: a competitor pays
those off who are bound by a contract (TURNED instead of CONTRACTS), and support calls count nothing.

Every month has its own random generators, so `month(3)` is the third month of `stream`. Numbers are rounded before
anything is decided by them, so that the last bits of exp and log, which differ between processors, decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlworkflow.blemishes import blemish, spelt, words_of
from mlworkflow.core.errors import ConfError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    People = dict[str, NDArray[Any]]  # what is known of each customer, an array a property

START = np.datetime64("2023-01", "M")  # the first month that is told
RUN_IN = 120  # months before it that are lived through, not told
PROCESS, TABLE = 0, 1  # each month has a generator for what happens and one for how it is written down


class Plan(NamedTuple):
    """A plan: EUR a month, minutes in it, what it adds to the log-odds, what its customers ask about."""

    price: float
    allowance: float
    effect: float
    topic: str


class Tone(NamedTuple):
    """The tone of a note: what it adds to the log-odds, and its phrases."""

    effect: float
    phrases: tuple[str, ...]


PLANS = {
    "Basic": Plan(12, 100, 0.2, "call minutes"),
    "Silver": Plan(22, 250, 0.0, "the data bundle"),
    "Gold": Plan(35, 500, -0.2, "phones for the family"),
    "Premium": Plan(55, 1000, -0.3, "roaming abroad"),
}
CONTRACTS = {"monthly": 0.0, "yearly": -0.8, "two years": -1.4}
TURNED = {"monthly": -1.2, "yearly": 0.3, "two years": 0.6}
REGIONS = {"North": 0.0, "South": 0.15, "East": -0.15, "West": 0.0, "Centre": 0.1}
TONES = {
    "annoyed": Tone(
        0.6,
        (
            "waited too long for an answer",
            "is unhappy with the bill",
            "complains about dropped calls",
            "says it is not worth the money",
        ),
    ),
    "neutral": Tone(
        0.0,
        ("has a question", "asked for a copy of the bill", "gave a new address", "wants to compare the plans"),
    ),
    "pleased": Tone(
        -0.4,
        ("is grateful for the quick help", "is happy with the speed", "recommended us to a friend", "likes the app"),
    ),
}
OPENERS = ("Customer", "Caller", "Client", "Mail: the customer")
TOPICS = (*(plan.topic for plan in PLANS.values()), "the invoice", "the app", "coverage at home")
NOTES = [
    f"{opener} {phrase}. About {topic}."
    for tone in TONES.values()
    for phrase in tone.phrases
    for topic in TOPICS
    for opener in OPENERS
]


@dataclass(frozen=True)
class Records:
    """One month as it really was: the customers, what they did and were charged, how likely they left, who did."""

    number: int
    people: People
    tone: NDArray[np.int64]
    calls: NDArray[np.int64]
    minutes: NDArray[np.float64]
    data: NDArray[np.float64]
    charges: NDArray[np.float64]
    probability: NDArray[np.float64]
    left: NDArray[np.bool_]


def stream(
    customers: int = 1000,
    months: int = 18,
    drift: float = 1.0,
    seed: int = 42,
    blemishes: float = 1.0,
    turn: int | None = None,
) -> pd.DataFrame:
    """Return the records of all months, `customers` a month and the few that are there twice.

    Args:
        customers: how many there are at a time.
        months: how many are told, from START on.
        drift: how fast the process moves; 0: not at all.
        seed: of everything random.
        blemishes: multiplies the rates in blemishes.py; 0: a clean table.
        turn: the month from which on customers leave for other reasons; None: never.

    Raises:
        ConfError: an argument is below what it can be.
    """
    import pandas as pd

    return pd.concat(batches(customers, months, drift, seed, blemishes, turn), ignore_index=True)


def batches(
    customers: int, months: int, drift: float, seed: int, blemishes: float, turn: int | None
) -> Iterator[pd.DataFrame]:
    """Yield the months of `stream` one by one, for a stream that is large."""
    _demand(customers=(customers, 1), months=(months, 1), drift=(drift, 0), seed=(seed, 0), blemishes=(blemishes, 0))
    told = islice(_process(customers, drift, seed, turn), RUN_IN, RUN_IN + months)
    return (_table(records, seed, blemishes) for records in told)


def month(
    number: int, customers: int = 1000, drift: float = 1.0, seed: int = 42, blemishes: float = 1.0
) -> pd.DataFrame:
    """Return one month of the stream, the first is 1; every month before is lived through, but not written down."""
    _demand(number=(number, 1), customers=(customers, 1), drift=(drift, 0), seed=(seed, 0), blemishes=(blemishes, 0))
    told = islice(_process(customers, drift, seed), RUN_IN + number - 1, None)
    return _table(next(told), seed, blemishes)


def _demand(**arguments: tuple[float, float]) -> None:
    found = [
        f"problem.source.{name} must be at least {least}, but is {value}"
        for name, (value, least) in arguments.items()
        if not value >= least
    ]
    if found:
        raise ConfError(found, "Mend problem.source.")


# ---- what happens ----------------------------------------------------------------------------------------------------


def _process(customers: int, drift: float, seed: int, turn: int | None = None) -> Iterator[Records]:
    """Yield month after month without end, the months of running in first."""
    people: People = {}
    for step in count():
        random, number = np.random.default_rng([seed, step, PROCESS]), step + 1 - RUN_IN
        people = people or _arrivals(random, customers, 1, number - random.integers(1, 49, customers))
        records = _lived(people, number, drift, random, turned=turn is not None and number >= turn)
        yield records
        people = _renewed(records, random)


def _arrivals(random: np.random.Generator, size: int, first: int, joined: NDArray[Any]) -> People:
    """Return new customers, numbered from `first`, who signed up in the months `joined`."""
    plan = random.choice(len(PLANS), size, p=[0.3, 0.35, 0.25, 0.1])
    allowance = np.array([one.allowance for one in PLANS.values()])[plan]  # minutes
    return {
        "customer": np.arange(first, first + size),
        "joined": joined,
        "day": random.random(size),  # of the month of the signup, as a share of it
        "plan": plan,
        "contract": random.choice(len(CONTRACTS), size, p=[0.55, 0.3, 0.15]),
        "region": random.choice(len(REGIONS), size, p=[0.25, 0.3, 0.15, 0.2, 0.1]),
        "mood": random.normal(size=size).round(6),
        "minutes": (0.7 * allowance * np.exp(random.normal(0, 0.5, size))).round(2),  # usual in a month
        "data": (2 + allowance / 50 * np.exp(random.normal(0, 0.6, size))).round(2),
        "before": np.full(size, np.nan),  # minutes of the month before
    }


def _lived(people: People, number: int, drift: float, random: np.random.Generator, *, turned: bool) -> Records:
    """Return what the customers did in a month, and who of them leaves."""
    size, years = len(people["customer"]), _years(number, drift)
    price = np.array([plan.price for plan in PLANS.values()])[people["plan"]]
    allowance = np.array([plan.allowance for plan in PLANS.values()])[people["plan"]]
    latent = 0.8 * people["mood"] + random.normal(size=size)
    tone = np.where(latent > 1.2, 0, np.where(latent < -1.2, 2, 1))  # places in TONES
    calls = random.poisson(np.exp(0.4 * people["mood"] - 0.5).round(6))
    minutes = (people["minutes"] * np.exp(random.normal(0, 0.35, size)) * 0.9**years).round(0)
    data = (people["data"] * np.exp(random.normal(0, 0.4, size)) * 1.35**years).round(2)
    charges = (price * 1.08**years + 0.05 * np.maximum(minutes - allowance, 0)).round(2)
    odds = _log_odds(people, number, years, turned, tone=tone, calls=calls, minutes=minutes, charges=charges)
    probability = (1 / (1 + np.exp(-odds))).round(6)
    left = random.random(size) < probability
    return Records(number, people, tone, calls, minutes, data, charges, probability, left)


def _years(number: int, drift: float) -> float:
    """Return u of the formula: how far the process has drifted by the month."""
    return drift * max(number - 1, 0) / 12


def _log_odds(people: People, number: int, years: float, turned: bool, **seen: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log-odds of leaving, as at the head of this file."""
    tenure = number - people["joined"]
    fall = np.log((seen["minutes"] + 10) / (people["before"] + 10))
    contracts = TURNED if turned else CONTRACTS
    odds = -1.0 + np.array(list(contracts.values()))[people["contract"]]
    odds += np.array([plan.effect for plan in PLANS.values()])[people["plan"]]
    odds += np.array(list(REGIONS.values()))[people["region"]]
    odds += np.array([tone.effect for tone in TONES.values()])[seen["tone"]]
    odds += 0.0 if turned else (0.25 + 0.25 * years) * seen["calls"]
    odds += 0.02 * (seen["charges"] - 30)
    odds -= 0.4 * np.log1p(tenure)
    odds -= 0.5 * np.nan_to_num(fall)
    odds += 0.5 * ((people["contract"] == 0) & (tenure < 6))
    return np.asarray(odds)


def _renewed(records: Records, random: np.random.Generator) -> People:
    """Return the customers of the next month: whoever left is replaced by one who signed up this month."""
    people, left = {**records.people, "before": records.minutes}, records.left
    size, first = int(left.sum()), int(people["customer"].max()) + 1
    new = _arrivals(random, size, first, np.full(size, records.number))
    renewed = {name: values.copy() for name, values in people.items()}
    for name, values in renewed.items():
        values[left] = new[name]
    return renewed


# ---- how it is written down ------------------------------------------------------------------------------------------


def _table(records: Records, seed: int, blemishes: float) -> pd.DataFrame:
    """Return a month as a table, with its blemishes."""
    import pandas as pd

    random = np.random.default_rng([seed, records.number + RUN_IN, TABLE])
    people, now = records.people, START + records.number - 1
    categories = {"plan": list(PLANS), "contract": list(CONTRACTS), "region": list(REGIONS)}
    table = pd.DataFrame(
        {
            "customer": people["customer"],
            "month": words_of([_iso(now)], np.zeros(len(records.left), dtype=int)),
            "signup": _signups(people),
            **{name: spelt(name, words, people[name], random, blemishes) for name, words in categories.items()},
            "minutes": records.minutes,
            "data_gb": records.data,
            "support_calls": records.calls,
            "charges": records.charges,
            "note": words_of(NOTES, _notes(records, random)),
            "churned": words_of(["no", "yes"], records.left.astype(int)),
            "true_probability": records.probability,
        }
    )
    return blemish(table, random, blemishes)


def _iso(date: np.datetime64) -> str:
    return str(date.astype("datetime64[D]"))


def _signups(people: People) -> Any:
    """Return the days of signup as words."""
    months = START + people["joined"] - 1
    first, end = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]")
    days = first + ((end - first).astype(int) * people["day"]).astype(int)
    every, codes = np.unique(days, return_inverse=True)
    return words_of(every.astype(str).tolist(), codes)


def _notes(records: Records, random: np.random.Generator) -> NDArray[Any]:
    """Return the place in NOTES of each note: a phrase of its tone, of 5 notes 2 about the topic of the plan."""
    size = len(records.tone)
    phrase = 4 * records.tone + random.integers(4, size=size)
    own = random.random(size) < 0.4
    topic = np.where(own, records.people["plan"], random.integers(len(TOPICS), size=size))
    return (phrase * len(TOPICS) + topic) * len(OPENERS) + random.integers(len(OPENERS), size=size)
