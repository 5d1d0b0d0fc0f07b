"""A line of the access log as the bytes that are signed and archived, and Merkle hashes over lines.

Merkle tree hashes are those of RFC 6962 section 2.1, over SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import orjson

MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
"""Format of moments in lines and checkpoints, in UTC: `2026-05-01T01:02:03.000004Z`."""


def line(row: Mapping[str, Any]) -> bytes:
    """Return a row of `audit.entry` as canonical JSON (RFC 8785), without a newline.

    Moments are text in UTC with microseconds; what is null is left out, so that a column added later leaves
    the bytes of earlier lines as they were.
    """
    stated = {name: value for name, value in row.items() if value is not None}
    return orjson.dumps(stated, default=_text, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)


def moment(value: datetime) -> str:
    """Return a moment as `MOMENT` has it."""
    return value.astimezone(UTC).strftime(MOMENT)


def _text(value: Any) -> str:
    return moment(value) if isinstance(value, datetime) else str(value)


HASH_BYTES = 32


def leaf_hash(line: bytes) -> bytes:
    """Return the hash of one line."""
    return sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two neighbouring subtrees."""
    return sha256(b"\x01" + left + right).digest()


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
        paired = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return level[0]
