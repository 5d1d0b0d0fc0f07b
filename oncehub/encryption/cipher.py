"""Encryption at rest: AES-256-GCM under a key of the ring, bound to the place where the content is stored.

Nonces are synthetic: a key derives each from the content and its place. While one key is primary, equal
content at one place gives equal ciphertext, so the database can tell what changed; at another place the
ciphertext differs. Content is padded, so that its length reveals little.
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
from oncehub.encryption.known_keys import known_ring
from oncehub.errors import DecryptionFailed
from oncehub.store.connection import Cursor

_NONCE_BYTES: Final = 12
_BLOCK: Final = 16
_LOCK: Final = "keys in use"
_END: Final = b"\x80"


class Cipher:
    """Encrypts and decrypts with one key of the ring; each use has its own key, derived from that one."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(derived(key, "encryption"))
        self._nonce_key = derived(key, "nonce")
        self._digest_key = derived(key, "digest")
        self._index_key = derived(key, "blind index")

    def encrypt(self, content: bytes, place: Sequence[str]) -> bytes:
        """Encrypt content that is stored at `place`; return the nonce followed by the ciphertext."""
        bound_to = orjson.dumps(place)
        padded = content + _END + bytes(-(len(content) + 1) % _BLOCK)
        nonce = hmac.digest(self._nonce_key, bound_to + padded, "sha256")[:_NONCE_BYTES]
        return nonce + self._aead.encrypt(nonce, padded, bound_to)

    def decrypt(self, encrypted: bytes, place: Sequence[str]) -> bytes:
        """Decrypt what `encrypt` returned for `place`.

        Raises:
            DecryptionFailed: when it was encrypted for another place, or altered.
        """
        try:
            padded = self._aead.decrypt(
                encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], orjson.dumps(place)
            )
        except InvalidTag:
            raise DecryptionFailed(
                f"what is stored at {place[0]} cannot be decrypted there: it was altered, or belongs to "
                "another record or attribute; restore it from a backup, or read it from its source once more"
            ) from None
        return padded[: padded.rindex(_END)]

    def digest(self, content: bytes) -> bytes:
        """Return a digest that identifies content and reveals nothing without the key (HMAC-SHA-256)."""
        return hmac.digest(self._digest_key, content, "sha256")

    def index(self, content: bytes) -> bytes:
        """Return a digest that is equal for equal content at any place (HMAC-SHA-256, under its own key)."""
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
        """The cipher that encrypts."""
        return self.under(self.ring.primary)

    @property
    def rotating(self) -> bool:
        """Whether the database may hold content under a key other than the primary one."""
        return len(self.ring.keys) > 1

    def under(self, key_id: str) -> Cipher:
        """Return the cipher of a key.

        Raises:
            KeyMissing: when the ring does not hold the key.
        """
        return _cipher(self.ring.key(key_id))

    def others(self) -> list[Cipher]:
        """Return the ciphers that only decrypt."""
        return [_cipher(key) for key_id, key in self.ring.keys.items() if key_id != self.ring.primary]


def load_ciphers(home: Path) -> Ciphers:
    """Return the ciphers of the ring as it is now; see `load_key_ring`."""
    return Ciphers(load_key_ring(home))


def use_keys(cursor: Cursor, home: Path) -> Ciphers:
    """Return the ciphers for a transaction that encrypts or copies; no key is retired until it ends.

    Raises:
        KeyMissing: when the ring lacks a key that the hub has used.
    """
    cursor.execute("select pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (_LOCK,))
    return Ciphers(known_ring(cursor, home))


def wait_for_users(cursor: Cursor) -> None:
    """Wait for the transactions that use keys, and block new ones until this transaction ends."""
    cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (_LOCK,))
