"""Results in Git that `dvc repro` makes again: one side as it stands, never a mixture of the lines of both."""

from __future__ import annotations

import json
import re

from mlworkflow.merging.threeway import UnmergeableError

MARKER = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)


def merge(ours: str, theirs: str, path: str) -> tuple[str, str]:
    """Return (the text that is kept, whose it is): ours, theirs where ours is broken.

    Raises:
        UnmergeableError: both are broken.
    """
    for text, side in ((ours, "ours"), (theirs, "theirs")):
        if sound(text, path):
            return text, side
    raise UnmergeableError("neither side is sound")


def sound(text: str, path: str) -> bool:
    """Return whether a result can be read: JSON where the path says so, else a text without conflict marks."""
    if not path.endswith(".json"):
        return bool(text.strip()) and not MARKER.search(text)
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
