"""What the operator of a server is told: lines on stderr, which may be a file on a full disk."""

from __future__ import annotations

import contextlib
import sys


def tell(line: str) -> None:
    """Write a line to stderr; where that cannot be written, requests are answered all the same."""
    with contextlib.suppress(OSError, ValueError):
        print(f"mlworkflow: {line}", file=sys.stderr, flush=True)
