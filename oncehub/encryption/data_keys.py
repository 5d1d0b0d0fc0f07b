"""The data keys: they encrypt values, and stand in the database, wrapped under the ring's primary key.

A rotation of the ring wraps them anew, and touches no value.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from oncehub.encryption.key_ring import KeyRing, derived, key_id
from oncehub.errors import KeyMissing
from oncehub.store.connection import Cursor

_DATA_KEY_BYTES: Final = 64

_READ: Final = "select id, wrapped, wrapped_under, former from hub.data_key order by former, made_at, id"

_ADD: Final = """
insert into hub.data_key (id, wrapped, wrapped_under) values (%(id)s, %(wrapped)s, %(wrapped_under)s)
on conflict do nothing
"""

_WRAP: Final = "update hub.data_key set wrapped = %(wrapped)s, wrapped_under = %(under)s where id = %(id)s"


@dataclass(frozen=True)
class DataKey:
    """A key as the database keeps it.

    Attributes:
        id: stands in each value that is encrypted under it.
        wrapped: under the key `wrapped_under` of the ring; None for that key itself, which values of
            earlier versions are encrypted under.
        former: it only decrypts.
    """

    id: str
    wrapped: bytes | None = field(repr=False)
    wrapped_under: str
    former: bool

    def opened(self, ring: KeyRing) -> bytes:
        """Return the key itself.

        Raises:
            KeyMissing: when the ring lacks the key that it is wrapped under.
        """
        outer = ring.key(self.wrapped_under)
        if self.wrapped is None:
            return outer
        return _unwrapped(outer, self.wrapped, self.id)


def read_data_keys(cursor: Cursor) -> list[DataKey]:
    """Return the keys, the one that encrypts first.

    Raises:
        KeyMissing: when none encrypts, which `oncehub init` makes.
    """
    cursor.execute(_READ)
    keys = [
        DataKey(name, None if wrapped is None else bytes(wrapped), under, former)
        for name, wrapped, under, former in cursor.fetchall()
    ]
    if not keys or keys[0].former:
        raise KeyMissing("the hub has no data key yet: run oncehub init with the key ring")
    return keys


def ensure_data_key(cursor: Cursor, ring: KeyRing) -> None:
    """Make the first data key, unless one encrypts already."""
    cursor.execute("select exists (select from hub.data_key where not former)")
    if cursor.fetchone() == (False,):
        add_data_key(cursor, ring)


def add_data_key(cursor: Cursor, ring: KeyRing) -> None:
    """Add a data key that encrypts from the end of the transaction on; those before only decrypt."""
    key = secrets.token_bytes(_DATA_KEY_BYTES)
    cursor.execute("update hub.data_key set former = true")
    cursor.execute(
        _ADD,
        {"id": key_id(key), "wrapped": _wrapped(ring, key), "wrapped_under": ring.primary},
    )


def wrap_anew(cursor: Cursor, ring: KeyRing) -> int:
    """Wrap under the ring's primary key what is wrapped under another one; return how many data keys.

    Raises:
        KeyMissing: when the ring lacks a key that one is wrapped under.
    """
    stale = [key for key in read_data_keys(cursor) if key.wrapped and key.wrapped_under != ring.primary]
    for key in stale:
        wrapped = _wrapped(ring, key.opened(ring))
        cursor.execute(_WRAP, {"wrapped": wrapped, "under": ring.primary, "id": key.id})
    return len(stale)


def _wrapped(ring: KeyRing, key: bytes) -> bytes:
    return aes_key_wrap(derived(ring.keys[ring.primary], "data key"), key)


@lru_cache(maxsize=64)
def _unwrapped(outer: bytes, wrapped: bytes, name: str) -> bytes:
    try:
        key = aes_key_unwrap(derived(outer, "data key"), wrapped)
    except InvalidUnwrap:
        key = b""
    if len(key) != _DATA_KEY_BYTES or key_id(key) != name:
        raise KeyMissing(
            f"the data key {name} in hub.data_key was altered, and opens nothing: restore its row from a "
            "backup"
        )
    return key
