"""Encryption at rest: AES-SIV (RFC 5297) under a data key, bound to the place where the content is stored.

It is deterministic: while one data key encrypts, equal content at one place gives equal ciphertext, so the
database can tell what changed; at another place the ciphertext differs. Content is padded, so that its
length reveals little.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from oncehub.encryption.data_keys import read_data_keys
from oncehub.encryption.key_ring import derived, load_key_ring
from oncehub.encryption.known_keys import required_ring
from oncehub.errors import DecryptionFailed, KeyMissing, RunBusy
from oncehub.store.connection import Connection, Cursor

_BLOCK: Final = 16
# The lock of `hub.use_keys`.
_LOCK: Final = "keys in use"
_END: Final = b"\x80"
_SIV_KEY_BYTES: Final = 64
_FORMER_NONCE_BYTES: Final = 12


class Cipher:
    """Encrypts and decrypts with one data key; each use has its own key, derived from that one."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESSIV(derived(key, "encryption", _SIV_KEY_BYTES))
        self._digest_key = derived(key, "digest")
        self._index_key = derived(key, "blind index")

    def encrypt(self, content: bytes, place: Sequence[str]) -> bytes:
        """Encrypt content that is stored at `place`; return the synthetic IV followed by the ciphertext."""
        padded = content + _END + bytes(-(len(content) + 1) % _BLOCK)
        return self._aead.encrypt(padded, [orjson.dumps(place)])

    def decrypt(self, encrypted: bytes, place: Sequence[str]) -> bytes:
        """Decrypt what `encrypt` returned for `place`.

        Raises:
            DecryptionFailed: when it was encrypted for another place, or altered.
        """
        try:
            padded = self._opened(encrypted, orjson.dumps(place))
        except (InvalidTag, ValueError):
            raise DecryptionFailed(
                f"what is stored at {place[0]} cannot be decrypted there: it was altered, or belongs to "
                "another record or attribute; restore it from a backup, or read it from its source once more"
            ) from None
        return padded[: padded.rindex(_END)]

    def _opened(self, encrypted: bytes, bound_to: bytes) -> bytes:
        return self._aead.decrypt(encrypted, [bound_to])

    def digest(self, content: bytes) -> bytes:
        """Return a digest that identifies content and reveals nothing without the key (HMAC-SHA-256)."""
        return hmac.digest(self._digest_key, content, "sha256")

    def index(self, content: bytes) -> bytes:
        """Return a digest that is equal for equal content at any place (HMAC-SHA-256, under its own key)."""
        return hmac.digest(self._index_key, content, "sha256")


class FormerCipher(Cipher):
    """Decrypts what earlier versions encrypted with AES-256-GCM under a key of the ring itself."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self._former_aead = AESGCM(derived(key, "encryption"))

    def _opened(self, encrypted: bytes, bound_to: bytes) -> bytes:
        nonce, ciphertext = encrypted[:_FORMER_NONCE_BYTES], encrypted[_FORMER_NONCE_BYTES:]
        return self._former_aead.decrypt(nonce, ciphertext, bound_to)


@lru_cache(maxsize=64)
def _cipher(kind: type[Cipher], key: bytes) -> Cipher:
    return kind(key)


@dataclass(frozen=True)
class Ciphers:
    """The ciphers of a hub by the id of their data key.

    Attributes:
        primary_id: of the one that encrypts.
    """

    primary_id: str
    by_id: Mapping[str, Cipher]

    @property
    def primary(self) -> Cipher:
        """The cipher that encrypts."""
        return self.by_id[self.primary_id]

    def under(self, key: str) -> Cipher:
        """Return the cipher of a data key.

        Raises:
            KeyMissing: when the hub does not have it.
        """
        if key not in self.by_id:
            raise KeyMissing(
                f"the data key {key}, which a value is encrypted under, is not in hub.data_key: the value is "
                "another hub's, or the table was altered; restore it from a backup of the time of the value"
            )
        return self.by_id[key]

    def require_one_key(self) -> None:
        """Check that equal values have equal ciphertext, for those who let the database compare.

        Raises:
            RunBusy: while values are re-encrypted under another data key.
        """
        if len(self.by_id) > 1:
            raise RunBusy(
                "the values of this hub are being re-encrypted under another data key: wait for that to end. "
                "Where it was interrupted, or after an upgrade that asks for it, run: oncehub keys reencrypt"
            )


def load_ciphers(home: Path, database: Connection) -> Ciphers:
    """Return the ciphers as they are now, read in the connection's transaction.

    Raises:
        KeyMissing: when the ring or a key of it is not there.
        ConfigError: see `load_key_ring`.
    """
    ring = load_key_ring(home)
    with database.cursor() as cursor:
        keys = read_data_keys(cursor)
    return Ciphers(
        keys[0].id,
        {each.id: _cipher(Cipher if each.wrapped else FormerCipher, each.opened(ring)) for each in keys},
    )


def use_keys(cursor: Cursor, home: Path) -> Ciphers:
    """Return the ciphers for a transaction that encrypts or copies; no key is retired until it ends.

    Raises:
        KeyMissing: when the ring lacks a key that the hub has used.
    """
    cursor.execute("select hub.use_keys()")
    required_ring(cursor, home)
    return load_ciphers(home, cursor.connection)


def wait_for_users(cursor: Cursor) -> None:
    """Wait for the transactions that use keys, and block new ones until this transaction ends."""
    cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (_LOCK,))
