"""Finds records by an encrypted value, through its blind index."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from oncehub.config.entities import load_entities
from oncehub.encryption.cipher import load_ciphers
from oncehub.encryption.field_values import Record, blind_indexes
from oncehub.errors import ConfigError
from oncehub.settings import Settings
from oncehub.store.connection import Connection

_FIND: Final = sql.SQL("""
select source, stream, source_key
from {table}
where split_part({attribute}, ':', 3) = any (%s) and {attribute} is not null and deleted_at is null
order by source, stream, source_key
""")


def find_records(settings: Settings, connection: Connection, attribute: str, value: str) -> list[Record]:
    """Return the live records that state a value; case, spaces and punctuation do not count.

    Args:
        settings: name the canonical schemas and the key ring.
        connection: one that may read `record`.
        attribute: the qualified name of a sensitive attribute with a blind index.
        value: in clear; it is not sent to the database.

    Raises:
        ConfigError: when no attribute of that name has a blind index.
    """
    indexed = {
        entity.qualified(name): (entity.name, name)
        for entity in load_entities(settings.schemas).values()
        for name, each in entity.attributes.items()
        if each.indexed
    }
    if attribute not in indexed:
        raise ConfigError(
            f"{attribute} has no blind index (x-blind-index in its schema), so no record is found by it; "
            f"choose one of: {', '.join(indexed)}"
        )
    table, column = indexed[attribute]
    statement = _FIND.format(table=sql.Identifier("record", table), attribute=sql.Identifier(column))
    with connection.cursor() as cursor:
        cursor.execute(statement, (blind_indexes(load_ciphers(settings.home, connection), attribute, value),))
        return cursor.fetchall()
