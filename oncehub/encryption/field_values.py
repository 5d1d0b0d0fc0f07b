"""Encrypted values of sensitive attributes, bound to the attribute and to the record that states them.

    encrypted:<data key id>:<blind index, where the attribute has one>:<ciphertext, base64url>

A copy of a value (in a golden record, in a feed) must say which record states it, because the value can be
decrypted with that record's key only.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from oncehub.config.entities import Entity, qualified
from oncehub.encryption.cipher import Ciphers, load_ciphers
from oncehub.store.connection import Connection

PREFIX: Final = "encrypted:"

Record = tuple[str, str, str]
"""Source, stream and key of a record."""


class FieldDecryptor:
    """Decrypts the sensitive values of entities.

    Args:
        home: the folder that holds the key ring.
        database: whose values they are; its transaction is used when the first of them is met.
    """

    def __init__(self, home: Path, database: Connection) -> None:
        self._home = home
        self._database = database
        self._ciphers: Ciphers | None = None

    def decrypted(self, attribute: str, record: Record, value: Any) -> Any:
        """Return a value in clear; a value that is not encrypted is returned as it is.

        Args:
            attribute: its qualified name, `person.religion`.
            record: the record that states it.
            value: as the database holds it.

        Raises:
            KeyMissing: when the key of the value is not there.
            DecryptionFailed: when the value belongs to another record or attribute, or was altered.
        """
        if not is_encrypted(value):
            return value
        if self._ciphers is None or key_of(value) not in self._ciphers.by_id:
            self._ciphers = load_ciphers(self._home, self._database)
        return decrypt_value(self._ciphers, attribute, record, value)

    def decrypted_all(
        self, values: Mapping[str, Any], provenance: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return a person's values by attribute in clear; `provenance` says which record states each."""
        return {
            name: self.decrypted(qualified(name), record_of(provenance, name), value)
            if is_encrypted(value)
            else value
            for name, value in values.items()
        }


_decrypt_with: ContextVar[FieldDecryptor | None] = ContextVar("decrypt_with", default=None)


@contextmanager
def decrypting(home: Path, database: Connection) -> Iterator[None]:
    """Let `decrypted_here` decrypt values of the database inside the block, with the ring below `home`.

    Enter it only where the values may be disclosed.
    """
    token = _decrypt_with.set(FieldDecryptor(home, database))
    try:
        yield
    finally:
        _decrypt_with.reset(token)


def decrypted_here(attribute: str, record: Record, value: Any) -> Any:
    """Return a value in clear inside `decrypting`, else as stored; raises as `FieldDecryptor.decrypted`."""
    decryptor = _decrypt_with.get()
    return decryptor.decrypted(attribute, record, value) if decryptor else value


def is_encrypted(value: Any) -> bool:
    """Tell whether a value has the form that `encrypt_value` returns."""
    return isinstance(value, str) and value.startswith(PREFIX)


def key_of(encrypted: str) -> str:
    """Return the id of the data key that a value is encrypted under."""
    return encrypted.split(":", 2)[1]


def record_of(provenance: Mapping[str, Mapping[str, Any]], attribute: str) -> Record:
    """Return the record that states an attribute, from a provenance as in `truth.person`."""
    origin = provenance.get(attribute) or provenance["*"]
    return origin["source"], origin["stream"], origin["source_key"]


def encrypt_value(ciphers: Ciphers, attribute: str, record: Record, value: str, *, indexed: bool) -> str:
    """Return a value encrypted under the primary data key, bound to the record that states it."""
    index = _index(ciphers, ciphers.primary_id, attribute, value) if indexed else ""
    ciphertext = ciphers.primary.encrypt(value.encode(), [attribute, *record])
    written = base64.urlsafe_b64encode(ciphertext).decode("ascii")
    return f"{PREFIX}{ciphers.primary_id}:{index}:{written}"


def decrypt_value(ciphers: Ciphers, attribute: str, record: Record, encrypted: str) -> str:
    """Decrypt what `encrypt_value` returned; raises as `FieldDecryptor.decrypted`."""
    content = base64.urlsafe_b64decode(encrypted.rpartition(":")[2])
    return ciphers.under(key_of(encrypted)).decrypt(content, [attribute, *record]).decode()


def reencrypted(ciphers: Ciphers, attribute: str, record: Record, encrypted: str, *, indexed: bool) -> str:
    """Return an encrypted value under the primary data key; raises as `decrypt_value`."""
    if key_of(encrypted) == ciphers.primary_id:
        return encrypted
    value = decrypt_value(ciphers, attribute, record, encrypted)
    return encrypt_value(ciphers, attribute, record, value, indexed=indexed)


def blind_indexes(ciphers: Ciphers, attribute: str, value: str) -> list[str]:
    """Return the blind index of a value under each data key."""
    return [_index(ciphers, key_id, attribute, value) for key_id in ciphers.by_id]


def sensitive_of(entity: Entity) -> dict[str, bool]:
    """Return the sensitive attributes of an entity, and whether each has a blind index."""
    return {name: each.indexed for name, each in entity.attributes.items() if each.sensitive}


def _index(ciphers: Ciphers, key_id: str, attribute: str, value: str) -> str:
    """HMAC-SHA-256 of the value without case, spaces and punctuation, under a key of its own."""
    text = unicodedata.normalize("NFKC", value).casefold()
    letters = "".join(letter for letter in text if letter.isalnum())
    digest = ciphers.under(key_id).index(f"{attribute}\x1f{letters}".encode())
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
