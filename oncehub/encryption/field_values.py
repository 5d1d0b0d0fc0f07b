"""Sensitive values as the database holds them, bound to the attribute and to the record that states them.

    sealed:<key id>:<blind index, where the attribute has one>:<ciphertext, base64url>

Whoever copies a value (to what is believed, to a feed) must keep by which record it is stated, for it opens
with that only. Values from before there was a key ring are plain, and are read as they are.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import polars as pl

from oncehub.config.entities import Entity
from oncehub.encryption.cipher import Ciphers, load_ciphers

PREFIX: Final = "sealed:"

Record = tuple[str, str, str]
"""Source, stream and key of a record."""


class SealedValues:
    """Opens the sensitive values of entities.

    Attributes:
        home: below it stands the key ring.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._ciphers: Ciphers | None = None

    def opened(self, attribute: str, record: Record, value: Any) -> Any:
        """Return a value in clear; one that is not sealed as it is.

        Args:
            attribute: its qualified name, `person.religion`.
            record: that states it.
            value: as the database holds it.

        Raises:
            KeyMissing: when the key that sealed it is not in the ring.
            SealBroken: when it is another record's or attribute's, or was altered.
        """
        if not is_sealed(value):
            return value
        if self._ciphers is None or key_of(value) not in self._ciphers.ring.keys:
            self._ciphers = load_ciphers(self.home)
        return open_value(self._ciphers, attribute, record, value)

    def opened_all(
        self, values: Mapping[str, Any], provenance: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return a person's values by attribute in clear, as `provenance` says which record states each."""
        return {
            name: self.opened(f"person.{name}", record_of(provenance, name), value)
            if is_sealed(value)
            else value
            for name, value in values.items()
        }


_open_with: ContextVar[SealedValues | None] = ContextVar("open_with", default=None)


@contextmanager
def unsealing(home: Path) -> Iterator[None]:
    """Let `opened_here` open values inside, with the ring below `home`: only where they may be shown."""
    token = _open_with.set(SealedValues(home))
    try:
        yield
    finally:
        _open_with.reset(token)


def opened_here(attribute: str, record: Record, value: Any) -> Any:
    """Return a value in clear inside `unsealing`, else as it is stored; raises as `SealedValues.opened`."""
    values = _open_with.get()
    return values.opened(attribute, record, value) if values else value


def is_sealed(value: Any) -> bool:
    """Tell whether a value is as `seal_value` makes it."""
    return isinstance(value, str) and value.startswith(PREFIX)


def key_of(sealed: str) -> str:
    """Return the id of the key that sealed a value."""
    return sealed.split(":", 2)[1]


def record_of(provenance: Mapping[str, Mapping[str, Any]], attribute: str) -> Record:
    """Return which record states an attribute, by a provenance as in `truth.person`."""
    origin = provenance.get(attribute) or provenance["*"]
    return origin["source"], origin["stream"], origin["source_key"]


def seal_value(ciphers: Ciphers, attribute: str, record: Record, value: str, *, indexed: bool) -> str:
    """Return a value sealed under the key that seals now, at the record that states it."""
    cipher = ciphers.primary
    index = _index(ciphers, ciphers.ring.primary, attribute, value) if indexed else ""
    sealed = base64.urlsafe_b64encode(cipher.seal(value.encode(), [attribute, *record])).decode("ascii")
    return f"{PREFIX}{ciphers.ring.primary}:{index}:{sealed}"


def open_value(ciphers: Ciphers, attribute: str, record: Record, sealed: str) -> str:
    """Open what `seal_value` made; raises as `SealedValues.opened`."""
    content = base64.urlsafe_b64decode(sealed.rpartition(":")[2])
    return ciphers.under(key_of(sealed)).open(content, [attribute, *record]).decode()


def resealed(ciphers: Ciphers, attribute: str, record: Record, value: str, *, indexed: bool) -> str:
    """Return a value, sealed or plain, sealed under the key that seals now; raises as `open_value`."""
    if value.startswith(f"{PREFIX}{ciphers.ring.primary}:"):
        return value
    plain = open_value(ciphers, attribute, record, value) if is_sealed(value) else value
    return seal_value(ciphers, attribute, record, plain, indexed=indexed)


def blind_indexes(ciphers: Ciphers, attribute: str, value: str) -> list[str]:
    """Return what equal values of an attribute have in common, under each key that any may be sealed with."""
    return [_index(ciphers, key_id, attribute, value) for key_id in ciphers.ring.keys]


def sealed_frame(
    frame: pl.DataFrame, entity: Entity, source: str, stream: str, ciphers: Ciphers
) -> pl.DataFrame:
    """Return the frame with its sensitive attributes sealed, each at its record; nulls stay null."""
    return frame.with_columns(
        pl.Series(
            name,
            _sealed_column(frame, f"{entity.name}.{name}", (source, stream), ciphers, indexed),
            pl.String(),
        )
        for name, indexed in sensitive_of(entity).items()
        if name in frame.columns and frame[name].null_count() < frame.height
    )


def sensitive_of(entity: Entity) -> dict[str, bool]:
    """Return the sensitive attributes of an entity, and whether each has a blind index."""
    return {name: each.indexed for name, each in entity.attributes.items() if each.sensitive}


def _sealed_column(
    frame: pl.DataFrame, attribute: str, stream: tuple[str, str], ciphers: Ciphers, indexed: bool
) -> Sequence[str | None]:
    name = attribute.rpartition(".")[2]
    return [
        None if value is None else seal_value(ciphers, attribute, (*stream, key), value, indexed=indexed)
        for key, value in frame.select("source_key", name).iter_rows()
    ]


def _index(ciphers: Ciphers, key_id: str, attribute: str, value: str) -> str:
    """HMAC-SHA-256 of the value without case, spaces and punctuation, under a key of its own."""
    text = unicodedata.normalize("NFKC", value).casefold()
    letters = "".join(letter for letter in text if letter.isalnum())
    digest = ciphers.under(key_id).index(f"{attribute}\x1f{letters}".encode())
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
