"""Notices that a source sends a reader in circles, in a state that does not grow with the pages."""

from __future__ import annotations

import hashlib
from typing import Any

Watch = dict[str, Any]
"""JSON-able: digest of the token being compared with, tokens since it, and how many until the next one."""


def seen_again(watch: Watch | None, token: str) -> Watch | None:
    """Return the watch that has seen `token` too, or None when the tokens run in a circle.

    Brent's cycle finding: the mark moves on after 1, 2, 4, 8 ... tokens, so a token that repeats at once is
    found at once, and any circle within twice as many tokens as came before its first repetition, plus its
    length. Tokens are kept as digests, for they may hold keys of records.
    """
    digest = hashlib.blake2b(token.encode(), digest_size=16).hexdigest()
    if watch is None:
        return {"mark": digest, "steps": 0, "until": 1}
    if watch["mark"] == digest:
        return None
    steps = watch["steps"] + 1
    if steps == watch["until"]:
        return {"mark": digest, "steps": 0, "until": 2 * steps}
    return {**watch, "steps": steps}
