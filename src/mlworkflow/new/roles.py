"""What the columns are for, and how their words are read."""

from __future__ import annotations

from mlworkflow.new.asked import Asked, Proposal, few
from mlworkflow.new.look import Evidence


def decide_roles(made: Proposal, columns: list[Evidence], asked: Asked) -> None:
    """Decide the key, the group, the time, and what no model may see."""
    data = made.problem["data"]
    taken = {asked.target, asked.time, asked.group, asked.split_column, *asked.drop}
    free = [column for column in columns if column.name not in taken]
    key, why = (asked.key, "--key says so") if asked.key else _key_of(free)
    if key:
        data["key"] = key
        made.decide("key", ", ".join(key), why)
    group, why = (asked.group, "--group says so") if asked.group else _group_of([c for c in free if c.name not in key])
    if group:
        data["group"] = group
        made.decide("group", group, why)
    if asked.time:
        data["time"] = asked.time
        made.decide("time", asked.time, "--time says so: the newest rows are the test rows")
    if asked.drop:
        data["hidden"] = list(asked.drop)
        made.decide("not seen", ", ".join(asked.drop), "--drop says so")


def _key_of(columns: list[Evidence]) -> tuple[list[str], str]:
    """Return the column that numbers the rows, the first that is called so; a number must be whole."""
    able = [c for c in columns if c.unique and (c.kind == "category" or (c.kind == "number" and c.whole))]
    for column in able:
        if column.like_a_key:
            return [column.name], f"a value of its own in each of {column.rows:,} rows"
    words = [column for column in able if column.kind == "category" and column.rows >= 20]
    if words:
        return [words[0].name], f"a word of its own in each of {words[0].rows:,} rows"
    return [], ""


def _group_of(columns: list[Evidence]) -> tuple[str | None, str]:
    """Return the column that is called like a key and has several rows for most of its values."""
    for column in columns:
        known = column.rows - column.missing
        several = column.distinct >= 20 and known / max(column.distinct, 1) >= 2 and not column.missing
        if column.like_a_key and several and (column.kind == "category" or column.whole):
            each = known / column.distinct
            return column.name, f"called like a key, with {each:.3g} rows each on average: they stay on one side"
    return None, ""


def decide_reading(made: Proposal, columns: list[Evidence], asked: Asked) -> None:
    """Decide which words mean missing, how numbers and dates are written, which spellings are one word."""
    data = made.problem["data"]
    words = sorted({word for column in columns for word in column.unread})
    if words:
        data["missing"] = words
        where = few([column.name for column in columns if column.unread], 4)
        made.decide("missing", ", ".join(map(repr, words)), f"words among the numbers or dates of {where}")
    if asked.categorical:
        made.decide("categories", ", ".join(asked.categorical), "--categorical says so")
    long = [column.name for column in columns if column.names and column.name not in asked.categorical]
    if long:
        made.decide("names", few(long, 4), "whole numbers so long that they would run together as amounts")
    if kinds := dict.fromkeys([*asked.categorical, *long], "category"):
        data["kinds"] = kinds
    if commas := [column.name for column in columns if column.comma]:
        data["commas"] = commas
        made.decide("commas", few(commas, 4), "numbers with a decimal comma")
    if dates := {column.name: column.dates for column in columns if column.dates}:
        data["dates"] = dates
        made.decide("dates", "; ".join(f"{name} {how}" for name, how in dates.items()), "every value is written so")
    spelling = {c.name: c.variants for c in columns if c.variants and c.name not in data.get("key", [])}
    if spelling:
        made.problem["prepare"] = {"spelling": spelling}
        count = sum(map(len, spelling.values()))
        made.decide("spelling", f"{count} variants in {few(list(spelling), 4)}", "they differ in case or spaces alone")
