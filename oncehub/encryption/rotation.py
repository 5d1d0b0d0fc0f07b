"""Rotation of the ring, which wraps the data keys anew, and re-encryption, which replaces the data key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from oncehub.config.entities import load_entities
from oncehub.encryption.cipher import load_ciphers, wait_for_users
from oncehub.encryption.data_keys import add_data_key, read_data_keys, wrap_anew
from oncehub.encryption.field_values import sensitive_of
from oncehub.encryption.key_ring import add_primary, drop_key, load_key_ring
from oncehub.encryption.known_keys import forget_key, known_ring
from oncehub.encryption.payloads import ConsentEvidence, RejectedPayloads, SubmittedPayloads
from oncehub.encryption.reencryption import (
    EncryptedTable,
    feed_fields,
    person_fields,
    record_fields,
    version_fields,
)
from oncehub.errors import ConfigError, RunBusy
from oncehub.settings import Settings
from oncehub.store.connection import Connection, Cursor, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

_BATCH: Final = 2000
_LOCK: Final = "rotate keys"

_FORMER: Final = "select exists (select from hub.data_key where former)"
_DROP_FORMER: Final = "delete from hub.data_key where former"


@dataclass(frozen=True)
class KeyUse:
    """A key, and what depends on it.

    Attributes:
        key: its id.
        kind: of the ring, or a data key.
        primary: whether it wraps or encrypts now.
        present: whether the ring holds the key, or the key of the ring that a data key is wrapped under.
        wraps: ids of the data keys that a key of the ring opens.
        values: by table, the values that are encrypted under a data key.
    """

    key: str
    kind: Literal["ring", "data"]
    primary: bool
    present: bool
    wraps: tuple[str, ...]
    values: dict[str, int]


Listener = Callable[[str, int], None]
"""Takes a table and how many of its values have been re-encrypted so far."""


def keys_in_use(settings: Settings, database: Connection | None = None) -> list[KeyUse]:
    """Return the keys of the ring, then the data keys, of each kind the primary one first."""
    ring = load_key_ring(settings.home)
    with opened(settings, database) as connection:
        with connection, connection.cursor() as cursor:
            data_keys = read_data_keys(cursor)
        counts = _counted(connection, _tables(settings))
    outer = {key.wrapped_under for key in data_keys}
    used = {key for counter in counts.values() for key in counter}
    stored = {key.id: key for key in data_keys}
    return [
        KeyUse(
            name,
            "ring",
            primary=name == ring.primary,
            present=name in ring.keys,
            wraps=tuple(key.id for key in data_keys if key.wrapped_under == name),
            values={},
        )
        for name in [ring.primary, *sorted({*ring.keys, *outer} - {ring.primary})]
    ] + [
        KeyUse(
            name,
            "data",
            primary=name == data_keys[0].id,
            present=name in stored and stored[name].wrapped_under in ring.keys,
            wraps=(),
            values={table: counter[name] for table, counter in counts.items() if counter[name]},
        )
        for name in [*stored, *sorted(used - stored.keys())]
    ]


def rotate(settings: Settings, *, resume: bool = False, database: Connection | None = None) -> int:
    """Add a primary key to the ring, and wrap the data keys under it; return how many those were.

    No value is touched, and everything goes on meanwhile.

    Args:
        settings: name the ring.
        resume: add no key, only wrap: after an interruption, or where the operator has added one.
        database: used instead of a connection of its own.

    Raises:
        ConfigError: when a key is to be added and the ring is in the environment.
        KeyMissing: when the ring lacks a key that the hub has used.
        RunBusy: when another process rotates or re-encrypts.
        StoreError: the database cannot be used.
    """
    with _alone(settings, database, "rotating keys") as connection:
        with connection, connection.cursor() as cursor:
            known_ring(cursor, settings.home)
        if not resume:
            add_primary(settings.home)
        with connection, connection.cursor() as cursor:
            return wrap_anew(cursor, known_ring(cursor, settings.home))


def reencrypt(
    settings: Settings, database: Connection | None = None, listener: Listener | None = None
) -> dict[str, int]:
    """Add a data key and re-encrypt everything under it; return the number of values by table.

    Look-ups and submissions go on meanwhile. Landing, reconciling and publishing refuse to work until it has
    ended, because the database compares ciphertexts. Each batch is a transaction of its own: after an
    interruption a repeat goes on with what is left, and adds no key. At the end the former data key is gone.

    Raises:
        KeyMissing: when the ring or the database lacks the key of a value; the batches before it are
            committed.
        RunBusy: when another process rotates or re-encrypts.
        StoreError: the database cannot be used.
    """
    with _alone(settings, database, "re-encrypting values") as connection:
        with connection, connection.cursor() as cursor:
            ring = known_ring(cursor, settings.home)
            cursor.execute(_FORMER)
            if cursor.fetchone() == (False,):
                add_data_key(cursor, ring)
        with connection, connection.cursor() as cursor:
            # Transactions that began with the former key must end before the tables are read.
            wait_for_users(cursor)
        done: Counter[str] = Counter()
        while fresh := _pass(settings, connection, listener):
            done += fresh
        with connection, connection.cursor() as cursor:
            wait_for_users(cursor)
            _drop_former(cursor, _tables(settings))
        return dict(done)


def retire(settings: Settings, key: str, database: Connection | None = None) -> None:
    """Remove a key from the ring for good, once no data key is wrapped under it.

    Raises:
        ConfigError: when a data key is still wrapped under it, it is the primary key, or the ring is in the
            environment.
        KeyMissing: when the ring does not hold it.
        RunBusy: when another process rotates or re-encrypts.
    """
    with _alone(settings, database, "retiring a key") as connection:
        with connection, connection.cursor() as cursor:
            ring = load_key_ring(settings.home)
            left = [each for each in read_data_keys(cursor) if each.wrapped_under == key]
            if left and key != ring.primary:
                remedy = "rotate --resume" if left[0].wrapped else "reencrypt"
                raise ConfigError(
                    f"the data key {left[0].id} still needs the key {key}; first run: oncehub keys {remedy}"
                )
            if key in ring.keys and key != ring.primary:
                forget_key(cursor, ring.key(key))
        # After that is committed: a known key that is not there stops the hub.
        drop_key(settings.home, key)


@contextmanager
def _alone(settings: Settings, database: Connection | None, doing: str) -> Iterator[Connection]:
    """Give a connection on which no other process changes keys meanwhile; `doing` is for messages."""
    with (
        opened(settings, database) as connection,
        without_values(doing),
        locked(connection, _LOCK) as got,
    ):
        if not got:
            raise RunBusy("another process rotates keys or re-encrypts values; try again when it has ended")
        yield connection


def _drop_former(cursor: Cursor, tables: Sequence[EncryptedTable]) -> None:
    """Drop the former data keys, if no value needs one any more."""
    former = {key.id for key in read_data_keys(cursor) if key.former}
    for table in tables:
        if left := sorted(former & (+table.count(cursor)).keys()):
            raise RunBusy(
                f"values of {table.name} were written under the data key {left[0]} meanwhile: run once more: "
                "oncehub keys reencrypt"
            )
    cursor.execute(_DROP_FORMER)


def _tables(settings: Settings) -> list[EncryptedTable]:
    """Every table that holds encrypted values, each before those that copy from it."""
    entities = load_entities(settings.schemas)
    person = entities["person"]
    sensitive = [entity for entity in entities.values() if sensitive_of(entity)]
    tables: list[EncryptedTable] = [SubmittedPayloads(), RejectedPayloads(), ConsentEvidence()]
    tables += map(record_fields, sensitive)
    if person in sensitive:
        tables += [person_fields(person), version_fields(person), feed_fields(person)]
    return tables


def _counted(connection: Connection, tables: Sequence[EncryptedTable]) -> dict[str, Counter[str]]:
    with connection, connection.cursor() as cursor:
        return {table.name: table.count(cursor) for table in tables}


def _pass(settings: Settings, connection: Connection, listener: Listener | None) -> Counter[str]:
    done: Counter[str] = Counter()
    for table in _tables(settings):
        after = None
        while True:
            with connection, connection.cursor() as cursor:
                step = table.reencrypt(cursor, load_ciphers(settings.home, connection), after, _BATCH)
            if step is None:
                break
            after = step.after
            done[table.name] += step.values
            if listener and step.values:
                listener(table.name, done[table.name])
    return +done
