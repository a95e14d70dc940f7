"""The README: its numbers are ours until `mlworkflow readme` writes them anew, all else is merged line by line."""

from __future__ import annotations

import re

from mlworkflow.merging.threeway import UnmergeableError

BEGIN, END = "<!-- numbers: mlworkflow readme -->", "<!-- end of numbers -->"  # as in checking/upkeep.py
NUMBERS = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def alike(base: str, ours: str, theirs: str) -> tuple[str, str, str]:
    """Return the three texts with our numbers in each, so that Git's merge of lines finds nothing to say there.

    Raises:
        UnmergeableError: ours or theirs has no numbers, or twice.
    """
    found = NUMBERS.findall(ours)
    if len(found) != 1 or len(NUMBERS.findall(theirs)) != 1:
        raise UnmergeableError("the numbers must stand once between their marks")
    base, theirs = (NUMBERS.sub(lambda _: found[0], text) for text in (base, theirs))
    return base, ours, theirs
