"""What is encrypted at rest: AES-256-GCM under a key of the ring, bound to the place where it stands.

Nonces are synthetic: they follow, by a key, from the content and the place. The same content at the same
place is the same ciphertext while one key seals, so that the database can tell what differs; at any other
place it is another one. Content is padded, so that its length tells little.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oncehub.encryption.key_ring import KeyRing, derived, load_key_ring
from oncehub.errors import SealBroken
from oncehub.store.connection import Connection, Cursor

_NONCE_BYTES: Final = 12
_BLOCK: Final = 16
_LOCK: Final = "keys in use"
_END: Final = b"\x80"


class Cipher:
    """Seals and opens with one key of the ring; each use has a key of its own that follows from it."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(derived(key, "encryption"))
        self._nonce_key = derived(key, "nonce")
        self._digest_key = derived(key, "digest")
        self._index_key = derived(key, "blind index")

    def seal(self, content: bytes, place: Sequence[str]) -> bytes:
        """Encrypt content that stands at a place; the nonce comes first."""
        bound_to = orjson.dumps(place)
        padded = content + _END + bytes(-(len(content) + 1) % _BLOCK)
        nonce = hmac.digest(self._nonce_key, bound_to + padded, "sha256")[:_NONCE_BYTES]
        return nonce + self._aead.encrypt(nonce, padded, bound_to)

    def open(self, sealed: bytes, place: Sequence[str]) -> bytes:
        """Decrypt what `seal` made for a place.

        Raises:
            SealBroken: when it was made for another place, or altered.
        """
        try:
            padded = self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], orjson.dumps(place))
        except InvalidTag:
            raise SealBroken(
                f"what is stored at {place[0]} does not open there: it was altered, or belongs to another "
                "record or attribute; restore it from a backup, or read it from its source once more"
            ) from None
        return padded[: padded.rindex(_END)]

    def digest(self, content: bytes) -> bytes:
        """Return what tells content apart, and says nothing of it without the key (HMAC-SHA-256)."""
        return hmac.digest(self._digest_key, content, "sha256")

    def index(self, content: bytes) -> bytes:
        """Return what equal content has in common wherever it stands (HMAC-SHA-256, its own key)."""
        return hmac.digest(self._index_key, content, "sha256")


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> Cipher:
    return Cipher(key)


@dataclass(frozen=True)
class Ciphers:
    """The ciphers of a ring."""

    ring: KeyRing

    @property
    def primary(self) -> Cipher:
        """The one that seals."""
        return self.under(self.ring.primary)

    def under(self, key_id: str) -> Cipher:
        """Return the one of a key.

        Raises:
            KeyMissing: when the ring does not hold it.
        """
        return _cipher(self.ring.key(key_id))

    def others(self) -> list[Cipher]:
        """Return those that only open what was sealed before."""
        return [_cipher(key) for key_id, key in self.ring.keys.items() if key_id != self.ring.primary]


def load_ciphers(home: Path) -> Ciphers:
    """Return the ciphers of the ring as it is now; see `load_key_ring`."""
    return Ciphers(load_key_ring(home))


def use_keys(cursor: Cursor, home: Path) -> Ciphers:
    """Return the ciphers for a transaction that seals or copies; until it ends, no key is retired."""
    cursor.execute("select pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (_LOCK,))
    return load_ciphers(home)


def wait_for_users(cursor: Cursor) -> None:
    """Wait for the transactions that use keys, and let no other begin before this one ends."""
    cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (_LOCK,))


def is_mixed(cursor: Cursor, ciphers: Ciphers) -> bool:
    """Tell whether something may be stored that another key than the primary one has sealed, or none."""
    return len(ciphers.ring.keys) > 1 or _any_plain(cursor)


def holds_plain(connection: Connection) -> bool:
    """Tell whether sensitive values may be stored that landed before values were sealed."""
    with connection.cursor() as cursor:
        return _any_plain(cursor)


def _any_plain(cursor: Cursor) -> bool:
    cursor.execute("select exists (select from intake.plain)")
    (plain,) = cursor.fetchone() or (False,)
    return bool(plain)
