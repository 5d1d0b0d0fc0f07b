"""Merkle tree hashes as RFC 6962 section 2.1 defines them, over SHA-256."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32


def leaf_hash(line: bytes) -> bytes:
    """Return the hash of one line."""
    return sha256(b"\x00" + line).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """Return the hash of the tree over at least one leaf hash.

    Joining neighbours level by level, an odd one going up as it is, gives the tree that the RFC splits at
    the largest power of two.

    Raises:
        ValueError: when there is no leaf.
    """
    if not leaves:
        raise ValueError("a tree has at least one leaf")
    level = list(leaves)
    while len(level) > 1:
        paired = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = paired + level[len(paired) * 2 :]
    return level[0]
