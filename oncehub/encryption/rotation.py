"""Rotating the key that seals: a new one from now on, and everything that is stored sealed anew with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from oncehub.config.entities import load_entities
from oncehub.encryption.cipher import load_ciphers, wait_for_users
from oncehub.encryption.field_values import sensitive_of
from oncehub.encryption.key_ring import add_primary, drop_key, load_key_ring
from oncehub.encryption.reencrypted_fields import (
    SealedDeliveries,
    SealedPeople,
    SealedRecords,
    SealedVersions,
)
from oncehub.encryption.reencryption import Sealed, SealedPayloads
from oncehub.encryption.submitted_payloads import SealedSubmitted
from oncehub.errors import ConfigError, RunBusy
from oncehub.settings import Settings
from oncehub.store.connection import Connection, locked
from oncehub.store.failures import told_without_values
from oncehub.store.migrate import opened

_BATCH: Final = 2000
_LOCK: Final = "rotate keys"


@dataclass(frozen=True)
class KeyUse:
    """A key of the ring, and how much is sealed with it.

    Attributes:
        key: its id; `none` for what no key of a ring has sealed.
        primary: whether it seals now.
        held: whether the ring holds it; what is sealed with a key that is not held cannot be read.
        values: by table.
    """

    key: str
    primary: bool
    held: bool
    values: dict[str, int]


Listener = Callable[[str, int], None]
"""Hears a table and how many of its values have been sealed anew so far."""


def keys_in_use(settings: Settings, database: Connection | None = None) -> list[KeyUse]:
    """Return every key of the ring and every one that something is sealed with, the primary one first."""
    ring = load_key_ring(settings.home)
    with opened(settings, database) as connection:
        counts = _counted(connection, _tables(settings))
    used = {key for counter in counts.values() for key in counter}
    ordered = [ring.primary, *sorted({*ring.keys, *used} - {ring.primary})]
    return [
        KeyUse(
            key,
            primary=key == ring.primary,
            held=key in ring.keys,
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
    """Let a new key seal from now on, and seal everything anew with it; return how much, by table.

    Readers have both keys meanwhile. Every batch is a transaction of its own: after an interruption, `resume`
    goes on with what is left, and adds no key. It also seals what is stored from before there was a ring.

    Raises:
        ConfigError: when the ring stands in the environment and a new key is asked for.
        KeyMissing: when something is sealed with a key that is not there; everything before it is done.
        RunBusy: when another process rotates.
        StoreError: the database cannot be used.
    """
    with (
        opened(settings, database) as connection,
        told_without_values("rotating keys"),
        locked(connection, _LOCK) as got,
    ):
        if not got:
            raise RunBusy("another process rotates keys; it will go on by itself")
        if not resume:
            add_primary(settings.home)
        with connection, connection.cursor() as cursor:
            # Whoever began with the former key ends before anything is looked at.
            wait_for_users(cursor)
        done: Counter[str] = Counter()
        while fresh := _pass(settings, connection, listener):
            done += fresh
        if not _left(settings, connection):
            with connection, connection.cursor() as cursor:
                cursor.execute("delete from intake.plain")
        return dict(done)


def retire(settings: Settings, key: str, database: Connection | None = None) -> None:
    """Take a key that nothing is sealed with any more out of the ring, for good.

    Raises:
        ConfigError: when something is still sealed with it, it is the one that seals, or the ring stands in
            the environment.
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
                told = ", ".join(f"{count} in {table}" for table, count in left.items() if count)
                raise ConfigError(
                    f"still sealed with the key {key}: {told}; first: oncehub keys rotate --resume"
                )
            drop_key(settings.home, key)


def _tables(settings: Settings) -> Sequence[Sealed]:
    """Everything that is sealed, each before what is copied from it."""
    entities = load_entities(settings.schemas)
    sensitive = [entity for entity in entities.values() if sensitive_of(entity)]
    tables: list[Sealed] = [SealedSubmitted(), SealedPayloads(settings.home)]
    tables += map(SealedRecords, sensitive)
    if entities["person"] in sensitive:
        person = entities["person"]
        tables += [SealedPeople(person), SealedVersions(person), SealedDeliveries(person)]
    return tables


def _counted(connection: Connection, tables: Sequence[Sealed]) -> dict[str, Counter[str]]:
    with connection, connection.cursor() as cursor:
        return {table.name: table.count(cursor) for table in tables}


def _left(settings: Settings, connection: Connection) -> int:
    """How many values are not under the key that seals."""
    primary = load_key_ring(settings.home).primary
    counts = _counted(connection, _tables(settings)).values()
    return sum(count for counter in counts for key, count in counter.items() if key != primary)


def _pass(settings: Settings, connection: Connection, listener: Listener | None) -> Counter[str]:
    done: Counter[str] = Counter()
    for table in _tables(settings):
        after = None
        while True:
            with connection, connection.cursor() as cursor:
                step = table.reseal(cursor, load_ciphers(settings.home), after, _BATCH)
            if step is None:
                break
            after = step.after
            done[table.name] += step.values
            if listener and step.values:
                listener(table.name, done[table.name])
    return +done
