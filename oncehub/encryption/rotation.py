"""Key rotation: a new primary key, under which everything that is stored encrypted is re-encrypted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from oncehub.config.entities import load_entities
from oncehub.encryption.cipher import load_ciphers, wait_for_users
from oncehub.encryption.field_values import sensitive_of
from oncehub.encryption.key_ring import add_primary, drop_key, load_key_ring
from oncehub.encryption.known_keys import forget_key, known_ring
from oncehub.encryption.payloads import RejectedPayloads, SubmittedPayloads
from oncehub.encryption.reencryption import (
    EncryptedTable,
    feed_fields,
    person_fields,
    record_fields,
    version_fields,
)
from oncehub.errors import ConfigError, RunBusy
from oncehub.settings import Settings
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import without_values
from oncehub.store.migrate import opened

_BATCH: Final = 2000
_LOCK: Final = "rotate keys"


@dataclass(frozen=True)
class KeyUse:
    """A key, and how many values are encrypted with it.

    Attributes:
        key: its id.
        primary: whether it encrypts now.
        in_ring: whether the ring holds it; values under a key that it does not hold cannot be read.
        values: by table.
    """

    key: str
    primary: bool
    in_ring: bool
    values: dict[str, int]


Listener = Callable[[str, int], None]
"""Takes a table and how many of its values have been re-encrypted so far."""


def keys_in_use(settings: Settings, database: Connection | None = None) -> list[KeyUse]:
    """Return the keys of the ring and those of encrypted values, the primary one first."""
    ring = load_key_ring(settings.home)
    with opened(settings, database) as connection:
        counts = _counted(connection, _tables(settings))
    used = {key for counter in counts.values() for key in counter}
    ordered = [ring.primary, *sorted({*ring.keys, *used} - {ring.primary})]
    return [
        KeyUse(
            key,
            primary=key == ring.primary,
            in_ring=key in ring.keys,
            values={table: counter[key] for table, counter in counts.items() if counter[key]},
        )
        for key in ordered
    ]


def rotate(
    settings: Settings,
    *,
    resume: bool = False,
    database: Connection | None = None,
    listener: Listener | None = None,
) -> dict[str, int]:
    """Add a primary key and re-encrypt everything under it; return the number of values by table.

    Readers have both keys meanwhile. Each batch is a transaction of its own: after an interruption, `resume`
    goes on with what is left, and adds no key.

    Raises:
        ConfigError: when a key is to be added and the ring is in the environment.
        KeyMissing: when the ring lacks the key of a value; the batches before it are committed.
        RunBusy: when another process rotates.
        StoreError: the database cannot be used.
    """
    with (
        opened(settings, database) as connection,
        without_values("rotating keys"),
        locked(connection, _LOCK) as got,
    ):
        if not got:
            raise RunBusy("another process rotates keys; wait until it has finished")
        with connection, connection.cursor() as cursor:
            known_ring(cursor, settings.home)
        if not resume:
            add_primary(settings.home)
        with connection, connection.cursor() as cursor:
            known_ring(cursor, settings.home)
            # Transactions that began with the former key must end before the tables are read.
            wait_for_users(cursor)
        done: Counter[str] = Counter()
        while fresh := _pass(settings, connection, listener):
            done += fresh
        return dict(done)


def retire(settings: Settings, key: str, database: Connection | None = None) -> None:
    """Remove a key from the ring for good, once no value is encrypted with it.

    Raises:
        ConfigError: when values are still encrypted with it, it is the primary key, or the ring is in the
            environment.
        KeyMissing: when the ring does not hold it.
        RunBusy: when another process rotates.
    """
    with opened(settings, database) as connection, locked(connection, _LOCK) as got:
        if not got:
            raise RunBusy("another process rotates keys; try again when it has ended")
        with connection, connection.cursor() as cursor:
            wait_for_users(cursor)
            left = {table.name: table.count(cursor)[key] for table in _tables(settings)}
            if any(left.values()) and key != load_key_ring(settings.home).primary:
                places = ", ".join(f"{count} in {table}" for table, count in left.items() if count)
                raise ConfigError(
                    f"values are still encrypted with the key {key}: {places}; "
                    "first run: oncehub keys rotate --resume"
                )
            ring = load_key_ring(settings.home)
            if key in ring.keys and key != ring.primary:
                forget_key(cursor, ring.key(key))
        # After that is committed: a known key that is not there stops the hub.
        drop_key(settings.home, key)


def _tables(settings: Settings) -> list[EncryptedTable]:
    """Every table that holds encrypted values, each before those that copy from it."""
    entities = load_entities(settings.schemas)
    person = entities["person"]
    sensitive = [entity for entity in entities.values() if sensitive_of(entity)]
    tables: list[EncryptedTable] = [SubmittedPayloads(), RejectedPayloads(), *map(record_fields, sensitive)]
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
                step = table.reencrypt(cursor, load_ciphers(settings.home), after, _BATCH)
            if step is None:
                break
            after = step.after
            done[table.name] += step.values
            if listener and step.values:
                listener(table.name, done[table.name])
    return +done
