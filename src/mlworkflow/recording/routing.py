"""Which model a row goes to: a share of the keys, the same rows each time and in each process."""

from __future__ import annotations

import hashlib


def share_of(key: str) -> float:
    """Return where a key lies in [0, 1): a challenger with the share 0.1 answers the keys below 0.1.

    It is the first 53 bits of the 8-byte BLAKE2b hash of `mlworkflow.routing:` and the key in UTF-8, over 2**53: the
    same on each machine and in each version. A larger share keeps the rows of a smaller one.
    """
    digest = hashlib.blake2b(b"mlworkflow.routing:" + key.encode("utf-8", "replace"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
