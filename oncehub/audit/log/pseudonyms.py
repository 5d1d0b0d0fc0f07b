"""Keyed pseudonyms of people: only the hub's key links a pseudonym to a person."""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from uuid import UUID

from oncehub.encryption.secrets import decode_key, symmetric_key


def pseudonym_key(home: Path) -> bytes:
    """Return the hub's 32-byte key for pseudonyms; see `symmetric_key`."""
    return symmetric_key("pseudonym", home)


def retired_pseudonym_keys() -> tuple[bytes, ...]:
    """Return the keys that pseudonyms of earlier lines of the log were made with, the latest first.

    `ONCEHUB_KEYS_PSEUDONYM_RETIRED` lists them in base64, separated by commas. They find a person's earlier
    lines; nothing is written with them.

    Raises:
        ConfigError: when one is not 32 bytes of base64.
    """
    variable = "ONCEHUB_KEYS_PSEUDONYM_RETIRED"
    listed = os.environ.get(variable, "").split(",")
    return tuple(decode_key(text, variable) for text in listed if text.strip())


def pseudonym(key: bytes, person_key: str, context: str) -> str:
    """Return HMAC-SHA256 of the person within `context`, in hexadecimal.

    Each context has its own pseudonym, so that two receivers cannot join their data by it.
    """
    message = context.encode() + b"\x1f" + UUID(person_key).bytes
    return hmac.digest(key, message, "sha256").hex()


def feed_pseudonym(key: bytes, feed: str, person_key: str) -> str:
    """Return the pseudonym that the lines of `feed`, and of no other, hold for the person."""
    return pseudonym(key, person_key, f"feed {feed}")


def person_pseudonym(key: bytes, person_key: str) -> str:
    """Return the pseudonym that `audit.entry` holds for the person."""
    return pseudonym(key, person_key, "audit")


def case_pseudonym(key: bytes, agreement: str, person_key: str) -> str:
    """Return the pseudonym that cases shown under `agreement`, and no other, hold for the person."""
    return pseudonym(key, person_key, f"cases {agreement}")
